"""``table``, ``compare`` and ``plot`` on the command line: data on stdout, talk on stderr, exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from benchmark.commands.compare import command as compare
from benchmark.commands.plot import command as plot
from benchmark.commands.table import command as table
from benchmark.errors import BenchmarkError, Exit
from benchmark.plan import build_plan
from benchmark.report.claims import judge as claims
from benchmark.report.scores import estimates, evaluations
from benchmark.store import Store
from tests.benchmark.report.conftest import counts_with, finish


def invoke(command: Any, *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


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
    assert len(list((tmp_path / "results").glob("table2.*"))) == 7
    assert "table2.json" in done.stderr
    assert "table2.json" not in done.stdout


def test_a_table_that_is_written_is_computed_once(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Any] = []

    def counted(found: Any, *arguments: Any) -> Any:
        read.append(found)
        return original(found, *arguments)

    original = evaluations.read_each
    for module in (claims, estimates):
        monkeypatch.setattr(module, "read_each", counted)
    invoke(table, "2", "--profile", "smoke", "--store", str(store), "--out", str(tmp_path / "results"))
    assert len(read) == 1


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


def test_another_convention_is_named_in_the_caption(store: Path) -> None:
    done = invoke(table, "2", "--convention", "mmseg", "--profile", "smoke", "--store", str(store))
    assert done.exit_code == Exit.OK
    assert "This run: mini, profile smoke, convention mmseg, seed 0" in done.stdout
    assert "convention mmseg instead of paper" in done.stdout


def test_every_convention_as_text_and_csv(store: Path) -> None:
    options = ("2", "--convention", "all", "--profile", "smoke", "--store", str(store))
    text = invoke(table, *options)
    assert text.exit_code == Exit.OK
    assert "\n  per_image     50.00    50.00    50.00    50.00\n" in text.stdout
    lines = invoke(table, *options, "--format", "csv").stdout.splitlines()
    assert lines[0].startswith("row,column,printed,paper,detectron2,mmseg,")
    assert len(lines) == 13


def test_conventions_go_with_some_options_only(store: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="printed as text or csv, not as latex"):
        invoke(table, "2", "--convention", "all", "--format", "latex", "--store", str(store))
    with pytest.raises(BenchmarkError, match="--out writes tables in the paper's convention"):
        invoke(table, "2", "--convention", "mmseg", "--store", str(store), "--out", str(tmp_path))


RANKS = {"Basic": 0, "Self-Pair": 1, "Cross-Pair": 2}


@pytest.fixture
def ranked(tmp_path: Path) -> Any:
    """Return a function that fills a store with Table 2 at ``mini``, the rows ``gap`` points apart on three seeds."""

    def fill(gap: float) -> list[str]:
        store = Store(tmp_path / f"ranked{gap}")
        plan = build_plan(["2"], "mini", "mini", [0, 1, 2])
        for cell in plan.cells:
            assert cell.stage
            novel = 40.0 + gap * RANKS[cell.row] + 0.1 * cell.seed
            if not store.find(cell.stage):
                finish(store, cell.stage, cell.seed, counts_with(20, plan.splits[cell.split].novel, novel))
        return ["--table", "2", "--seeds", "0,1,2", "--store", str(store.root)]

    return fill


@pytest.mark.parametrize(
    ("gap", "plain", "strict", "strictest"),
    [
        (6.0, Exit.OK, Exit.OK, Exit.OK),
        (-6.0, Exit.OK, Exit.MISSED, Exit.MISSED),
        (0.3, Exit.OK, Exit.OK, Exit.MISSED),
    ],
)
def test_compare_exits_4_on_a_miss_if_asked_to(
    ranked: Any, gap: float, plain: Exit, strict: Exit, strictest: Exit
) -> None:
    options = ranked(gap)
    codes = [invoke(compare, *options, *more).exit_code for more in ([], ["--strict"], ["--strict=all"])]
    assert codes == [plain, strict, strictest]


def test_compare_prints_verdicts_and_says_on_stderr_that_claims_are_missed(ranked: Any) -> None:
    done = invoke(compare, *ranked(-6.0), "--strict", "--methods", "simformer")
    assert "  Cross-Pair > Self-Pair: does not hold\n" in done.stdout
    assert "12 values: not comparable 12. 8 comparisons: does not hold 8." in done.stdout
    assert done.stderr == "claims are missed\n"


def test_compare_as_json_is_a_list_of_tables(ranked: Any) -> None:
    (content,) = json.loads(invoke(compare, *ranked(6.0), "--json").stdout)
    assert (content["table"], content["comparable"], content["missed"]) == ("2", False, False)
    assert {one["outcome"] for one in content["orderings"]} == {"holds"}


def test_compare_with_holes_exits_1_and_nothing_selected_5(store: Path) -> None:
    holes = invoke(compare, "--table", "2", "--profile", "smoke", "--seeds", "0,1", "--store", str(store))
    assert holes.exit_code == Exit.INCOMPLETE
    assert "12 of 12 cells lack seeds" in holes.stderr
    nothing = invoke(compare, "--table", "2", "--methods", "fully_oracle", "--store", str(store))
    assert (nothing.exit_code, nothing.stdout) == (Exit.NOTHING, "")


def test_compare_writes_the_verdicts_into_out(ranked: Any, tmp_path: Path) -> None:
    done = invoke(compare, *ranked(6.0), "--out", str(tmp_path / "out"))
    (path,) = (tmp_path / "out").iterdir()
    assert path.name == "table2-claims.csv"
    assert done.stderr == f"{path}\n"
    assert path.read_text().startswith("kind,row,column,printed")


def test_columns_and_precision_on_the_command_line(store: Path) -> None:
    options = ("2", "--profile", "smoke", "--store", str(store))
    done = invoke(table, *options, "--columns", "ours,paper,difference,verdict", "--precision", "3", "--format", "csv")
    assert done.exit_code == Exit.OK
    assert done.stdout.splitlines()[:2] == [
        "row,column,novel_miou,paper,delta,verdict,status",
        "Basic,Split 1,50.000,27.0,23.000,not comparable,done",
    ]


def test_out_has_what_was_asked_for(store: Path, tmp_path: Path) -> None:
    invoke(table, "2", "--profile", "smoke", "--store", str(store), "--columns", "ours", "--out", str(tmp_path))
    assert "aper} &" not in (tmp_path / "table2.tex").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--columns", "our"), "Did you mean 'ours'"),
        (("--precision", "9"), "--precision 9"),
        (("--against", "run"), "there is none; `import FILE` adds one"),
        (("--against", "alice"), "alice"),
        (("--convention", "all", "--columns", "ours"), "leave out --columns, --against and --precision"),
        (("--convention", "mmseg", "--columns", "verdict,ours"), "are the paper's convention's, not mmseg's"),
    ],
)
def test_what_cannot_be_shown_is_refused(store: Path, options: tuple[str, ...], said: str) -> None:
    with pytest.raises(BenchmarkError) as error:
        invoke(table, "2", "--profile", "smoke", "--store", str(store), *options)
    assert said in str(error.value)
