"""``report`` and ``verify`` on the command line."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from benchmark.commands.report import command as report
from benchmark.commands.verify import command as verify
from benchmark.errors import BenchmarkError, Exit
from benchmark.plan import build_plan
from benchmark.store import Store
from tests.benchmark.report.gallery import make_world


def invoke(command: Any, *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, catch_exceptions=False, standalone_mode=False)


def options(store: Path, *more: str) -> list[str]:
    return ["--table", "2", "--profile", "smoke", "--store", str(store), *more]


def test_report_is_written_beside_the_results_and_adds_up(store: Path) -> None:
    done = invoke(report, *options(store))
    path = store.parent / "results" / "mini-smoke" / "report.html"
    assert done.stdout == f"{path}\n"
    assert "MB; `verify" in done.stderr
    checked = invoke(verify, str(path))
    assert checked.return_value == Exit.OK
    assert checked.stdout.endswith(f"{path}: adds up\n")


@pytest.mark.parametrize("out", ["folder", "folder/my.html"])
def test_out_is_a_folder_or_a_file(store: Path, tmp_path: Path, out: str) -> None:
    expected = tmp_path / "folder" / ("my.html" if out.endswith("html") else "report.html")
    for _ in range(2):  # the second time it is there already
        assert invoke(report, *options(store, "--out", str(tmp_path / out))).stdout == f"{expected}\n"


def test_verify_needs_neither_torch_nor_methods(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    invoke(report, *options(store, "--out", str(path)))
    code = (
        f"import sys; from benchmark.cli import main; code = main(['verify', {str(path)!r}]);"
        "print([name for name in ('torch', 'mlflow', 'matplotlib', 'pandas', 'methods') if name in sys.modules], code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "[] 0"


def test_holes_are_said_and_make_exit_code_1(store: Path) -> None:
    done = CliRunner().invoke(report, options(store, "--seeds", "0,1"))
    assert done.exit_code == Exit.INCOMPLETE
    assert "12 of 12 cells lack seeds" in done.stderr


def test_nothing_is_written_of_nothing(store: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(report, options(store, "--methods", "fully_oracle", "--out", str(tmp_path / "out")))
    assert done.exit_code == Exit.NOTHING
    assert not (tmp_path / "out").exists()


def test_a_changed_number_makes_exit_code_4_and_is_named(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    invoke(report, *options(store, "--out", str(path)))
    path.write_text(path.read_text().replace(">50.00<", ">50.10<", 1))
    done = invoke(verify, str(path))
    assert done.return_value == Exit.MISSED
    assert "WRONG: table 2, Basic, Split 1: mean: shows '50.10'" in done.stdout
    assert done.stdout.endswith("does not add up\n")
    found = json.loads(invoke(verify, str(path), "--json").stdout)
    assert found["sound"] is False
    assert len(found["faults"]) == 2


def test_photographs_are_shown_only_when_asked_for(monkeypatch: pytest.MonkeyPatch, store: Path) -> None:
    from benchmark.commands.report import _grids
    from benchmark.selection.options import Selection

    def refuse(*_: object) -> None:
        raise AssertionError("a picture was read")

    monkeypatch.setattr("benchmark.datasets.load_dataset", refuse)
    plan = build_plan(["2"], "mini", "smoke", [0])
    photographs = type(plan)(**(vars(plan) | {"dataset": type(plan.dataset)("coco", "Coco", ("a",), "d", 1, 1)}))
    selection = Selection(("2",), "mini", "smoke", "paper", Store(store), (0,), None, None, {}, None, None)
    assert list(_grids(photographs, selection, None)) == []
    with pytest.raises(AssertionError, match="a picture was read"):
        list(_grids(photographs, selection, 1))
    with pytest.raises(AssertionError, match="a picture was read"):
        list(_grids(plan, selection, None))


def test_a_report_shows_what_the_networks_in_the_store_predict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(tmp_path, monkeypatch)
    where = ["--dataset", str(world.dataset), "--profile", world.profile, "--store", str(world.store.root)]
    arguments = ["--table", str(world.table), *where, "--splits", "S1", "--pictures", "1"]
    path = tmp_path / "results" / "tiny-toy" / "report.html"
    CliRunner().invoke(report, arguments, catch_exceptions=False)
    assert "Label maps of table maps, S1" in path.read_text()
    assert "Predictions of table maps" not in path.read_text()
    world.train("oracle")
    done = CliRunner().invoke(report, arguments, catch_exceptions=False)
    assert "done     predictions for 1 image, evaluation of oracle [" in done.stderr
    assert "Predictions of table maps, S1" in path.read_text()
    assert 'aria-label="6: oracle"' in path.read_text()
    assert 'aria-label="6: network"' not in path.read_text()
    assert invoke(verify, str(path)).return_value == Exit.OK
    assert world.seen("oracle") == ["6"]


def test_a_report_that_is_interrupted_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(tmp_path, monkeypatch)
    world.train("network", "oracle", interrupts=True)
    where = ["--dataset", str(world.dataset), "--profile", world.profile, "--store", str(world.store.root)]
    with pytest.raises(click.Abort):
        invoke(report, "--table", str(world.table), *where, "--pictures", "1", "--out", str(tmp_path / "my.html"))
    assert not (tmp_path / "my.html").exists()


def test_a_file_that_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="is no report"):
        invoke(verify, __file__)
