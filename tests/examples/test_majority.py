"""The example of the documentation: a method of another package, in a table of one's own, from outside."""

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parent / "majority"


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """Environment in which the example is installed: its module and its entry point, as pip lays them down."""
    site = tmp_path / "site"
    info = site / "weakshot_majority-0.1.0.dist-info"
    info.mkdir(parents=True)
    (site / "majority.py").write_text((EXAMPLE / "majority.py").read_text())
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: weakshot-majority\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[weakshot_benchmark.methods]\nmajority = majority:METHOD\n")
    return os.environ | {"PYTHONPATH": str(site), "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}


def benchmark(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmark", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def test_the_method_is_a_row_of_the_table(installed: dict[str, str], tmp_path: Path) -> None:
    listed = benchmark(installed, "methods")
    assert "Majority class" in listed.stdout
    assert "weakshot-majority" in listed.stdout
    table = str(EXAMPLE / "table.yaml")
    selection = ["--profile", "smoke", "--store", str(tmp_path / "store")]
    run = benchmark(installed, "run", "--table", table, *selection, "--methods", "majority", "--no-mlflow")
    assert run.returncode == 0, run.stderr
    printed = benchmark(installed, "table", table, *selection, "--methods", "majority", "--format", "csv")
    lines = list(csv.DictReader(io.StringIO(printed.stdout)))
    assert [(line["row"], line["column"], line["status"]) for line in lines] == [
        ("Majority class", "Split 4", "done"),
        ("Majority class", "Split 9", "done"),
    ]
    assert all(float(line["novel_miou"]) == 0.0 for line in lines)  # it never says a novel class
    assert all(0.0 < float(line["base_miou"]) < 5.0 for line in lines)
    drawn = benchmark(installed, "pictures", table, *selection, "--methods", "majority", "--images", "2")
    assert drawn.returncode == 0, drawn.stderr
    assert [Path(line).name for line in drawn.stdout.splitlines()] == [
        f"predictions-majority-{split}.{suffix}" for split in ("S4", "S9") for suffix in ("pdf", "png")
    ]


def test_without_the_package_the_table_says_what_is_missing(tmp_path: Path) -> None:
    run = benchmark(dict(os.environ), "plan", "--table", str(EXAMPLE / "table.yaml"), "--profile", "smoke")
    assert run.returncode == 2
    assert "unknown method 'majority'" in run.stderr
    assert "Traceback" not in run.stderr
