"""Which code made a page: all of it, wherever it is installed, and nothing but data of a run beside it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import benchmark
from benchmark.commands.verify import command
from benchmark.errors import Exit
from benchmark.execute.cluster.code import freeze
from benchmark.paths import data_folder
from benchmark.report.html import content, made, reading
from benchmark.report.html.sealing import seal
from benchmark.report.plots.palette import class_colours
from benchmark.sources import OURS, modules
from benchmark.store import Store
from benchmark.wording import duration

PACKAGE = made.__module__
PARENT = Path(benchmark.__file__).resolve().parents[1]
FOLDERS = (*(PARENT / name for name in OURS), *(data_folder(kind) for kind in ("splits", "papers")))

# Makes the page that is in a file again, and verifies it; says which modules that took, and which files it read.
MAKING = f"""
import json, sys, tempfile
from pathlib import Path
opened = []
sys.addaudithook(lambda event, values: opened.append(values[0]) if event == "open" else None)
import {PACKAGE} as html
from {PACKAGE} import packing, reading
file = sys.argv[1]
page = reading.read_page(Path(file))
with tempfile.TemporaryDirectory() as folder:
    html.made(*packing.restore(page.content, page.blocks, Path(folder)))
ours = [name for name in sys.modules if name.partition(".")[0] in {OURS!r}]
print(json.dumps([ours, [str(Path(name).resolve()) for name in opened if isinstance(name, str)]]))
from {PACKAGE} import verifying
assert not verifying.verify(Path(file)).faults
"""


def run_python(code: str, *arguments: str, path: Path, cwd: Path) -> str:
    """Run code in a new interpreter that finds our packages in ``path`` first."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"},
    ).stdout


@pytest.fixture
def taken(page: str, tmp_path: Path) -> tuple[set[str], set[Path]]:
    """Which modules of ours the making of a page loads, and which of our files it reads."""
    path = tmp_path / "report.html"
    path.write_text(page)
    names, files = json.loads(run_python(MAKING, str(path), path=PARENT, cwd=tmp_path))
    return set(names), {file for file in map(Path, files) if any(file.is_relative_to(one) for one in FOLDERS)}


def test_making_a_page_takes_no_other_module_and_reads_no_other_file(taken: tuple[set[str], set[Path]]) -> None:
    names, files = taken
    assert names >= {PACKAGE, duration.__module__, "benchmark"}
    assert names - {reading.__name__} <= modules(PACKAGE).keys()  # which the test opens the page with
    known = {path.resolve() for path in content.made_by().values()}
    read = {file for file in files if "__pycache__" not in file.parts}
    assert {"page.html", "script.js", "tolerance.yaml", "coco-stuff-10k.yaml"} <= {file.name for file in read}
    assert read - {Path(reading.__file__).resolve()} <= known


def test_a_wording_that_lies_outside_of_the_package_counts() -> None:
    place = f"{duration.__module__.replace('.', '/')}.py"
    assert place in content.made_by()


def test_what_a_run_brings_itself_does_not_count() -> None:
    places = content.made_by().keys()
    assert not any(place.startswith(("results/", "tests/", "benchmark/commands/")) for place in places)
    assert [place for place in places if place.startswith("papers/")] == ["papers/simformer/tolerance.yaml"]


def checkout(folder: Path) -> Path:
    """Copy the packages as they stand in a checkout, data beside them."""
    for name in OURS:
        shutil.copytree(PARENT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(data_folder("splits"), folder / "splits")
    shutil.copytree(data_folder("papers"), folder / "results" / "papers")
    return folder


def installation(folder: Path) -> Path:
    """Copy the packages as a wheel installs them, data inside them."""
    checkout(folder)
    (folder / "benchmark" / "data").mkdir()
    (folder / "splits").rename(folder / "benchmark" / "data" / "splits")
    (folder / "results" / "papers").rename(folder / "benchmark" / "data" / "papers")
    return folder


def frozen(folder: Path) -> Path:
    """Freeze the code as for jobs."""
    return freeze(Store(folder), ["methods.x:made"]).folder


@pytest.mark.parametrize("copy", [checkout, installation, frozen])
def test_the_same_code_is_the_same_wherever_it_is(tmp_path: Path, copy: Any) -> None:
    folder = copy(tmp_path / "copy")
    code = f"import benchmark, {content.__name__} as content; print(benchmark.__file__); print(content.maker())"
    where, digest = run_python(code, path=folder, cwd=tmp_path).split()
    assert Path(where).is_relative_to(folder)
    assert digest == content.maker()


@pytest.fixture
def other_code(tmp_path: Path) -> Path:
    """A copy of the software in which a module has another name, and durations are worded otherwise."""
    folder = checkout(tmp_path / "other")
    name = class_colours.__module__
    for path in (folder / "benchmark").rglob("*.py"):
        path.write_text(path.read_text().replace(name, f"{name}_of_classes"))
    module = folder.joinpath(*name.split("."))
    module.with_suffix(".py").rename(module.with_name(f"{module.name}_of_classes.py"))
    said = folder.joinpath(*duration.__module__.split(".")).with_suffix(".py")
    said.write_text(said.read_text().replace('{minutes} min"', '{minutes} minutes"'))
    return folder


def test_a_report_of_other_code_verifies_and_is_found_out_where_it_lies(
    other_code: Path, store: Path, tmp_path: Path
) -> None:
    for result in store.rglob("result.json"):
        result.write_text(json.dumps({**json.loads(result.read_text()), "wall_seconds": 181.7}))
    path = tmp_path / "report.html"
    select = ["--table", "2", "--profile", "smoke", "--seeds", "0", "--store", str(store), "--pictures", "0"]
    code = "import sys; from benchmark.cli import main; sys.exit(main(sys.argv[1:]))"
    run_python(code, "report", *select, "--out", str(path), path=other_code, cwd=tmp_path)
    done = CliRunner().invoke(command, [str(path)], standalone_mode=False)
    assert done.return_value == Exit.OK
    notes = [line for line in done.stdout.splitlines() if line.startswith("note: ")]
    assert "made by other code" in notes[0]
    assert "worded differently in 13 places, one is stages: says 'Evaluate 12 stages, 36 minutes', this" in notes[1]
    page = path.read_text()
    for old, new in {">3 minutes<": ">4 minutes<", "<b>50.0</b>": "<b>50.1</b>"}.items():
        path.write_text(seal(page.replace(old, new, 1)))
        done = CliRunner().invoke(command, [str(path)], standalone_mode=False)
        assert done.return_value == Exit.MISSED
        assert done.stdout.count("WRONG: ") == 1
