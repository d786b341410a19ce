"""What a plot shows, before anything is drawn: panels of series, this run's and the paper's."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmark.datasets.base import Split
from benchmark.report.scores.estimates import CellEstimate, Results
from benchmark.report.wording import paper_title, run_words, seeds_words
from benchmark.split_files import datasets
from benchmark.splits import splits
from benchmark.tables import Column, Plot, Row, swept

APART = 0.6  # of the distance between two steps, added where other images are scored
LEAP = "Dashed: the next step is scored on other images, so that its height does not compare."


class Point(NamedTuple):
    """One cell: position, mean, spread and the single seeds; NaN where there is no number."""

    x: float
    mean: float
    sd: float
    seeds: tuple[float, ...] = ()


@dataclass(frozen=True)
class Series:
    """One line, or the bars of one colour. ``note`` says why this run has no number at all for it."""

    label: str
    points: tuple[Point, ...]
    note: str = ""


Stroke = tuple[tuple[Point, ...], bool]  # a line through points, and whether it is dashed
StepGroup = tuple[str, float, float]  # neighbouring positions whose values compare: their name, the first and the last


@dataclass(frozen=True)
class Panel:
    """One pair of axes. ``ticks`` maps positions to labels; ``groups`` are those of its positions, if it has any."""

    title: str
    x_label: str
    ticks: Mapping[float, str]
    series: tuple[Series, ...]
    groups: tuple[StepGroup, ...] = ()

    @property
    def empty(self) -> bool:
        return all(math.isnan(point.mean) for series in self.series for point in series.points)

    @property
    def has_spread(self) -> bool:
        return any(not math.isnan(point.sd) for series in self.series for point in series.points)

    def strokes(self, series: Series) -> Iterator[Stroke]:
        """Yield the lines that join the points of a series: missing ones leave gaps, other groups are dashed to."""
        runs: list[list[Point]] = [[]]
        for point in series.points:
            if math.isnan(point.mean):
                runs.append([])
                continue
            if runs[-1] and self._leaps(runs[-1][-1], point):
                yield (runs[-1][-1], point), True
                runs.append([])
            runs[-1].append(point)
        yield from ((tuple(run), False) for run in runs if len(run) > 1)

    def _leaps(self, a: Point, b: Point) -> bool:
        """Whether one point and a later one stand in different groups."""
        return any(a.x <= last < b.x for _, _, last in self.groups)


def panels(results: Results) -> tuple[Panel, ...]:
    """Return the panel of this run and, where the table has printed values, the paper's beside it.

    A plot of steps has a panel a column instead, and after them those of the paper.
    """
    panels_of = _step_panels if results.table.plot.kind == "steps" else _panel
    ours = panels_of(results, heading(results), printed=False)
    return (*ours, *panels_of(results, f"paper: {paper_title(results)}", printed=True)) if results.printed else ours


def heading(results: Results) -> str:
    """Return which run it is that a plot shows."""
    return f"this run: {run_words(results)}, {seeds_words(results)}"


def _step_panels(results: Results, title: str, *, printed: bool) -> tuple[Panel, ...]:
    """Return a panel a column; a curve has no point at a step that it does not have, and joins those around it."""
    plot = results.table.plot
    places = _step_places(plot)
    groups = tuple((name, places[steps[0]], places[steps[-1]]) for name, steps in plot.scored.items())
    ticks = {place: step for step, place in places.items()}
    return tuple(
        Panel(
            title=f"{column}, {title}" if results.printed else column,
            x_label="",
            ticks=ticks,
            series=tuple(_curves(results, column, places, printed=printed)),
            groups=groups,
        )
        for column in results.columns
    )


def _step_places(plot: Plot) -> dict[str, float]:
    """Return step -> place on the x axis."""
    order = [(step, group) for group, steps in enumerate(plot.scored.values()) for step in steps]
    return {step: i + APART * group for i, (step, group) in enumerate(order)}


def _curves(results: Results, column: str, places: Mapping[str, float], *, printed: bool) -> Iterator[Series]:
    rows = sorted((row for row in results.table.rows if row.label in results.rows), key=lambda row: places[row.step])
    for curve in dict.fromkeys(row.curve for row in results.table.rows if row.label in results.rows):
        cells = [(places[row.step], results[row.label, column]) for row in rows if row.curve == curve]
        points = tuple(_point(x, cell, printed=printed) for x, cell in cells)
        yield Series(curve, points, "" if printed else _note([cell for _, cell in cells]))


def _panel(results: Results, title: str, *, printed: bool) -> tuple[Panel]:
    by_column = results.table.plot.along_rows
    rows = [row for row in results.table.rows if row.label in results.rows]
    columns = [column for column in results.table.columns if column.label in results.columns]
    along: Sequence[Row | Column] = rows if by_column else columns
    places = _places(results, along, printed=printed)
    series: list[Series] = []
    for one in columns if by_column else rows:
        cells = [results[label, one.label] if by_column else results[one.label, label] for label in places]
        points = tuple(_point(x, cell, printed=printed) for x, cell in zip(places.values(), cells, strict=True))
        series.append(Series(one.label, points, "" if printed else _note(cells)))
    words = results.table.plot.x == "column"
    ticks = {place: label if words else f"{place:.3g}" for label, place in places.items()}
    return (Panel(title, _x_label(results), ticks, tuple(series)),)


def _point(x: float, cell: CellEstimate, *, printed: bool) -> Point:
    mean, sd = (cell.paper, None) if printed else (cell.mean, cell.sd)
    seeds = () if printed else tuple(scores.novel for scores in cell.scores.values())
    return Point(x, math.nan if mean is None else mean, math.nan if sd is None else sd, seeds)


def _note(cells: Sequence[CellEstimate]) -> str:
    """Return the status in words where no cell of a series has a number."""
    if any(cell.mean is not None for cell in cells):
        return ""
    return ", ".join(dict.fromkeys(cell.status for cell in cells))


def _places(results: Results, along: Sequence[Row | Column], *, printed: bool) -> dict[str, float]:
    """Return label -> place on the x axis; a split that the dataset does not have has none."""
    if results.table.plot.x == "column":
        return {one.label: float(i) for i, one in enumerate(along)}
    places = {one.label: _place(results, one, printed=printed) for one in along}
    return {label: place for label, place in places.items() if place is not None}


def _place(results: Results, one: Row | Column, *, printed: bool) -> float | None:
    if results.table.plot.x != "novel_ratio" or isinstance(one, Row):
        return swept(one, results.table.plot.x)
    if printed and results.table.plot.nominal:
        return results.table.plot.nominal[results.table.columns.index(one)]
    split = _printed_split(results, one) if printed else results.splits.get(one.label)
    return None if split is None else 100 * split.novel_ratio


def _printed_split(results: Results, column: Column) -> Split | None:
    name = results.table.dataset
    return splits(name).get(column.split) if name in datasets() else None


def _x_label(results: Results) -> str:
    x, label = results.table.plot.x, results.table.plot.label
    return label or {"column": "", "novel_ratio": "novel classes (% of all)", "points": "number of points J"}.get(x, x)
