"""Tables in LaTeX, and their numbers as commands: as text, and through pdflatex."""

import re
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from benchmark.report.tables import CellSpec, render
from benchmark.report.tables.macros import command_name
from benchmark.table_files import table_files
from benchmark.tables import Table, load_table
from tests.benchmark.report.tables.conftest import interval

MakeRun = Callable[..., Any]

PAGE = r"""\documentclass{article}
\usepackage{booktabs}
\usepackage{xcolor}
%s
\begin{document}
%s
\end{document}
"""


@pytest.fixture
def typeset(tmp_path: Path) -> Callable[..., str]:
    """Return a function that makes a page of LaTeX and returns what pdflatex says of it."""

    def typeset(body: str, before: str = "") -> str:
        page = tmp_path / "page.tex"
        page.write_text(PAGE % (before, body), encoding="utf-8")
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", page.name],
            cwd=tmp_path,
            capture_output=True,
            check=False,
            timeout=120,
        )
        log = done.stdout.decode(errors="replace")
        assert done.returncode == 0, log[-2000:]
        assert (tmp_path / "page.pdf").stat().st_size > 10_000
        return log

    return typeset


def everywhere(table: Table, means: Iterable[float]) -> dict[tuple[str, str], list[float]]:
    return {(cell.row.label, cell.column.label): list(means) for cell in table.cells()}


def lines(text: str, start: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith(start)]


@pytest.mark.parametrize("name", table_files())
def test_every_table_fits_an_article(name: str, make_run: MakeRun, typeset: Callable[..., str]) -> None:
    values = everywhere(load_table(name), (48.1, 50.2, 55.3))
    size = {"dataset": "coco-stuff-10k", "profile": "paper"} if load_table(name).paper else {}
    results = make_run(name, values, unavailable=(), **size).results
    log = typeset(render(results, "latex") + r"\clearpage " + render(results, "latex", CellSpec(precision=2)))
    assert "Overfull" not in log


def test_names_that_mean_something_in_latex_compile(
    partly_run: Any, make_run: MakeRun, own_table: Table, typeset: Callable[..., str]
) -> None:
    own = make_run(own_table, {}, seeds=(0,)).results
    assert "Overfull" not in typeset(render(partly_run, "latex") + render(own, "latex"))


def test_the_columns_of_each_split_have_a_heading_of_their_own(make_run: MakeRun) -> None:
    values = everywhere(load_table("2"), (30.0, 31.0, 32.0))
    text = render(make_run("2", values, dataset="coco-stuff-10k", profile="paper").results, "latex")
    assert text.count(r"\begin{tabular}{@{}lcrr") == len(lines(text, r"\toprule")) > 1  # it takes more than one panel
    assert lines(text, "&")[0] == r"& \multicolumn{3}{c}{Split 1} & \multicolumn{3}{c}{Split 2} \\"
    assert lines(text, r"\cmidrule")[0] == r"\cmidrule(lr){2-4} \cmidrule(lr){5-7}"
    assert lines(text, "&")[1].startswith(r"& ours & {\color{gray}paper} & diff. & ours")
    assert lines(text, "Basic")[0].startswith(r"Basic & \textbf{31.0} & {\color{gray}27.0} & $+4.0$ &")
    assert re.match(r"&\s+\{\\scriptsize \[29\.\d, 32\.\d\]\} &  &  & ", lines(text, "& {")[0])
    assert "diff.: ours minus paper, in points. Bold: the best of each column." in text


def test_no_difference_is_shown_where_values_do_not_compare(make_run: MakeRun) -> None:
    text = render(make_run("2", {("Basic", "Split 1"): [30.0]}, seeds=(0,)).results, "latex")
    assert "diff." not in text
    assert "not comparable with this run" in text
    asked = render(make_run("2", {}, seeds=(0,)).results, "latex", CellSpec(("ours", "difference")))
    assert "diff." in asked


def test_a_table_without_printed_values_has_one_line_of_headings(make_run: MakeRun) -> None:
    text = render(make_run("stages", {}).results, "latex")
    assert r"\multicolumn" not in text
    assert r"& Split 1 & Split 2 & Split 3 & Split 4 \\" in text


def test_the_best_is_bold_and_a_bound_does_not_compete(make_run: MakeRun) -> None:
    values = {
        ("SimFormer", "Split 4"): [50.04],
        ("SimFormer*", "Split 4"): [49.96],  # as good, as far as it is shown
        ("RETAB*", "Split 4"): [40.0],
        ("FullyOracle", "Split 4"): [60.0],
    }
    text = render(make_run("3", values, seeds=(0,), unavailable=()).results, "latex")
    assert text.count(r"\textbf{50.0}") == text.count(r"\textbf") == 2
    assert "Bold: the best of each column, FullyOracle apart." in text


def test_rows_that_are_not_scored_alike_have_no_best(make_run: MakeRun) -> None:
    text = render(make_run("stages", everywhere(load_table("stages"), (50.0,)), seeds=(0,)).results, "latex")
    assert r"\textbf" not in text
    assert "Bold" not in text


def test_what_is_not_available_is_said_below(partly_run: Any) -> None:
    text = render(partly_run, "latex")
    assert "Not available yet: RETAB*." in text
    assert lines(text, "RETAB*")[0].startswith(r"RETAB* & -- & {\color{gray}25.6} &")
    assert r"\emph{not run}" in text
    assert r"(1 of 3 seeds)}" in text


def test_every_number_is_a_command_for_running_text(make_run: MakeRun, typeset: Callable[..., str]) -> None:
    values = {("SimFormer*", "Split 4"): [50.0, 51.0, 52.0], ("FullyOracle", "Split 9"): [60.0, None, None]}
    results = make_run("3", values).results
    text = render(results, "macros")
    said = {
        "TableThreeSimFormerStarSplitFour": "51.0",
        "TableThreeSimFormerStarSplitFourSD": "1.0",
        "TableThreeSimFormerStarSplitFourInterval": interval(results, "SimFormer*", "Split 4"),
        "TableThreeSimFormerStarSplitFourPaper": "31.7",
        "TableThreeSimFormerStarSplitFourSeeds": "3",
        "TableThreeFullyOracleSplitNine": "60.0",
        "TableThreeFullyOracleSplitFour": r"\emph {not run}",
    }
    shown = "".join(rf"\typeout{{{name} is \detokenize\expandafter{{\{name}}}.}}" for name in said)
    log = typeset(
        shown + r"SimFormer* has \TableThreeSimFormerStarSplitFour{} points on split 4." + r"\newpage x" * 9, text
    )
    for name, number in said.items():
        assert f"{name} is {number}." in log
    assert "FourDifference" not in text  # another data set
    assert text.splitlines()[1].startswith(
        r"% \input this file before \begin{document}, and write \TableThreeRETABStar"
    )


def test_differences_are_commands_where_values_compare(make_run: MakeRun) -> None:
    values = {("Basic", "Split 1"): [30.0, 31.0, 32.0]}
    same = make_run("2", values, dataset="coco-stuff-10k", profile="paper").results
    assert r"\newcommand{\TableTwoBasicSplitOneDifference}{$+4.0$}" in render(same, "macros").splitlines()


def test_commands_of_different_cells_have_different_names(make_run: MakeRun, own_table: Table) -> None:
    rows = [row.model_copy(update={"label": label}) for row in own_table.rows for label in ("a-b", "a b", "a_b")]
    text = render(make_run(own_table.model_copy(update={"rows": tuple(rows)}), {}, seeds=(0,)).results, "macros")
    names = re.findall(r"\\newcommand\{\\([A-Za-z]+)\}", text)
    assert len(names) == len(set(names)) == 6


def test_names_of_commands_are_letters() -> None:
    assert command_name("table", "1", "J = 100", "50 %, é") == "TableOneJOneZeroZeroFiveZeroPercent"
