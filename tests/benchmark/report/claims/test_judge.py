"""Verdicts on printed values and on orderings, from synthetic seeds."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmark.metrics import Counts
from benchmark.plan import PlannedCell
from benchmark.report.claims.comparisons import Comparison
from benchmark.report.claims.judge import Judged, Judgement, decide, judge
from benchmark.report.claims.listing import HEADER, as_csv, as_data, as_text
from benchmark.report.claims.tolerance import SeedSpread, rules, tolerance
from benchmark.report.scores.estimates import printed_decimals
from benchmark.report.scores.intervals import seed_mean
from benchmark.tables import Table, load_table

MakeRun = Callable[..., Any]

PRINTED = {(cell.row.label, cell.column.label): cell.printed or 0.0 for cell in load_table("2").cells()}


@pytest.fixture
def judged(make_run: MakeRun) -> Callable[..., Judgement]:
    """Return a function that judges Table 2 at the paper's size, whose test set has one image here."""

    def make(values: Any, table: str | Table = "2", **options: Any) -> Judgement:
        run = make_run(table, values, **{"dataset": "coco-stuff-10k", "profile": "paper", "test": 1} | options)
        return judge(run.plan, run.table, run.store)

    return make


def one(judgement: Judgement, row: str, column: str = "Split 1") -> Judged:
    return next(cell for cell in judgement.cells if (cell.estimate.row, cell.estimate.column) == (row, column))


def around(place: tuple[str, str], shift: float, *, spread: float = 0.2) -> list[float]:
    """Return the results of three seeds, ``shift`` points above what is printed."""
    return [PRINTED[place] + shift + spread * step for step in (-1, 0, 1)]


@pytest.mark.parametrize(
    ("shift", "verdict"), [(0.0, "reproduced"), (0.5, "reproduced"), (1.5, "undecided"), (-6.0, "not reproduced")]
)
def test_a_value_is_judged_by_its_whole_interval(judged: Callable[..., Judgement], shift: float, verdict: str) -> None:
    cell = one(judged({("Basic", "Split 1"): around(("Basic", "Split 1"), shift)}), "Basic")
    assert cell.verdict == verdict
    assert cell.difference == pytest.approx(shift, abs=1e-3)
    assert cell.seeds
    assert cell.over_seeds
    assert cell.over_seeds.low < cell.seeds.mean < cell.over_seeds.high


def test_a_claim_says_where_it_is_printed_and_what_was_rounded(judged: Callable[..., Judgement]) -> None:
    judgement = judged({("Basic", "Split 1"): [27.0]}, seeds=(0,))
    cell, (data, *_) = one(judgement, "Basic"), as_data(judgement)["values"]
    assert (data["table"], data["row"], data["column"], data["printed"]) == ("2", "Basic", "Split 1", 27.0)
    assert data["source"] == "supplementary Table 2"
    assert cell.printed_interval == pytest.approx((26.95, 27.05))
    assert len(judgement.cells) == 12


def test_more_decimals_are_rounded_more_finely(judged: Callable[..., Judgement]) -> None:
    table = load_table("2").model_copy(update={"paper": {"Basic": (27.03, 23.6, 29.1, 25.6)}})
    assert printed_decimals(table) == 2
    judgement = judged({("Basic", "Split 1"): [27.0]}, seeds=(0,), table=table)
    assert one(judgement, "Basic").printed_interval == pytest.approx((27.025, 27.035))
    assert judgement.tolerance.rounding == pytest.approx(0.005)
    assert "  27.03  27.00" in as_text(judgement)


def test_the_tolerance_is_fixed_and_derived_in_words() -> None:
    held = tolerance(0.05)
    assert held.size == pytest.approx(0.05 + 1.96 * 0.7, abs=1e-3)
    assert str(held) == (
        "1.42 = 0.05 (rounding of the printed value) + 1.96 x 0.7 (SD over seeds of the paper's single run)"
    )


def test_noisy_seeds_do_not_widen_the_tolerance(judged: Callable[..., Judgement]) -> None:
    calm = judged({("Basic", "Split 1"): around(("Basic", "Split 1"), 0.0)})
    noisy = judged({("Basic", "Split 1"): around(("Basic", "Split 1"), 0.0, spread=3.0)}, seeds=(3, 4, 5))
    assert calm.tolerance == noisy.tolerance
    assert one(noisy, "Basic").verdict == "undecided"


def test_of_the_right_rank_only(judged: Callable[..., Judgement]) -> None:
    values = {place: around(place, 8.0) for place in PRINTED}
    values |= {("Basic", "Split 2"): [40.0, 40.1, 40.2], ("Cross-Pair", "Split 3"): [43.0, 43.1, 43.2]}
    judgement = judged(values)
    assert {one(judgement, "Cross-Pair", column).verdict for column in ("Split 1", "Split 4")} == {"rank only"}
    middle = one(judgement, "Self-Pair")
    assert (middle.verdict, middle.remark) == ("not reproduced", "its orderings: 1 holds, 1 undecided")
    basic = one(judgement, "Basic", "Split 2")
    assert (basic.verdict, basic.remark) == ("not reproduced", "its orderings: 1 does not hold")
    assert judgement.missed


def test_a_table_without_orderings_has_no_rank(judged: Callable[..., Judgement]) -> None:
    table = load_table("2").model_copy(update={"orderings": ()})
    cell = one(judged({("Basic", "Split 1"): [40.0, 40.1, 40.2]}, table=table), "Basic")
    assert (cell.verdict, cell.remark) == ("not reproduced", "it takes part in no ordering")


def test_one_seed_rests_on_what_was_assumed(judged: Callable[..., Judgement]) -> None:
    cell = one(judged({("Basic", "Split 1"): [27.5]}, seeds=(0,)), "Basic")
    assert cell.seeds
    assert cell.seeds.sd == pytest.approx(0.7)
    assert cell.seeds.half_width(1) == pytest.approx(2.776 * 0.7, abs=1e-3)  # t with 4 degrees of freedom
    assert cell.verdict == "undecided"
    needed = cell.seeds.needed(lambda interval: decide(interval, 27.0, tolerance(0.05)) != "undecided")
    assert needed
    assert cell.remark == f"1 seed does not tell, {needed} would"
    enough, fewer = cell.seeds.half_width(needed), cell.seeds.half_width(needed - 1)
    assert enough
    assert fewer
    assert 0.5 + enough <= tolerance(0.05).size < 0.5 + fewer


def test_a_difference_as_large_as_the_tolerance_is_not_decided_by_any_number_of_seeds(
    judged: Callable[..., Judgement],
) -> None:
    size = tolerance(0.05).size
    cell = one(judged({("Basic", "Split 1"): [27.0 + size]}, seeds=(0,)), "Basic")
    assert cell.remark == "1 seed does not tell, nor would 100"


def test_where_no_seed_matters_the_value_is_exact(make_run: MakeRun) -> None:
    values = {("Basic", "Split 1"): [28.0, 28.0]}
    run = make_run("2", values, seeds=(0, 1), dataset="coco-stuff-10k", profile="paper", test=1)
    shared = run.stage("Basic", "Split 1")
    cells = tuple(replace(cell, stage=shared) if cell.row == "Basic" else cell for cell in run.plan.cells)
    cell = one(judge(replace(run.plan, cells=cells), run.table, run.store), "Basic")
    assert cell.over_seeds == pytest.approx((28.0, 28.0))
    assert cell.verdict == "reproduced"


@pytest.mark.parametrize(
    ("options", "remark"),
    [
        (
            {"dataset": "mini", "profile": "mini"},
            "dataset mini instead of coco-stuff-10k, profile mini instead of paper",
        ),
        ({"overrides": {"training.batch": 2}}, "changed training.batch"),
        ({"test": 2}, "scored on 1 of 2 images"),
    ],
)
def test_values_of_another_experiment_are_not_compared(
    judged: Callable[..., Judgement], options: dict[str, Any], remark: str
) -> None:
    judgement = judged({("Basic", "Split 1"): [60.0, 60.1, 60.2]}, **options)
    cell = one(judgement, "Basic")
    assert (cell.verdict, cell.remark, cell.difference) == ("not comparable", remark, None)
    assert not judgement.missed


def test_a_part_of_the_dataset_is_not_compared(make_run: MakeRun) -> None:
    values = {("Basic", "Split 1"): [27.0, 27.1, 27.2]}
    run = make_run("2", values, dataset="coco-stuff-10k", profile="paper", test=1)
    part = replace(run.plan, dataset=replace(run.plan.dataset, partial="10 of 9993 images"))
    cell = one(judge(part, run.table, run.store), "Basic")
    assert (cell.verdict, cell.remark) == ("not comparable", "only 10 of 9993 images")


def test_what_is_not_run_has_no_verdict(judged: Callable[..., Judgement]) -> None:
    judgement = judged({})
    assert {cell.verdict for cell in judgement.cells} == {"not run"}
    assert set(judgement.outcomes) == {"not run", "cannot be judged"}
    assert not judgement.missed
    assert not judgement.undecided


def rates(shift: float, seeds: int, runs: int = 4000) -> dict[str, float]:
    """Return how often verdicts come out if single runs have SD 0.7 and ours are ``shift`` points higher."""
    rng = np.random.default_rng(0)
    held, assumed = tolerance(0.05), rules().seed_spread["paper"]
    found = []
    for _ in range(runs):
        interval = seed_mean(list(30.0 + shift + 0.7 * rng.standard_normal(seeds)), assumed).interval
        assert interval
        found.append(decide(interval, round(30.0 + 0.7 * rng.standard_normal(), 1), held))
    return {name: found.count(name) / runs for name in ("reproduced", "not reproduced")}


def test_a_true_reproduction_is_hardly_ever_called_none_and_more_seeds_call_it_one() -> None:
    few, some, many = (rates(0.0, seeds) for seeds in (1, 3, 9))
    assert max(one["not reproduced"] for one in (few, some, many)) < 0.025
    assert few["reproduced"] == 0.0
    assert 0.3 < some["reproduced"] < many["reproduced"]


def test_what_differs_by_more_than_twice_the_tolerance_is_hardly_ever_called_reproduced() -> None:
    for seeds in (1, 3, 9):
        assert rates(3.0, seeds)["reproduced"] < 0.025
    assert rates(3.0, 9)["not reproduced"] > 0.6


def comparisons(judgement: Judgement, ordering: str) -> list[Comparison]:
    return list(next(one.comparisons for one in judgement.orderings if one.ordering == ordering))


def test_orderings_are_judged_where_values_are_not(judged: Callable[..., Judgement]) -> None:
    values = {
        ("Basic", "Split 1"): [40.0, 41.0, 42.0],
        ("Self-Pair", "Split 1"): [50.0, 51.0, 52.0],
        ("Basic", "Split 2"): [50.0, 51.0, 52.0],
        ("Self-Pair", "Split 2"): [40.0, 41.0, 42.0],
        ("Basic", "Split 3"): [40.0, 41.0, 42.0],
        ("Self-Pair", "Split 3"): [40.5, 41.5, 42.5],
    }
    judgement = judged(values, dataset="mini", profile="mini")
    first, second, third, fourth = comparisons(judgement, "Self-Pair > Basic")
    assert [one.outcome for one in (first, second, third, fourth)] == [
        "holds",
        "does not hold",
        "undecided",
        "cannot be judged",
    ]
    assert third.remark.startswith("3 seeds do not tell, ")
    assert fourth.remark == "Basic not run"
    assert [one.outcome for one in judgement.orderings] == ["cannot be judged", "does not hold"]
    assert judgement.missed


def test_seeds_are_paired(judged: Callable[..., Judgement]) -> None:
    """Both rows vary by 20 points with the seed, their difference hardly."""
    values = {("Basic", "Split 1"): [30.0, 50.0, 40.0], ("Self-Pair", "Split 1"): [38.0, 58.2, 47.9]}
    (pair, *_) = comparisons(judged(values, dataset="mini", profile="mini"), "Self-Pair > Basic")
    assert pair.outcome == "holds"


def test_one_seed_of_a_difference_is_taken_to_spread_as_two_trainings_do(judged: Callable[..., Judgement]) -> None:
    values = {("Basic", "Split 1"): [30.0], ("Self-Pair", "Split 1"): [40.0]}
    (pair, *_) = comparisons(judged(values, seeds=(0,)), "Self-Pair > Basic")
    assert pair.seeds
    assert pair.seeds.sd == pytest.approx(0.7 * 2**0.5)
    assert pair.outcome == "holds"


def test_images_are_paired(make_run: MakeRun) -> None:
    """Half of the images are hard for both rows; one is a little better on each."""

    def counts(cell: PlannedCell) -> Counts:
        truth = np.full((40, 20), 1000, np.int32)
        hits = np.full_like(truth, 400 + cell.seed)
        hits[::2] = 800
        hits += 50 if cell.row == "Self-Pair" else 0
        return Counts(tuple(map(str, range(40))), hits, hits, truth, np.zeros_like(truth))

    run = make_run("2", counts=counts, test=40)
    judgement = judge(run.plan, run.table, run.store)
    pair, *_ = comparisons(judgement, "Self-Pair > Basic")
    alone = one(judgement, "Basic").images
    assert alone
    assert pair.images
    assert pair.images.high - pair.images.low < 0.05 * (alone.high - alone.low)


def test_an_ordering_that_rests_on_one_image_is_undecided_whatever_the_seeds(make_run: MakeRun) -> None:
    """Self-Pair is far better on one large image of ten and a little worse on the others."""

    def counts(cell: PlannedCell) -> Counts:
        truth = np.full((10, 20), 1000, np.int32)
        truth[0] = 5000
        better = {"Basic": 0, "Self-Pair": 1, "Cross-Pair": 2}[cell.row]
        hits = (0.5 * truth + cell.seed).astype(np.int32)
        hits[0] += 1000 * better
        hits[1:] -= 60 * better
        return Counts(tuple("abcdefghij"), hits, hits, truth, np.zeros_like(truth))

    run = make_run("2", counts=counts, test=10)
    pair, *_ = comparisons(judge(run.plan, run.table, run.store), "Self-Pair > Basic")
    assert pair.over_seeds
    assert pair.over_seeds.sign == 1
    assert (pair.outcome, pair.remark) == ("undecided", "these test images do not tell, whatever the seeds")


def test_one_seed_decides_nothing_where_nothing_is_assumed(judged: Callable[..., Judgement]) -> None:
    values = {("Basic", "Split 1"): [30.0], ("Self-Pair", "Split 1"): [60.0]}
    judgement = judged(values, dataset="mini", profile="smoke", seeds=(0,))
    (pair, *_) = comparisons(judgement, "Self-Pair > Basic")
    assert (pair.outcome, pair.over_seeds) == ("undecided", None)
    assert pair.remark == "1 seed does not tell, nor how far seeds differ: run two"


def test_a_profile_of_ones_own_has_no_assumption(judged: Callable[..., Judgement], tmp_path: Any) -> None:
    own = tmp_path / "mini.yaml"
    own.write_text("input: {}\n")
    judgement = judged({("Basic", "Split 1"): [30.0, 31.0]}, dataset="mini", profile=str(own), seeds=(0, 1))
    assert judgement.results.assumed is None
    assert one(judgement, "Basic").seeds
    assert "taken beforehand" not in as_text(judgement)


def test_text_says_what_was_fixed_each_claim_and_the_count(judged: Callable[..., Judgement]) -> None:
    values = {place: around(place, 0.0) for place in PRINTED if place[1] == "Split 1"}
    text = as_text(judged(values))
    assert "Tolerance, fixed before any run: 1.42 = 0.05 (rounding" in text
    assert "SD over seeds, taken beforehand: 0.7, worth 4 degrees of freedom; assumed; " in text
    (line,) = [line for line in text.splitlines() if line.startswith("Basic, Split 1")]
    assert line.split() == ["Basic,", "Split", "1", "27.0", "27.00", "3", *line.split()[6:12], "+0.00", "reproduced"]
    assert "  Self-Pair > Basic: undecided\n    Split 1  +0.80" in text
    assert text.endswith(
        "12 values: reproduced 3, not run 9. 8 comparisons: holds 1, cannot be judged 6, undecided 1.\n"
    )


def test_text_points_to_forensics_where_a_value_is_missed(judged: Callable[..., Judgement]) -> None:
    text = as_text(judged({("Basic", "Split 1"): [60.0, 60.1, 60.2]}))
    assert "`table 2 --convention all` computes the values in other ways" in text
    assert "--convention all" not in as_text(judged({}, seeds=(5,)))


def test_csv_has_a_line_a_claim(judged: Callable[..., Judgement]) -> None:
    values = {place: around(place, 0.0) for place in PRINTED}
    lines = list(csv.DictReader(io.StringIO(as_csv(judged(values)))))
    assert tuple(lines[0]) == HEADER
    assert [line["kind"] for line in lines] == ["value"] * 12 + ["ordering"] * 8
    first = lines[0]
    assert (first["row"], first["printed"], first["printed_low"], first["printed_high"]) == (
        "Basic",
        "27.0",
        "26.95",
        "27.05",
    )
    assert (first["ours"], first["difference"], first["verdict"]) == ("27.0000", "0.0000", "reproduced")
    assert float(first["seeds_low"]) < 27 < float(first["seeds_high"])
    assert (lines[12]["row"], lines[12]["column"]) == ("Cross-Pair > Self-Pair", "Split 1")
    assert lines[12]["difference"] == "3.3000"
    assert lines[12]["tolerance"] == ""


def test_json_has_everything_unrounded(judged: Callable[..., Judgement]) -> None:
    data = json.loads(json.dumps(as_data(judged({place: around(place, 1 / 3) for place in PRINTED}))))
    assert data["comparable"]
    assert data["tolerance"]["size"] == pytest.approx(tolerance(0.05).size, abs=1e-12)
    assert len(data["values"]) == 12
    assert data["values"][0]["n_seeds"] == 3
    assert data["values"][0]["difference"] == pytest.approx(1 / 3, abs=1e-3)
    assert data["orderings"][0]["comparisons"][0]["above"] == ["Cross-Pair", "Split 1"]
    assert data["assumed_seed_spread"]["sd"] == 0.7


def test_the_rules_name_their_sources() -> None:
    assert all(isinstance(one, SeedSpread) and len(one.source) > 20 for one in rules().seed_spread.values())
    assert isinstance(load_table("2"), Table)
