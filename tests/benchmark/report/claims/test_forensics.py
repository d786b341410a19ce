"""Planted deviations: a table that was printed with a mistake, or results that have one, and what is said of them."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.metrics import Counts
from benchmark.plan import PlannedCell
from benchmark.report.claims.forensics import Forensics, examine
from benchmark.report.claims.forensics_listing import as_csv, as_text
from benchmark.report.claims.judge import judge
from benchmark.report.claims.listing import as_text as judgement_text
from benchmark.tables import Table
from tests.benchmark.report import world
from tests.benchmark.report.conftest import PIXELS, counts_with

MakeRun = Callable[..., Any]

ROWS, COLUMNS = ("RETAB*", "SimFormer", "SimFormer*", "FullyOracle"), tuple(f"Split {i}" for i in range(4, 10))
ABSENT = tuple(range(5, 171, 6))  # classes that no test image shows


@pytest.fixture(scope="module")
def whole() -> world.TestSet:
    return world.draw_test_set()


@pytest.fixture(scope="module")
def lacking() -> world.TestSet:
    return world.draw_test_set(ABSENT)


@pytest.fixture
def paper_run(make_run: MakeRun) -> MakeRun:
    """Return a function that makes a run of Table 3 at the paper's size, every cell of it finished."""

    def make(table: Table, counts: Callable[[PlannedCell], Counts], **options: Any) -> Any:
        settings = {"dataset": world.DATASET, "profile": "paper", "unavailable": (), "test": world.IMAGES} | options
        return make_run(table, counts=counts, **settings)

    return make


def examined(run: Any) -> Forensics:
    return examine(run.plan, run.table, run.store)


def verdicts(run: Any) -> dict[tuple[str, str], str]:
    return {(one.estimate.row, one.estimate.column): one.verdict for one in judge(run.plan, run.table, run.store).cells}


def best(found: Forensics) -> tuple[str, ...]:
    """Return the names of what explains the cells best; more than one where nobody can tell."""
    return tuple(one.name for one in found.rivals)


def test_what_was_printed_correctly_is_reproduced_and_explained_by_the_papers_convention(
    paper_run: MakeRun, lacking: world.TestSet
) -> None:
    counts = world.scorer(lacking)
    run = paper_run(world.print_table(counts), counts)
    assert set(verdicts(run).values()) == {"reproduced"}
    found = examined(run)
    assert best(found) == ("paper = detectron2 = mmseg",)
    assert found.explanations[0].fit.distance == 0.0
    assert (found.explanations[0].swaps, found.matching[0]) == ((), 24)
    assert "Best: paper = detectron2 = mmseg (classes that the ground truth lacks are left out), at 0" in as_text(found)


@pytest.mark.parametrize(
    ("absent", "ignored", "mistake", "words"),
    [
        ((), 0.3, world.with_ignored, "Best: ignored (wrong ignore index: predictions on ignored pixels count"),
        (ABSENT, 0.1, world.with_every_class, "Best: divisor (wrong divisor: classes that the ground truth lacks"),
    ],
)
def test_a_wrong_mean_is_not_reproduced_and_its_mistake_is_named(
    paper_run: MakeRun, absent: tuple[int, ...], ignored: float, mistake: world.Mistake, words: str
) -> None:
    test = world.draw_test_set(absent, ignored)
    counts = world.scorer(test)
    run = paper_run(world.print_table(counts, mistake), counts)
    said = list(verdicts(run).values())
    assert sum(verdict in {"not reproduced", "rank only"} for verdict in said) >= 12
    assert "reproduced" not in said
    text = as_text(examined(run))
    assert words in text
    assert ", at 0.00 points, before " in text


def test_means_image_by_image_are_named(paper_run: MakeRun, whole: world.TestSet) -> None:
    counts = world.scorer(whole)
    found = examined(paper_run(world.print_table(counts, world.per_image), counts))
    assert best(found) == ("per_image",)
    assert found.explanations[0].fit.distance == 0.0


def test_absent_classes_count_as_zero_for_mmseg_where_they_are_predicted(paper_run: MakeRun) -> None:
    counts = world.scorer(world.draw_test_set(ABSENT), false_alarms=True)
    found = examined(paper_run(world.print_table(counts, world.with_every_class), counts))
    assert best(found) == ("mmseg = divisor",)


def test_conventions_that_cannot_differ_are_named_together(paper_run: MakeRun, whole: world.TestSet) -> None:
    counts = world.scorer(whole)
    found = examined(paper_run(world.print_table(counts), counts))
    assert best(found) == ("paper = detectron2 = mmseg = divisor",)
    assert found.absent == ()
    assert "no class, so that the first four readings agree" in as_text(found)


def test_a_column_of_another_split_is_named(paper_run: MakeRun, whole: world.TestSet) -> None:
    counts = world.scorer(whole)
    swapped = {(row, "Split 4"): "S3" for row in ROWS}
    run = paper_run(world.print_table(counts, swapped=swapped), counts)
    said = verdicts(run)
    assert {said[row, "Split 4"] for row in ROWS} <= {"not reproduced", "rank only"}
    assert {verdict for (_, column), verdict in said.items() if column != "Split 4"} == {"reproduced"}
    found = examined(run)
    (swap,) = found.explanations[0].swaps
    assert (swap.column, swap.split, swap.rows) == ("Split 4", "S3", ROWS)
    assert best(found) == ("paper = detectron2 = mmseg = divisor",)
    assert found.explanations[0].fit.distance == 0.0
    assert "Split 4: the novel classes of S3, not of S4, explain RETAB*, SimFormer" in as_text(found)


def test_the_release_scores_retrained_networks_of_split_4_on_the_classes_of_split_3(
    paper_run: MakeRun, whole: world.TestSet
) -> None:
    counts = world.scorer(whole)
    swapped = {(row, "Split 4"): "S3" for row in ("RETAB*", "SimFormer*")}
    (swap,) = examined(paper_run(world.print_table(counts, swapped=swapped), counts)).explanations[0].swaps
    assert (swap.split, swap.rows) == ("S3", ("RETAB*", "SimFormer*"))


def test_one_cell_that_another_split_explains_may_be_chance(paper_run: MakeRun, whole: world.TestSet) -> None:
    counts = world.scorer(whole)
    run = paper_run(world.print_table(counts, swapped={("SimFormer", "Split 4"): "S3"}), counts)
    assert verdicts(run)["SimFormer", "Split 4"] in {"not reproduced", "rank only"}
    assert examined(run).explanations[0].swaps == ()


def test_one_missing_image_is_named_and_its_cell_not_compared(paper_run: MakeRun, whole: world.TestSet) -> None:
    counts = world.scorer(whole)

    def without_one(cell: PlannedCell) -> Counts:
        made = counts(cell)
        if (cell.row, cell.split, cell.seed) != ("SimFormer", "S5", 1):
            return made
        arrays = ("intersection", "prediction", "ground_truth", "prediction_on_ignored")
        return replace(made, image_ids=made.image_ids[1:], **{name: getattr(made, name)[1:] for name in arrays})

    run = paper_run(world.print_table(counts), without_one)
    said = verdicts(run)
    assert said.pop(("SimFormer", "Split 5")) == "not comparable"
    assert set(said.values()) == {"reproduced"}
    line = "images: SimFormer, Split 5, seed 1 was scored on 59 of 60 images; others have '000000000000'"
    assert line in as_text(examined(run))
    text = judgement_text(judge(run.plan, run.table, run.store))
    assert line in text
    assert "undecided (scored on different images)" in text


def test_an_image_that_every_evaluation_lacks_is_counted(paper_run: MakeRun, whole: world.TestSet) -> None:
    counts = world.scorer(whole)
    run = paper_run(world.print_table(counts), counts, test=world.IMAGES + 1, seeds=(0,))
    assert set(verdicts(run).values()) == {"not comparable"}
    assert "FullyOracle, Split 9, seed 0 was scored on 60 of 61 images\n" in as_text(examined(run))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"started": 1000.0, "finished": 2000.0}, ""),
        ({"started": 4000.0, "finished": 5000.0}, "training was made again afterwards"),
    ],
)
def test_a_result_that_is_older_than_what_it_was_made_from_is_stale(
    make_run: MakeRun, made: dict[str, float], said: str
) -> None:
    run = make_run("3", {("SimFormer*", "Split 4"): [40.0]}, seeds=(0,), test=1)
    stage = run.stage("SimFormer*", "Split 4")
    _record(run, stage.inputs["model"].key, made)
    _record(run, stage.key, {"started": 2001.0, "finished": 3000.0})
    text = as_text(examined(run))
    assert said in text
    assert ("stale" in text) == bool(said)
    assert ("stale" in judgement_text(judge(run.plan, run.table, run.store))) == bool(said)


def test_inputs_that_are_not_the_planned_ones_are_stale(make_run: MakeRun) -> None:
    run = make_run("3", {("SimFormer*", "Split 4"): [40.0]}, seeds=(0,), test=1)
    key = run.stage("SimFormer*", "Split 4").key
    (run.store.folder(key) / "stage.json").write_text(json.dumps({"inputs": {"model": "0" * 64}}))
    assert "(SimFormer*, Split 4, seed 0) was made from other model than the plan now names" in as_text(examined(run))


def _record(run: Any, key: str, times: dict[str, float]) -> None:
    path: Path = run.store.folder(key) / "result.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(content | times))


def test_digits_that_were_cut_off_are_noticed(paper_run: MakeRun, whole: world.TestSet) -> None:
    counts = world.scorer(whole)
    run = paper_run(world.print_table(counts, digits=lambda value: math.floor(10 * value) / 10), counts)
    assert set(verdicts(run).values()) == {"reproduced"}
    found = examined(run)
    assert found.matching[1] == 24 > found.matching[0]
    assert "24 when cut off. Digits may have been cut off." in as_text(found)


def test_numbers_that_are_off_altogether_are_explained_by_nothing(paper_run: MakeRun, whole: world.TestSet) -> None:
    counts = world.scorer(whole)
    rng = np.random.default_rng(0)
    run = paper_run(world.print_table(counts, digits=lambda value: round(value + rng.choice([-9, 9]), 1)), counts)
    text = as_text(examined(run))
    assert "None explains them: with the nearest, " in text
    assert "Best" not in text


def test_cells_that_share_an_evaluation_have_one_vote(paper_run: MakeRun, whole: world.TestSet) -> None:
    counts = world.scorer(whole)
    run = paper_run(world.print_table(counts, seeds=(0,)), counts, seeds=(0,))
    shared = run.stage("FullyOracle", "Split 4")
    cells = tuple(replace(cell, stage=shared) if cell.row == "FullyOracle" else cell for cell in run.plan.cells)
    fit = examine(replace(run.plan, cells=cells), run.table, run.store).explanations[0].fit
    assert fit.votes == pytest.approx(3 * 6 + 1)
    assert fit.cells == 24


def test_noise_as_large_as_the_difference_leaves_it_open(make_run: MakeRun) -> None:
    """One cell, 2 points from the paper's way and 1 from another."""
    table = _one_cell(40.0)

    def counts(cell: PlannedCell) -> Counts:
        made = counts_with(world.K, world.SPLITS["S4"].novel, 42.0)
        more = np.full_like(made.ground_truth, round(0.08 * PIXELS))
        return replace(made, prediction_on_ignored=more)

    run = make_run(table, counts=counts, dataset=world.DATASET, profile="paper", test=1)
    found = examined(run)
    assert found.explanations[0].name == "ignored"
    assert len(found.rivals) > 1
    assert "Cannot tell: ignored and " in as_text(found)


def _one_cell(printed: float) -> Table:
    return Table.model_validate_json(
        json.dumps(
            {
                "name": "one",
                "title": "One cell",
                "dataset": world.DATASET,
                "columns": [{"label": "Split 4", "split": "S4"}],
                "rows": [{"label": "Row", "method": "simformer"}],
                "paper": {"Row": [printed]},
            }
        )
    )


def test_at_other_sizes_nothing_is_explained_and_values_are_shown(make_run: MakeRun) -> None:
    run = make_run("2", {("Basic", "Split 1"): [40.0, 41.0, 42.0]})
    found = examined(run)
    assert found.explanations == ()
    text = as_text(found)
    assert "Values are not compared with printed ones: dataset mini instead of coco-stuff-10k" in text
    assert "distance" not in text
    assert "\n  per_image     41.00       --       --       --\n" in text


def test_csv_has_a_column_a_reading(make_run: MakeRun) -> None:
    lines = as_csv(examined(make_run("2", {("Basic", "Split 1"): [40.0, 41.0, 42.0]}))).splitlines()
    assert lines[0] == "row,column,printed,paper,detectron2,mmseg,divisor,ignored,per_image,base,all"
    assert lines[1].startswith("Basic,Split 1,27.0,41.0000,41.0000,41.0000,41.0000,41.0000,41.0000,60.0000,")
    assert lines[2] == "Basic,Split 2,23.6,,,,,,,,"
    assert len(lines) == 13


def test_a_table_without_results_says_so(make_run: MakeRun) -> None:
    assert as_text(examined(make_run("2"))).endswith("No evaluation of these cells is finished.\n")


def test_two_stages_with_the_same_counts_are_named(make_run: MakeRun) -> None:
    run = make_run("2", {("Basic", "Split 1"): [40.0], ("Self-Pair", "Split 1"): [40.0]}, seeds=(0,), test=1)
    line = "same counts: Basic, Split 1, seed 0; Self-Pair, Split 1, seed 0 have the same counts"
    assert line in as_text(examined(run))


def test_other_labels_on_the_same_images_are_named(make_run: MakeRun) -> None:
    odd = ("Self-Pair", "Split 2")

    def counts(cell: PlannedCell) -> Counts:
        made = counts_with(20, (), 50.0 + cell.seed, 50.0 + cell.seed)
        return replace(made, ground_truth=made.ground_truth - 1) if (cell.row, cell.column) == odd else made

    text = as_text(examined(make_run("2", counts=counts, seeds=(0,), test=1)))
    assert "ground truth: Self-Pair, Split 2, seed 0 was scored against other ground-truth pixels than" in text
    assert text.count("scored against other") == 1
