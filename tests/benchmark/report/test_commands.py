"""``table`` and ``plot`` on the command line: data on stdout, talk on stderr, exit codes."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from benchmark.commands.plot import command as plot
from benchmark.commands.table import command as table
from benchmark.errors import BenchmarkError, Exit
from benchmark.metrics import Counts
from benchmark.plan import build_plan
from benchmark.store import Store


def invoke(command: Any, *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


@pytest.fixture
def store(tmp_path: Path, flat_counts: Counts) -> Path:
    """A store in which table 2 is finished for seed 0 in the smoke profile."""
    store = Store(tmp_path / "store")
    for cell in build_plan(["2"], "mini", "smoke", [0]).cells:
        assert cell.stage
        folder = store.folder(cell.stage.key)
        folder.mkdir(parents=True)
        (folder / "result.json").write_text('{"summary": {}, "provenance": {}}')
        flat_counts.save(folder / "counts.npz")
    return store.root


def test_table_prints_data_and_exits_0_when_complete(store: Path) -> None:
    done = invoke(table, "2", "--format", "csv", "--profile", "smoke", "--store", str(store))
    assert done.exit_code == Exit.OK
    lines = done.stdout.splitlines()
    assert lines[0].startswith("row,column,novel_miou")
    assert len(lines) == 13
    assert lines[1] == "Basic,Split 1,50.0000,,1,50.0000,50.0000,27.0,23.0000,done"
    assert done.stderr == ""


def test_table_with_holes_exits_1_and_says_so_on_stderr(store: Path) -> None:
    done = invoke(table, "2", "--format", "csv", "--profile", "smoke", "--seeds", "0,1", "--store", str(store))
    assert done.exit_code == Exit.INCOMPLETE
    assert done.stdout.count("partial") == 12
    assert done.stderr == ("table 2: 12 of 12 cells lack seeds (12 partial); `run` with the same options makes them.\n")


@pytest.mark.parametrize(
    ("style", "start"), [("text", "Novel-class"), ("latex", "% Needs"), ("markdown", "|"), ("csv", "row,")]
)
def test_formats(store: Path, style: str, start: str) -> None:
    done = invoke(table, "3", "--format", style, "--store", str(store))
    assert done.stdout.startswith(start)
    assert "not run" in done.stdout


def test_empty_selection_exits_5(store: Path) -> None:
    done = invoke(table, "2", "--methods", "fully_oracle", "--store", str(store))
    assert (done.exit_code, done.stdout) == (Exit.NOTHING, "")
    assert "nothing matches: table 2" in done.stderr


def test_table_writes_everything_into_out(store: Path, tmp_path: Path) -> None:
    done = invoke(table, "2", "--profile", "smoke", "--store", str(store), "--out", str(tmp_path / "results"))
    assert len(list((tmp_path / "results").glob("table2.*"))) == 6
    assert "table2.json" in done.stderr
    assert "table2.json" not in done.stdout


def test_plot_prints_the_paths_of_its_files(store: Path) -> None:
    done = invoke(plot, "2", "--profile", "smoke", "--store", str(store))
    assert done.exit_code == Exit.OK
    paths = [Path(line) for line in done.stdout.splitlines()]
    assert [path.name for path in paths] == ["table2.pdf", "table2.png"]
    assert all(path.is_file() for path in paths)
    assert paths[0].parent.name == "mini-smoke"


def test_unknown_table_is_refused() -> None:
    with pytest.raises(BenchmarkError, match="unknown table '7'"):
        invoke(table, "7")
