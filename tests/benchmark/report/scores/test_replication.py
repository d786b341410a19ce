"""How far apart results of the same seeds are, beside the spread over seeds."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import stdev

import pytest

from benchmark.report.claims.judge import judge
from benchmark.report.publication import provenance, publish
from benchmark.report.scores.replication import between, of_cell, of_replicates, shared_words
from benchmark.report.tables import CellSpec, RunResults, render
from benchmark.sharing.replicates import keep
from tests.benchmark.report.conftest import Run, counts_with

MakeRun = Callable[..., Run]
CELL = "Basic", "Split 1"
OTHER = "Basic", "Split 2"
VALUES = {CELL: [40.0, 41.0, 42.5], OTHER: [50.0, 50.0, 53.0]}
THEIRS: dict[tuple[str, str], list[float | None]] = {CELL: [41.0, 40.5, 42.0], OTHER: [50.0, 52.0, None]}
APART = [-1.0, 0.5, 0.5, -2.0]  # ours minus theirs; of OTHER the first seed is the same
SEEDS = (2 * (stdev(VALUES[CELL]) ** 2 + stdev(VALUES[OTHER]) ** 2) / 2) ** 0.5
WORDS = f"4 differ by up to 2.00 points: SD of the differences {stdev(APART):.2f} (between two seeds {SEEDS:.2f}), "


@pytest.fixture
def ours(make_run: MakeRun) -> Run:
    return make_run("2", VALUES)


@pytest.fixture
def replicated(ours: Run, tmp_path: Path) -> Run:
    """The run with what THEIRS says as replicates, by Anna."""
    for (row, column), values in THEIRS.items():
        for seed, value in enumerate(values):
            if value is not None:
                add(ours, (row, column), seed, value, tmp_path)
    return ours


def add(run: Run, cell: tuple[str, str], seed: int, value: float, folder: Path) -> None:
    split = run.results.splits[cell[1]]
    path = folder / "counts.npz"
    counts_with(20, split.novel, value).save(path)
    made = {"provenance": {"imported": [{"archive": "f" * 64, "by": "Anna"}]}}
    keep(path, made, run.stage(*cell, seed).key, run.store)


def first(text: str) -> dict[str, str]:
    return next(csv.DictReader(io.StringIO(text)))


def test_differences_and_spreads_are_those_of_the_values(replicated: Run) -> None:
    found = of_replicates(replicated.results)
    assert sorted(found.differences) == pytest.approx(sorted(APART))
    assert found.same == 1
    assert (found.mean, found.sd, found.largest) == pytest.approx((-0.5, stdev(APART), 2.0))
    assert found.seed_sd == pytest.approx(SEEDS)
    cell = of_cell(replicated.results[CELL])
    assert (cell.mean, cell.sd, cell.largest) == pytest.approx((0.0, stdev(APART[:3]), 1.0), abs=1e-9)
    assert cell.seed_sd == pytest.approx(2**0.5 * stdev(VALUES[CELL]))


def test_they_enter_no_other_number(make_run: MakeRun, ours: Run, tmp_path: Path) -> None:
    before = render(ours.results, "csv")
    plain = render(ours.results, "text").splitlines()
    add(ours, CELL, 0, 12.0, tmp_path)
    assert render(ours.results, "csv") == before
    more = [line for line in render(ours.results, "text").splitlines() if line not in plain]
    assert more == ["The same seeds in another environment (replicates): 1 value differs by up to 28.00 points."]


def test_several_replicates_of_one_seed_count_each(ours: Run, tmp_path: Path) -> None:
    for value in (41.0, 42.0):
        add(ours, CELL, 0, value, tmp_path)
    assert sorted(of_cell(ours.results[CELL]).differences) == pytest.approx([-2.0, -1.0])


def test_without_replicates_there_is_nothing_to_say(ours: Run) -> None:
    found = of_replicates(ours.results)
    assert (found.differences, found.mean, found.sd, found.largest, found.seed_sd) == ((), None, None, None, None)
    assert "replicate" not in render(ours.results, "text")
    row = render(ours.results, "text", CellSpec(("ours", "replicates"))).split("\n  replicates ")[1]
    assert row.split("\n")[0].split() == ["--"] * 4


def test_replicates_of_what_is_not_finished_are_no_values(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run("2", {CELL: [40.0]})
    add(run, CELL, 1, 44.0, tmp_path)
    add(run, OTHER, 0, 44.0, tmp_path)
    assert of_replicates(run.results).differences == ()
    assert run.results[OTHER].status == "not run"


def test_a_column_in_every_form(replicated: Run) -> None:
    spec = CellSpec(("ours", "replicates"))
    sd = stdev(APART[:3])
    text = render(replicated.results, "text", spec)
    assert text.split("\n  replicates ")[1].split()[:5] == ["0.0", "±", f"{sd:.1f}", "-2.0", "--"]
    assert "\nreplicates: ours minus the replicates of the same seeds, mean ± sample standard deviation" in text
    assert f"| 41.2 (0.0 ± {sd:.1f}) | 51.0 (-2.0) |" in render(replicated.results, "markdown", spec)
    assert "$-2.0$" in render(replicated.results, "latex", spec)
    assert f'0.0<span class="note">± {sd:.1f}</span>' in render(replicated.results, "html", spec)
    macros = render(replicated.results, "macros", spec)
    assert r"\newcommand{\TableTwoBasicSplitOneReplicates}{$0.0$}" in macros
    assert rf"\newcommand{{\TableTwoBasicSplitOneReplicatesSD}}{{{sd:.1f}}}" in macros
    assert r"\newcommand{\TableTwoBasicSplitTwoReplicates}{$-2.0$}" in macros
    assert "SplitTwoReplicatesSD" not in macros
    cell = first(render(replicated.results, "csv", spec))
    assert list(cell)[2:7] == ["novel_miou", "replicates", "replicates_sd", "replicates_max", "n_replicates"]
    assert (cell["replicates_sd"], cell["replicates_max"], cell["n_replicates"]) == (f"{sd:.4f}", "1.0000", "3")
    assert f"± {sd:.3f}" in render(replicated.results, "text", CellSpec(("replicates",), precision=3))


def test_the_caption_of_every_form_says_how_far_they_are(replicated: Run) -> None:
    words = f"(replicates): {WORDS}mean -0.50.".replace("4 differ", "4 values differ")
    for style in ("text", "markdown", "html", "latex"):
        assert words in render(replicated.results, style)


def test_another_run_with_the_same_seeds_is_told_apart_from_other_seeds(ours: Run, make_run: MakeRun) -> None:
    anna = make_run("2", THEIRS, store="anna").results
    found = between(ours.results, anna)
    assert sorted(found.differences) == pytest.approx(sorted(APART))
    assert found.same == 1
    text = render(ours.results, "text", CellSpec(against=("anna",)), [RunResults("anna", anna)])
    assert f"\nanna: mini, seeds 0, 1, 2; of 5 values of the same stages and seeds, {WORDS}mean -0.50.\n" in text
    assert shared_words(ours.results, make_run("2", {CELL: [40.0]}, store="one").results) == (
        "of 1 value of the same stages and seeds, none differs"
    )
    assert shared_words(ours.results, make_run("2", {CELL: [41.0]}, store="two").results).endswith(
        "1 differs by up to 1.00 points"
    )


def test_runs_of_other_seeds_share_nothing(ours: Run, make_run: MakeRun) -> None:
    other = make_run("2", {CELL: [50.0]}, seeds=(7,), store="other").results
    assert shared_words(ours.results, other) == ""


def test_a_value_over_other_classes_is_another_quantity(ours: Run, make_run: MakeRun) -> None:
    """Where somebody's split of that name is another one, the same counts have another novel mIoU."""
    results = make_run("2", VALUES, store="other").results
    assert between(ours.results, results).same == 6
    results = replace(results, splits={**results.splits, "Split 1": results.splits["Split 2"]})
    assert between(ours.results, results).same == 3


def test_seeds_that_share_a_result_count_once(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run("2", {CELL: [40.0, 41.0]}, seeds=(0, 1))
    add(run, CELL, 0, 42.0, tmp_path)
    cell = run.results[CELL]
    shared = replace(
        cell,
        keys=dict.fromkeys((0, 1), cell.keys[0]),
        scores=dict.fromkeys((0, 1), cell.scores[0]),
        replicates=dict.fromkeys((0, 1), cell.replicates[0]),
    )
    assert of_cell(shared).differences == pytest.approx([-2.0])


def test_what_is_written_down_names_them(replicated: Run, tmp_path: Path) -> None:
    found = provenance(judge(replicated.plan, replicated.table, replicated.store), replicated.store)
    assert found["replicates_from"] == [f"archive {'f' * 12} of Anna"]
    cell = next(one for one in found["cells"] if (one["row"], one["column"]) == CELL)
    assert [one["novel"] for one in cell["replicates"]["1"]] == pytest.approx([40.5])
    publish(replicated.plan, replicated.table, replicated.store, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "table2.json").read_text())["replicates_from"] == found["replicates_from"]
    assert "(replicates): 4 values differ" in (tmp_path / "out" / "table2.md").read_text()
