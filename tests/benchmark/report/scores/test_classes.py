"""The IoU of every class: what is read from the counts, what is drawn, and the command."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from benchmark.commands.plot import command
from benchmark.errors import Exit
from benchmark.metrics import Counts
from benchmark.plan import PlannedCell
from benchmark.report.plots.class_layout import LOOKS, Group, Line, flow, short
from benchmark.report.plots.class_plot import draw_classes
from benchmark.report.plots.theme import COLOURS
from benchmark.report.publication import publish_classes
from benchmark.report.scores.classes import ClassPage, class_pages
from benchmark.splits import class_names, splits
from benchmark.tables import Column, Row, Table, load_table
from tests.benchmark.report.conftest import PIXELS, counts_with

MakeRun = Callable[..., Any]
NAMES = class_names("mini")
S4 = splits("mini")["S4"]


def counts_of(values: Mapping[int, float], classes: int = 20) -> Counts:
    """Return counts of one image with the IoU in percent of each class; those not named do not occur."""
    truth, hits = (np.zeros((1, classes), dtype=np.int32) for _ in range(2))
    for one, value in values.items():
        truth[0, one], hits[0, one] = PIXELS, round(value / 100 * PIXELS)
    return Counts(("image",), hits, hits, truth, np.zeros_like(truth))


def ramp(cell: PlannedCell) -> Counts:
    """Class i has 2 i + 1 points, and as many more as the seed says; FullyOracle has 10 more."""
    more = cell.seed + 10.0 * (cell.row == "FullyOracle")
    return counts_of({one: 2 * one + 1 + more for one in range(20)})


@pytest.fixture
def page(make_run: MakeRun) -> ClassPage:
    return pages_of(make_run("3", counts=ramp, seeds=(0, 1, 2)))[0]


def pages_of(run: Any) -> tuple[ClassPage, ...]:
    return class_pages(run.plan, run.table, run.store)[1]


def texts(figure: Any) -> list[str]:
    return [text.get_text() for text in [*figure.texts, *figure.axes[0].texts]]


def test_values_are_those_of_every_seed_and_means_those_of_the_table(page: ClassPage) -> None:
    simformer, oracle = page.finished[0], page.finished[-1]
    assert [row.label for row in page.rows] == ["RETAB*", "SimFormer", "SimFormer*", "FullyOracle"]
    assert simformer.values[:, 3] == pytest.approx([7, 8, 9])
    assert oracle.mean[3] == pytest.approx(18)
    assert simformer.cell.mean == pytest.approx(np.mean([2 * one + 2 for one in S4.novel]))


def test_there_is_a_page_a_split(make_run: MakeRun) -> None:
    pages = pages_of(make_run("3", counts=ramp, seeds=(0,)))
    assert [page.split.name for page in pages] == ["S4", "S5", "S6", "S7", "S8", "S9"]
    assert all(page.alone for page in pages)


def test_classes_stand_by_their_mean_over_the_rows(page: ClassPage) -> None:
    assert page.ordered(S4.novel) == sorted(S4.novel, reverse=True)


def test_absent_classes_are_named_and_not_drawn_as_zero(make_run: MakeRun) -> None:
    first, novel = 0, S4.novel[0]
    present = {one: 50.0 for one in range(20) if one not in {first, novel}}
    (page, *_) = pages_of(make_run("3", counts=lambda _: counts_of(present), seeds=(0,)))
    assert page.absent() == {("SimFormer", "SimFormer*", "FullyOracle"): sorted([first, novel])}
    figure = draw_classes(page)
    written = " ".join(texts(figure)).replace("\n", " ")
    assert (
        f"Absent from the ground truth of the images scored: {NAMES[novel]} (novel); {NAMES[first]} (base)." in written
    )
    assert "4 of 5 novel classes" in written
    assert NAMES[first] not in [text.get_text() for text in figure.axes[0].texts]
    assert all(x == pytest.approx(50) for x in marks(figure)[0])


def test_a_class_absent_for_some_rows_is_said_of_them(make_run: MakeRun) -> None:
    def counts(cell: PlannedCell) -> Counts:
        return counts_of({one: 50.0 for one in range(20) if one or cell.row != "FullyOracle"})

    (page, *_) = pages_of(make_run("3", counts=counts, seeds=(0,)))
    written = " ".join(texts(draw_classes(page))).replace("\n", " ")
    assert f"of the images scored by FullyOracle: {NAMES[0]} (" in written


def marks(figure: Any) -> list[list[float]]:
    """Return the places of the marks of classes, a list a row that has any."""
    smallest = min(line.get_markersize() for line in figure.axes[0].lines)
    return [list(line.get_xdata()) for line in figure.axes[0].lines if line.get_markersize() == smallest]


def test_a_row_has_a_mark_a_class_and_a_bar_over_its_seeds(page: ClassPage) -> None:
    figure = draw_classes(page)
    ax: Any = figure.axes[0]
    drawn = marks(figure)
    assert [len(row) for row in drawn] == [20, 20, 20]
    assert drawn[0][:5] == pytest.approx([2 * one + 2 for one in sorted(S4.novel, reverse=True)])
    bars = [part for part in ax.collections if len(part.get_segments()) == 20]
    assert next(segment[:, 0].tolist() for segment in bars[0].get_segments()) == pytest.approx(
        [2 * max(S4.novel) + 1, 2 * max(S4.novel) + 3]
    )
    words = [text.get_text() for text in ax.texts]
    base = sorted(S4.base, reverse=True)
    assert words[2:8] == ["mean", *(NAMES[one] for one in sorted(S4.novel, reverse=True))]
    assert words[-len(base) :] == [NAMES[one] for one in base]
    assert (words[1], words[9]) == ("5 novel classes", "15 base classes")


def test_title_and_legend_say_which_run_it_is_and_the_means(page: ClassPage) -> None:
    figure = draw_classes(page)
    assert texts(figure)[0] == "IoU of every class, table 3, Split 4; this run: mini, 3 seeds"
    entries = [text.get_text() for text in figure.legends[0].get_texts()]
    novel, base = (np.mean([2 * one + 2 for one in ids]) for ids in (S4.novel, S4.base))
    assert entries[0] == "RETAB* (not available yet here)"
    assert entries[1] == f"SimFormer: novel {novel:.1f}, base {base:.1f}"
    assert entries[3] == f"FullyOracle: novel {novel + 10:.1f}, base {base + 10:.1f}"


@pytest.mark.parametrize(("dataset", "columns"), [("mini", 1), ("ade20k", 3), ("coco-stuff-10k", 3)])
def test_pages_of_every_size_cut_nothing(make_run: MakeRun, dataset: str, columns: int) -> None:
    names = class_names(dataset)
    everything = counts_with(len(names), (), 0.0, 97.0)
    table = load_table("3").model_copy(update={"name": "of a name as long as nobody would think of"})
    table = table.model_copy(update={"columns": table.columns[:1], "paper": {}})
    (page,) = pages_of(make_run(table, counts=lambda _: everything, seeds=(0,), dataset=dataset))
    figure: Any = draw_classes(page)
    assert len(figure.axes) == columns
    figure.canvas.draw()
    boxes = [text.get_window_extent() for ax in figure.axes for text in [*ax.texts, *ax.get_xticklabels()]]
    boxes += [text.get_window_extent() for text in figure.texts] + [figure.legends[0].get_window_extent()]
    assert min(box.x0 for box in boxes) >= 0
    assert min(box.y0 for box in boxes) >= 0
    assert max(box.x1 for box in boxes) <= figure.bbox.width
    assert max(box.y1 for box in boxes) <= figure.bbox.height
    remarks, legend = figure.texts[1].get_window_extent(), figure.legends[0].get_window_extent()
    axis = min(ax.get_tightbbox().y0 for ax in figure.axes)
    assert remarks.y1 <= legend.y0 <= legend.y1 <= axis
    written = {text.get_text() for ax in figure.axes for text in ax.texts}
    assert {short(name) for name in names} <= written


def test_many_rows_are_told_apart(make_run: MakeRun) -> None:
    rows = tuple(Row(label=f"row {i}", method="simformer") for i in range(len(COLOURS) + 2))
    table = Table(name="own", title="own", columns=(Column(label="Split 4", split="S4"),), rows=rows)
    (page,) = pages_of(make_run(table, counts=ramp, seeds=(0,)))
    figure = draw_classes(page)
    looks = [
        (line.get_color(), line.get_marker(), line.get_markerfacecolor())
        for line in figure.axes[0].lines
        if line.get_linestyle() == "None"
    ]
    assert len(set(looks)) == len(rows)


def test_of_a_course_the_reported_column_is_shown(make_run: MakeRun) -> None:
    (page,) = pages_of(make_run("learning-curve", counts=ramp, seeds=(0,)))
    assert (page.column, page.split.name, page.alone) == ("6/6", "S4", True)


def test_of_a_sweep_every_column_has_a_page(make_run: MakeRun, tmp_path: Path) -> None:
    columns = tuple(Column(label=f"J = {n}", split="S4", set={"simformer.points": n}) for n in (10, 40))
    table = Table(name="own", title="own", columns=columns, rows=(Row(label="SimFormer", method="simformer"),))
    pages = pages_of(make_run(table, counts=ramp, seeds=(0,)))
    names = [path.name for page in pages for path in publish_classes(page, tmp_path / "out")]
    assert [re.sub("-[0-9a-f]{6}", "", name) for name in names] == [
        f"own-classes-S4-J-{n}.{suffix}" for n in (10, 40) for suffix in ("pdf", "png")
    ]
    assert len(set(names)) == 4


def test_a_column_without_a_finished_seed_has_no_page(make_run: MakeRun) -> None:
    run = make_run("3", {("SimFormer", "Split 5"): [40.0]}, seeds=(0,))
    assert [page.split.name for page in pages_of(run)] == ["S5"]


def test_files_are_whole_and_repeat(page: ClassPage, tmp_path: Path) -> None:
    first, second = (publish_classes(page, tmp_path / name) for name in ("a", "b"))
    assert [path.name for path in first] == ["table3-classes-S4.pdf", "table3-classes-S4.png"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_columns_are_about_equal_and_name_a_group_that_goes_on() -> None:
    groups: tuple[Group, ...] = ("novel", "base")
    lines = [
        line
        for group in groups
        for line in (Line(group, "", "heading"), Line(group, "", "mean"), *[Line(group, "", "class")] * 40)
    ]
    columns = flow(lines, 3)
    assert len(columns) == 3
    assert max(map(len, columns)) - min(map(len, columns)) <= 4
    assert [column[0].kind for column in columns] == ["heading"] * 3
    assert [column[0].text for column in columns[1:]] == ["novel classes, continued", "base classes, continued"]
    assert all(column[-1].kind == "class" for column in columns)
    assert sum(line.kind == "class" for column in columns for line in column) == 80


def test_long_names_are_cut_between_synonyms() -> None:
    assert short("wall") == "wall"
    assert short("washer, automatic washer, washing machine") == "washer, automatic washer"
    assert short("a" * 40) == "a" * 23 + "…"


def test_looks_are_for_more_and_more_lines() -> None:
    assert [look.most for look in LOOKS] == sorted(look.most for look in LOOKS)
    assert LOOKS[-1].most == float("inf")


def test_command_writes_a_page_a_split(store: Path) -> None:
    where = ["2", "--classes", "--splits", "S1,S3", "--profile", "smoke", "--store", str(store)]
    done = CliRunner().invoke(command, where, catch_exceptions=False)
    assert done.exit_code == Exit.OK
    paths = [Path(line) for line in done.stdout.splitlines()]
    assert [path.name for path in paths] == [
        f"table2-classes-{split}.{suffix}" for split in ("S1", "S3") for suffix in ("pdf", "png")
    ]
    assert all(path.is_file() for path in paths)
    assert not list(paths[0].parent.glob("table2.*"))
    holes = CliRunner().invoke(command, [*where, "--seeds", "0,1"], catch_exceptions=False)
    assert holes.exit_code == Exit.INCOMPLETE
    assert "6 of 6 cells lack seeds" in holes.stderr
