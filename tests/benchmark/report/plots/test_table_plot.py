"""What plots show, and that they are drawn the same way twice."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PathCollection

from benchmark.report.plots import theme
from benchmark.report.plots.series import panels
from benchmark.report.plots.table_plot import draw, plot
from benchmark.tables import Column, Plot, Row, Table

MakeRun = Callable[..., Any]


def labels(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def drawn_heights(ax: Any) -> list[float]:
    return [bar.get_height() for bar in ax.patches if not math.isnan(bar.get_height())]


def drawn_dots(ax: Any) -> list[float]:
    drawn = [np.asarray(dots.get_offsets()) for dots in ax.collections if isinstance(dots, PathCollection)]
    return [float(y) for offsets in drawn for y in offsets[:, 1]]


def test_table_1_has_a_line_a_split_over_the_number_of_points(make_run: MakeRun) -> None:
    ours, paper = panels(make_run("1", {("J = 100", "Split 2"): [40.0, 42.0, 44.0]}).results)
    assert [series.label for series in paper.series] == ["Split 1", "Split 2", "Split 3", "Split 4"]
    assert [point.x for point in paper.series[0].points] == [50, 100, 150]
    assert [point.mean for point in paper.series[0].points] == [30.7, 31.1, 31.2]
    assert ours.ticks == {50.0: "50", 100.0: "100", 150.0: "150"}
    missing, present, _ = ours.series[1].points
    assert math.isnan(missing.mean)
    assert (present.mean, present.sd) == pytest.approx((42.0, 2.0))
    assert present.seeds == pytest.approx((40.0, 42.0, 44.0))


def test_table_2_has_groups_of_splits_and_a_bar_a_configuration(make_run: MakeRun) -> None:
    run = make_run("2", {("Basic", "Split 1"): [40.0, 42.0, 44.0]})
    ours, paper = panels(run.results)
    assert [series.label for series in ours.series] == ["Basic", "Self-Pair", "Cross-Pair"]
    assert list(paper.ticks.values()) == ["Split 1", "Split 2", "Split 3", "Split 4"]
    left, right = draw(run.results).axes
    assert len(right.patches) == 12
    assert drawn_heights(left) == pytest.approx([42.0])
    assert left.get_ylim()[0] == right.get_ylim()[0] == 0


def test_table_3_has_true_ratios_for_this_run_and_nominal_ones_for_the_paper(make_run: MakeRun) -> None:
    ours, paper = panels(make_run("3", {}, dataset="coco-stuff-10k").results)
    assert list(paper.ticks) == [25, 30, 35, 40, 45, 50]
    assert list(ours.ticks) == pytest.approx([100 * n / 171 for n in (43, 51, 59, 68, 76, 85)])
    assert list(ours.ticks.values()) == ["25.1", "29.8", "34.5", "39.8", "44.4", "49.7"]


def test_legend_names_rows_without_numbers(make_run: MakeRun) -> None:
    values = {("SimFormer", f"Split {i}"): [50.0] for i in (4, 5)}
    figure = draw(make_run("3", values, seeds=(0,)).results)
    assert labels(figure) == [
        "RETAB* (not available yet here)",
        "SimFormer",
        "SimFormer* (not run here)",
        "FullyOracle (not run here)",
    ]
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["this run: mini, 1 seed", "paper: COCO-Stuff-10K"]


def test_spread_and_single_seeds_are_drawn_only_where_there_are_several(make_run: MakeRun) -> None:
    several = draw(make_run("2", {("Basic", "Split 1"): [40.0, 42.0, 44.0]}).results).axes[0]
    assert drawn_dots(several) == pytest.approx([40.0, 42.0, 44.0])
    single = draw(make_run("2", {("Basic", "Split 1"): [40.0]}, seeds=(9,)).results).axes[0]
    assert drawn_dots(single) == []


def test_lines_have_the_same_span_so_that_slopes_compare(make_run: MakeRun) -> None:
    left, right = draw(make_run("1", {("J = 50", "Split 1"): [40.0], ("J = 100", "Split 1"): [60.0]}).results).axes
    spans = [ax.get_ylim()[1] - ax.get_ylim()[0] for ax in (left, right)]
    assert spans[0] == pytest.approx(spans[1])


def test_comparable_panels_share_the_axis(make_run: MakeRun) -> None:
    values = {("J = 50", "Split 1"): [40.0]}
    left, right = draw(make_run("1", values, dataset="coco-stuff-10k", profile="paper").results).axes
    assert left.get_ylim() == right.get_ylim()


def test_nothing_run_is_said_in_the_panel(make_run: MakeRun) -> None:
    for name in ("1", "2", "3"):
        figure = draw(make_run(name, {}).results)
        assert [text.get_text() for text in figure.axes[0].texts] == ["no finished cell yet"]
        assert "Basic" not in labels(figure) or labels(figure) == ["Basic", "Self-Pair", "Cross-Pair"]


def test_a_table_of_ones_own_has_one_panel(make_run: MakeRun) -> None:
    swept = Table(
        name="own",
        title="own",
        columns=tuple(Column(label=f"J={n}", split="S4", set={"simformer.points": n}) for n in (10, 40)),
        rows=(Row(label="SimFormer", method="simformer"),),
        plot=Plot(kind="curve", x="points"),
    )
    (only,) = panels(make_run(swept, {("SimFormer", "J=10"): [30.0]}, seeds=(0,)).results)
    assert [point.x for point in only.series[0].points] == [10, 40]
    assert only.x_label == "number of points J"
    assert len(draw(make_run(swept, {}, seeds=(1,)).results).axes) == 1


def test_the_course_of_training_is_a_line_a_row_over_the_share_of_its_iterations(make_run: MakeRun) -> None:
    values = {("SimFormer", "1/6"): [30.0], ("SimFormer", "6/6"): [50.0]}
    (only,) = panels(make_run("learning-curve", values, seeds=(0,)).results)
    assert [series.label for series in only.series][:2] == ["Basic", "SimFormer"]
    assert list(only.ticks.values()) == ["1/6", "2/6", "3/6", "4/6", "5/6", "6/6"]
    assert only.x_label == "share of the iterations"


STAGES = {
    ("RIB: CAM", "Split 1"): [40.0, 42.0],
    ("RIB: confident", "Split 1"): [44.0, 44.0],
    ("RIB: pseudo labels", "Split 1"): [60.0, 62.0],
    ("RIB*: test", "Split 1"): [50.0, 52.0],
    ("RETAB: CAM", "Split 1"): [41.0, 41.0],
    ("RETAB: pseudo labels", "Split 1"): [70.0, 72.0],
    ("SimFormer*: test", "Split 2"): [55.0, 55.0],
}


def test_steps_have_a_panel_a_split_and_a_line_a_method(make_run: MakeRun) -> None:
    shown = panels(make_run("stages", STAGES, seeds=(0, 1)).results)
    assert [panel.title for panel in shown] == ["Split 1", "Split 2", "Split 3", "Split 4"]
    first = shown[0]
    assert list(first.ticks.values()) == ["CAM", "confident", "refined", "pseudo labels", "re-trained network"]
    assert [label for label, _, _ in first.groups] == ["label maps of training images", "test images"]
    *labels, network = first.ticks
    assert np.diff(labels) == pytest.approx([1, 1, 1])
    assert network - labels[-1] > 1
    assert [series.label for series in first.series] == ["RIB", "RETAB", "SimFormer"]
    assert [len(series.points) for series in first.series] == [5, 4, 2]


def test_a_line_skips_a_step_that_its_method_has_not_and_breaks_at_one_that_is_not_run(make_run: MakeRun) -> None:
    first = panels(make_run("stages", STAGES | {("RETAB: confident", "Split 1"): [20.0]}, seeds=(0, 1)).results)[0]
    rib, retab, simformer = (
        [(*[round(point.mean, 6) for point in points], dashed) for points, dashed in first.strokes(series)]
        for series in first.series
    )
    assert rib == [(61.0, 51.0, True), (41.0, 44.0, False)]  # RIB: refined is not run, and nothing joins across it
    assert retab == [(41.0, 20.0, 71.0, False)]  # RETAB refines nothing
    assert simformer == []


def test_the_plot_of_steps_is_aligned_and_says_what_is_dashed(make_run: MakeRun) -> None:
    figure: Any = draw(make_run("stages", STAGES, seeds=(0, 1)).results)
    assert len(figure.axes) == 4
    assert len({ax.get_ylim() for ax in figure.axes} | {ax.get_xlim() for ax in figure.axes}) == 2
    dashed = [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert [list(line.get_ydata()) for line in dashed] == [[61.0, 51.0]]
    assert figure.legends[0].get_title().get_text().startswith("Dashed: the next step is scored on other images")
    assert labels(figure) == ["RIB", "RETAB", "SimFormer"]
    assert figure.get_suptitle() == "this run: mini, 2 seeds"
    named = [[text.get_text() for text in ax.texts if "images" in text.get_text()] for ax in figure.axes]
    assert named == [[], [], *[["label maps of training images", "test images"]] * 2]
    assert [ax.get_ylabel() for ax in figure.axes] == ["novel-class mIoU (%)", ""] * 2


def test_nothing_written_on_a_plot_of_steps_is_cut_or_covers_anything(make_run: MakeRun) -> None:
    for splits in (1, 2, 3, 4):
        run = make_run("stages", {}, seeds=(0,))
        kept = tuple(cell for cell in run.plan.cells if cell.split in [f"S{i + 1}" for i in range(splits)])
        results = type(run)(type(run.plan)(**(vars(run.plan) | {"cells": kept})), run.table, run.store).results
        figure: Any = draw(results)
        figure.canvas.draw()
        lowest = min(text.get_window_extent().y0 for ax in figure.axes for text in ax.texts)
        for ax in figure.axes[-2:]:
            names = [text.get_window_extent().y1 for text in ax.texts if "images" in text.get_text()]
            assert max(names) <= min(label.get_window_extent().y0 for label in ax.get_xticklabels())
        legend = figure.legends[0].get_window_extent()
        assert legend.y1 <= lowest
        boxes = [ax.get_tightbbox() for ax in figure.axes]
        assert min(box.x0 for box in boxes) >= 0
        assert max(box.x1 for box in boxes) <= figure.bbox.width
        assert len(figure.axes) == splits


def test_a_method_without_any_number_is_noted_in_the_legend_of_steps(make_run: MakeRun) -> None:
    values = {place: value for place, value in STAGES.items() if place[0].startswith("RIB")}
    figure = draw(make_run("stages", values, seeds=(0, 1)).results)
    assert labels(figure) == ["RIB", "RETAB (not run here)", "SimFormer (not run here)"]


def test_printed_values_of_steps_have_panels_of_their_own(make_run: MakeRun) -> None:
    rows = tuple(Row(label=step, method="simformer", curve="Own", step=step) for step in ("a", "b"))
    table = Table(
        name="own",
        title="own",
        dataset="coco-stuff-10k",
        columns=(Column(label="Split 1", split="S1"),),
        rows=rows,
        paper={"a": (30.0,), "b": (31.0,)},
        plot=Plot(kind="steps", scored={"maps": ("a", "b")}),
    )
    ours, paper = panels(make_run(table, {("a", "Split 1"): [50.0]}, seeds=(0,)).results)
    assert (ours.title, paper.title) == ("Split 1, this run: mini, 1 seed", "Split 1, paper: COCO-Stuff-10K")
    assert [point.mean for point in paper.series[0].points] == [30.0, 31.0]
    assert not [points for points, dashed in paper.strokes(paper.series[0]) if dashed]


def test_columns_without_a_split_have_no_place_on_the_ratio_axis(make_run: MakeRun) -> None:
    run = make_run("3", {}, unavailable=("RETAB*", "SimFormer", "SimFormer*", "FullyOracle"))
    plan = type(run.plan)(**(vars(run.plan) | {"splits": {}}))
    results = type(run)(plan, run.table, run.store).results
    ours, paper = panels(results)
    assert not ours.ticks
    assert len(paper.ticks) == 6
    assert len(draw(results).axes) == 2


def test_files_are_whole_and_repeat(make_run: MakeRun, tmp_path: Path) -> None:
    results = make_run("2", {("Basic", "Split 1"): [40.0, 42.0, 44.0]}).results
    first, second = plot(results, tmp_path / "a"), plot(results, tmp_path / "b")
    assert [path.name for path in first] == ["a.png", "a.pdf"]
    assert first[0].read_bytes().startswith(b"\x89PNG")
    assert first[1].read_bytes().startswith(b"%PDF")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_colours_differ_in_lightness_or_hue() -> None:
    assert len(set(theme.COLOURS)) == len(theme.COLOURS) == len(theme.MARKERS)
    assert theme.colour(len(theme.COLOURS)) == theme.colour(0)
