"""What a reader asks of a table: columns, precision, and whose values stand beside those of the run."""

import csv
import dataclasses
import io
from collections.abc import Callable
from typing import Any

import pytest

from benchmark.errors import BenchmarkError
from benchmark.report.claims.judge import judge
from benchmark.report.tables import CellSpec, RunResults, render
from tests.benchmark.report.tables.conftest import interval

MakeRun = Callable[..., Any]


@pytest.fixture
def run(make_run: MakeRun) -> Any:
    values = {("Basic", "Split 1"): [30.0, 31.0, 32.0], ("Cross-Pair", "Split 1"): [33.0, 33.5, 34.0]}
    return make_run("2", values, dataset="coco-stuff-10k", profile="paper", test=1)


@pytest.fixture
def alice(make_run: MakeRun) -> RunResults:
    values = {("Basic", "Split 1"): [30.4, 31.4], ("Basic", "Split 2"): [20.0, 21.0]}
    results = make_run(
        "2",
        values,
        seeds=(5, 6),
        dataset="coco-stuff-10k",
        profile="paper",
        overrides={"simformer.points": 50},
        store="alice",
    ).results
    return RunResults("alice", results, by="Alice")


def first(text: str) -> dict[str, str]:
    return next(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"columns": ("our",)}, "unknown column 'our' in --columns. Did you mean 'ours'"),
        ({"columns": ("S4",)}, "Splits are chosen with --splits"),
        ({"columns": ("alice",)}, "other runs with --against"),
        ({"columns": ("paper",), "against": ("alice",)}, "unknown column 'paper'"),
        ({"columns": ("sd", "interval")}, "has no value to stand with; add ours"),
        ({"precision": -1}, "--precision -1: write a number from 0 to 6"),
        ({"precision": 7}, "--precision 7"),
        ({"against": ("sd",)}, "a run cannot be called 'sd' here"),
    ],
)
def test_what_cannot_be_shown_is_refused(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(BenchmarkError) as error:
        CellSpec(**asked)
    assert said in str(error.value)


def test_columns_come_in_the_order_asked_for(run: Any) -> None:
    judgement = judge(run.plan, run.table, run.store)
    spec = CellSpec(("paper", "ours", "images", "difference", "verdict", "seeds", "base", "miou"))
    text = render(judgement, "text", spec).splitlines()
    row = next(i for i, line in enumerate(text) if line.startswith("Basic (paper)"))
    shown = [line[:14].strip() for line in text[row : row + 7]]
    assert shown == ["Basic (paper)", "ours", "diff.", "verdict", "seeds", "base", "miou"]
    assert text[row].split()[2] == "27.0"
    assert text[row + 2].split()[1] == "+4.0"
    assert text[row + 3].split("  ")[-4].strip() == "not reproduced"
    assert [line.split()[1] for line in text[row + 4 : row + 6]] == ["3", "60.0"]
    cell = first(render(judgement, "csv", spec))
    assert list(cell) == [
        *("row", "column", "paper", "novel_miou", "images_low", "images_high", "delta"),
        *("verdict", "n_seeds", "base_miou", "miou", "status"),
    ]
    assert float(cell["images_low"]) <= float(cell["novel_miou"]) <= float(cell["images_high"])
    assert (cell["verdict"], cell["delta"], cell["status"]) == ("not reproduced", "4.0000", "done")


def test_intervals_over_seeds_in_every_form(run: Any) -> None:
    spec = CellSpec(("ours", "sd", "interval"))
    expected = interval(run.results, "Basic", "Split 1")
    assert f"31.0 ± 1.0 {expected}" in render(run.results, "text", spec)
    assert f"| Basic | 31.0 ± 1.0 {expected} |" in render(run.results, "markdown", spec)
    assert rf"{{\scriptsize $\pm$ 1.0 {expected}}}" in render(run.results, "latex", spec)
    assert f'31.0<span class="note">± 1.0 {expected}</span>' in render(run.results, "html", spec)
    cell = first(render(run.results, "csv", spec))
    assert f"[{float(cell['seeds_low']):.1f}, {float(cell['seeds_high']):.1f}]" == expected
    for style in ("text", "markdown"):
        assert "interval of the mean over seeds." in render(run.results, style, spec)
        assert "interval" not in render(run.results, style)


def test_precision_is_that_of_what_was_computed(run: Any) -> None:
    text = render(run.results, "text", CellSpec(("ours", "sd", "paper", "difference"), precision=3))
    assert "31.000 ± 1.000" in text
    assert "+4.000" in text
    assert " 27.0 " in text  # printed with one
    assert " 31 ± 1 " in render(run.results, "text", CellSpec(precision=0))
    assert first(render(run.results, "csv", CellSpec(precision=2)))["novel_miou"] == "31.00"


def test_the_best_is_the_best_as_far_as_it_is_shown(make_run: MakeRun) -> None:
    values = {("Basic", "Split 1"): [30.04], ("Cross-Pair", "Split 1"): [30.01]}
    results = make_run("2", values, seeds=(0,)).results
    assert render(results, "markdown").count("**30.0**") == 2
    assert render(results, "markdown", CellSpec(precision=2)).count("**") == 2


def test_several_runs_side_by_side(run: Any, alice: RunResults) -> None:
    spec = CellSpec(against=("paper", "alice"))
    text = render(run.results, "text", spec, [alice])
    row = text.index("\nBasic ")
    assert text[row:].split("\n")[1].split()[:4] == ["Basic", "31.0", "±", "1.0"]
    assert text[row:].split("\n")[2].split() == ["paper", "27.0", "23.6", "29.1", "25.6"]
    assert text[row:].split("\n")[3].split()[:5] == ["alice", "30.9", "±", "0.7", "20.5"]
    assert (
        "alice: coco-stuff-10k, profile paper, seeds 5, 6, by Alice; unlike this run: settings simformer.points=50."
        in text
    )
    latex = render(run.results, "latex", spec, [alice])
    assert r"& ours & {\color{gray}paper} & alice &" in latex
    assert "diff." not in latex  # to whom, with two?
    assert first(render(run.results, "csv", spec, [alice]))["alice"] == "30.9000"
    assert ">alice</th>" in render(run.results, "html", spec, [alice])
    assert r"\newcommand{\TableTwoBasicSplitOneAlice}{30.9}" in render(run.results, "macros", spec, [alice])


def test_the_difference_to_another_run(run: Any, alice: RunResults) -> None:
    latex = render(run.results, "latex", CellSpec(against=("alice",)), [alice])
    assert r"& ours & alice & diff. &" in latex
    assert "$+0.1$" in latex
    assert "diff.: ours minus alice, in points." in latex
    both = CellSpec(("ours", "difference"), ("paper", "alice"))
    cell = first(render(run.results, "csv", both, [alice]))
    assert (cell["delta"], cell["delta_alice"]) == ("4.0000", "0.1000")
    assert "diff. to alice" in render(run.results, "html", both, [alice])
    assert r"\newcommand{\TableTwoBasicSplitOneDifferenceToAlice}{$+0.1$}" in render(
        run.results, "macros", both, [alice]
    )


def test_a_cell_that_another_run_lacks_is_a_dash(run: Any, alice: RunResults) -> None:
    text = render(run.results, "text", CellSpec(("alice", "ours"), ("alice",)), [alice])
    assert text.split("\nCross-Pair (alice) ")[1].split()[0] == "not"
    assert "Paper:" not in text  # which nothing is set against
    narrow = RunResults("alice", _only(alice.results, ("Basic", "Split 1")))
    text = render(run.results, "text", CellSpec(("alice", "ours"), ("alice",)), [narrow])
    assert text.split("\nCross-Pair (alice) ")[1].split()[:4] == ["--"] * 4


def _only(results: Any, place: tuple[str, str]) -> Any:
    return dataclasses.replace(results, estimates={place: results[place]})
