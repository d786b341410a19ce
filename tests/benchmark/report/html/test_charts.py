"""Plots as SVG: what is drawn where."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.report.html.charts import BOTTOM, MARKERS, TICKS, TOP, chart, nice_ticks
from benchmark.report.plots.theme import COLOURS
from benchmark.report.plots.theme import MARKERS as NAMED


@given(st.floats(-100, 100), st.floats(0.01, 200))
def test_ticks_are_few_round_and_inside(low: float, size: float) -> None:
    ticks = nice_ticks(low, low + size)
    assert len(ticks) <= TICKS
    assert all(low - 1e-6 <= tick <= low + size + 1e-6 for tick in ticks)
    assert len(ticks) >= 2


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 63, (0, 20, 40, 60)), (40.2, 60.8, (45, 50, 55, 60)), (30, 31, (30, 30.2, 30.4, 30.6, 30.8, 31))],
)
def test_ticks(low: float, high: float, ticks: tuple[float, ...]) -> None:
    assert nice_ticks(low, high) == ticks


def test_bars_stand_on_zero_and_their_heights_are_the_values(make_run: Any) -> None:
    run = make_run("2", {("Basic", "Split 1"): [40.0], ("Self-Pair", "Split 1"): [20.0]}, seeds=(0,))
    found = chart(run.results)
    assert found
    assert found.bars
    ours = found.pictures[0]
    high, low = (BOTTOM - ours.series[i].marks[0].y for i in (0, 1))
    assert high == pytest.approx(2 * low, abs=0.02)
    assert found.legend == ("Basic", "Self-Pair", "Cross-Pair")
    assert ours.series[0].marks[0].words == "Basic, Split 1: 40.00"


def test_a_missing_cell_leaves_a_gap_in_its_line(make_run: Any) -> None:
    values = {("SimFormer", f"Split {i}"): [40.0 + i, 42.0 + i] for i in (4, 5, 7, 8)}
    found = chart(make_run("3", values, seeds=(0, 1)).results)
    assert found
    line = found.pictures[0].series[1]
    assert line.line.count("M") == 2
    assert line.line.count("L") == 2
    assert len(line.marks) == 4
    first = line.marks[0]
    assert first.low is not None
    assert first.high is not None
    assert TOP <= first.high < first.y < first.low <= BOTTOM  # pixels count downwards
    assert len(first.seeds) == 2


@pytest.mark.parametrize(("dataset", "profile"), [("mini", "mini"), ("coco-stuff-10k", "paper")])
def test_one_scale_only_where_values_compare(make_run: Any, dataset: str, profile: str) -> None:
    values = {("SimFormer", f"Split {i}"): [60.0 + i] for i in (4, 5)}
    results = make_run("3", values, seeds=(0,), dataset=dataset, profile=profile).results
    found = chart(results)
    assert found
    ours, paper = found.pictures
    assert (ours.y == paper.y) is results.comparable is (dataset != "mini")


def test_steps_are_small_pictures_of_one_scale_with_dashes_to_what_is_scored_on_other_images(make_run: Any) -> None:
    values = {(f"RETAB: {step}", f"Split {i}"): [40.0 + i] for i in (1, 2) for step in ("CAM", "pseudo labels")}
    results = make_run("stages", values | {("RETAB*: test", "Split 1"): [45.0]}, seeds=(0,)).results
    found = chart(results)
    assert found
    first, second = found.pictures
    assert (first.title, second.title) == ("Split 1", "Split 2")
    assert first.y == second.y
    assert found.legend == ("RIB", "RETAB", "SimFormer")
    assert found.note.startswith("Dashed: ")
    assert first.series[1].dashed.count("L") == 1
    assert second.series[1].dashed == ""
    assert first.series[1].line == ""  # RETAB: confident lies between its two label maps, and is not run
    assert [(label, apart) for _, _, label, apart in first.bands] == [
        ("label maps of training images", False),
        ("test images", True),
    ]
    assert first.bands[0][1] < first.bands[1][0]
    assert first.x[3][1] == ("pseudo", "labels")
    assert not first.slanted


def test_nothing_to_draw(make_run: Any) -> None:
    assert chart(make_run("stages", {}).results) is None


def test_every_colour_has_a_marker() -> None:
    assert len(MARKERS) == len(COLOURS) == len(NAMED)
    assert len(set(MARKERS)) == len(MARKERS)
