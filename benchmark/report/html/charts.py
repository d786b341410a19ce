"""The plots of a table as SVG: text stays text, colours follow the page, and the same table gives the same characters.

One picture a panel (``benchmark.report.plots.series``), drawn in units of a pixel at full width.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from benchmark.report.plots import theme
from benchmark.report.plots.series import LEAP, Panel, Point, Series, panels
from benchmark.report.scores.estimates import Results

WIDTH, ALONE = 420.0, 760.0  # of one of two pictures, and of a single one
LEFT, RIGHT, TOP, BOTTOM = 32.0, 8.0, 24.0, 216.0  # of the frame; ``BOTTOM`` from the top
LABELS, NAME = 26.0, 18.0  # height of the labels under the axis, unless they stand slanted, and of its name
LINE = 13.0  # from one line of a label to the next
TICKS = 6  # at most, on the y axis
CHARACTER = 6.2  # width of one on average
SLANT = 0.62  # of its length that a slanted label is high
ROOM = 1.08  # of the span of values, so that nothing touches the frame
HALF = 0.5  # of the distance between two steps: how far a group reaches beyond its first and last

# The markers of ``theme.MARKERS`` as paths around (0, 0): circle, square, triangles, diamond, plus, cross, hexagon.
MARKERS = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
    "M-3.5 -3.5h7v7h-7z",
    "M0 -4.6L4.4 3.4H-4.4z",
    "M0 -5L4.2 0L0 5L-4.2 0z",
    "M0 4.6L4.4 -3.4H-4.4z",
    "M-1.5 -4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",
    "M-4.2 -2.1L-2.1 -4.2L0 -2.1L2.1 -4.2L4.2 -2.1L2.1 0L4.2 2.1L2.1 4.2L0 2.1L-2.1 4.2L-4.2 2.1L-2.1 0z",
    "M0 -4.6L4 -2.3V2.3L0 4.6L-4 2.3V-2.3z",
)


Tick = tuple[float, tuple[str, ...]]  # a place on an axis, in pixels, and the lines of its label


class Mark(NamedTuple):
    """A dot, or the top of a bar, with its spread and seeds, in pixels; and what is said where the pointer rests."""

    x: float
    y: float
    low: float | None
    high: float | None
    seeds: tuple[float, ...]
    words: str


class Drawn(NamedTuple):
    """A series: its dots or bars, and the lines through the dots, empty for bars."""

    marks: tuple[Mark, ...]
    line: str
    dashed: str


@dataclass(frozen=True)
class PanelPicture:
    """Everything that the template ``chart.html`` needs of one panel; lengths are pixels.

    Attributes:
        title: of the panel.
        x_label: under the axis.
        width, height: of the whole.
        x, y: ticks.
        slanted: whether labels under the axis are.
        series: in the order of the legend.
        bar: width of a bar, 0 for lines.
        bands: left and right end of parts of the x axis, what each has in common, and whether a shade sets it apart.
    """

    title: str
    x_label: str
    width: float
    height: float
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]
    slanted: bool
    series: tuple[Drawn, ...]
    bar: float
    bands: tuple[tuple[float, float, str, bool], ...] = ()

    left, top, bottom = LEFT, TOP, BOTTOM

    @property
    def right(self) -> float:
        return self.width - RIGHT

    @property
    def dot(self) -> float:
        """Radius of the dot of a single seed."""
        return min(1.8, round(self.bar / 4, 2)) if self.bar else 1.8


@dataclass(frozen=True)
class Chart:
    """The pictures of a table, the labels of their series, and what has to be said of their lines."""

    pictures: tuple[PanelPicture, ...]
    legend: tuple[str, ...]
    bars: bool
    note: str = ""


def chart(results: Results) -> Chart | None:
    """Return the plot of a table; ``None`` where neither this run nor the paper has a number."""
    shown = [panel for panel in panels(results) if not panel.empty]
    if not shown:
        return None
    bars = results.table.plot.bars
    spans = _spans(shown, bars=bars, shared=results.comparable or results.table.plot.kind == "steps")
    width = ALONE if len(shown) == 1 else WIDTH
    pictures = tuple(_picture(panel, span, width, bars=bars) for panel, span in zip(shown, spans, strict=True))
    legend = tuple(one.label for one in shown[0].series)
    dashed = any(series.dashed for picture in pictures for series in picture.series)
    return Chart(pictures, legend, bars, LEAP if dashed else "")


def nice_ticks(low: float, high: float) -> tuple[float, ...]:
    """Return at most ``TICKS`` round numbers between two values."""
    span = high - low or 1.0
    power = 10.0 ** math.floor(math.log10(span / TICKS))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if span / (power * factor) <= TICKS - 1)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(i * step, 10) for i in range(first, last + 1))


def _spans(shown: Sequence[Panel], *, bars: bool, shared: bool) -> list[tuple[float, float]]:
    """Return the values at bottom and top of each panel: one scale where values compare, else as many points each."""
    ranges = [_range(panel, bars=bars) for panel in shown]
    if shared:
        return [(min(low for low, _ in ranges), max(high for _, high in ranges))] * len(ranges)
    if bars:
        return ranges
    half = max(high - low for low, high in ranges) / 2
    return [((low + high) / 2 - half, (low + high) / 2 + half) for low, high in ranges]


def _range(panel: Panel, *, bars: bool) -> tuple[float, float]:
    values = [value for series in panel.series for point in series.points for value in _values(point)]
    low, high = (0.0, max(*values, 1.0)) if bars else (min(values), max(values))
    margin = (high - low or 1.0) * (ROOM - 1)
    return (low if bars else low - margin), high + margin


def _values(point: Point) -> Iterator[float]:
    """Yield everything that is drawn of a cell."""
    if not math.isnan(point.mean):
        spread = 0.0 if math.isnan(point.sd) else point.sd
        yield from (point.mean, point.mean - spread, point.mean + spread, *point.seeds)


def _picture(panel: Panel, span: tuple[float, float], width: float, *, bars: bool) -> PanelPicture:
    labels, slanted, labels_height = _labels(panel, (width - LEFT - RIGHT) / max(1, len(panel.ticks)))
    scale = _Scale(panel, span, width, bars=bars)
    return PanelPicture(
        title=panel.title,
        x_label=panel.x_label,
        width=width,
        height=BOTTOM + labels_height + NAME * bool(panel.x_label or panel.groups),
        x=tuple((scale.x(place), lines) for place, lines in labels.items()),
        y=tuple((scale.y(value), (f"{value:g}",)) for value in nice_ticks(*span)),
        slanted=slanted,
        series=tuple(scale.drawn(i, panel, one) for i, one in enumerate(panel.series)),
        bar=scale.bar,
        bands=tuple(
            (scale.x(first - HALF), scale.x(last + HALF), label, i % 2 > 0)
            for i, (label, first, last) in enumerate(panel.groups)
        ),
    )


def _labels(panel: Panel, room: float) -> tuple[Mapping[float, tuple[str, ...]], bool, float]:
    """Return place -> lines of the labels under an axis, whether they are slanted, and the height of all, in pixels.

    They stand upright, those of steps word by word, or slanted where they are wider than ``room``.
    """
    whole: Mapping[float, tuple[str, ...]] = {place: (label,) for place, label in panel.ticks.items()}
    lines = {place: tuple(label.split()) for place, label in panel.ticks.items()} if panel.groups else whole
    if _widest(lines.values()) <= room:
        return lines, False, LABELS + LINE * (max(map(len, lines.values()), default=1) - 1)
    return whole, True, LABELS + SLANT * _widest(whole.values())


def _widest(labels: Iterable[tuple[str, ...]]) -> float:
    return CHARACTER * max((len(line) for lines in labels for line in lines), default=0)


class _Scale:
    """From values to places in a picture."""

    def __init__(self, panel: Panel, span: tuple[float, float], wide: float, *, bars: bool) -> None:
        places = sorted(panel.ticks) or [0.0]
        gap = min((b - a for a, b in pairwise(places)), default=1.0)
        width = places[-1] - places[0]
        margin = 0.55 * gap if bars else HALF if panel.groups else theme.MARGIN * (width or 1.0)
        self._first = places[0] - margin
        self._span = span
        self._unit = (wide - LEFT - RIGHT) / (width + 2 * margin)  # pixels
        self._series = len(panel.series)
        self._bars, self._places = bars, panel.ticks
        dodge = (theme.STEP_DODGE if panel.groups else theme.DODGE * width) * panel.has_spread
        self._shift = theme.BAR_SHARE * gap / max(1, self._series) if bars else dodge
        self.bar = round(0.9 * self._shift * self._unit, 2) if bars else 0.0

    def x(self, place: float) -> float:
        return round(LEFT + (place - self._first) * self._unit, 2)

    def y(self, value: float) -> float:
        low, high = self._span
        return round(BOTTOM - (value - low) / (high - low) * (BOTTOM - TOP), 2)

    def drawn(self, index: int, panel: Panel, series: Series) -> Drawn:
        shift = self._shift * (index - (self._series - 1) / 2)
        known = [(point, self.x(point.x + shift)) for point in series.points]
        marks = tuple(self._mark(series.label, point, x) for point, x in known if not math.isnan(point.mean))
        strokes = () if self._bars else tuple(panel.strokes(series))
        solid, dashed = (
            "".join(self._path(points, shift) for points, broken in strokes if broken == kind) for kind in (False, True)
        )
        return Drawn(marks, solid, dashed)

    def _mark(self, label: str, point: Point, x: float) -> Mark:
        spread = None if math.isnan(point.sd) else point.sd
        words = f"{label}, {self._places[point.x]}: {point.mean:.2f}" + ("" if spread is None else f" ± {spread:.2f}")
        low, high = (None if spread is None else self.y(point.mean + sign * spread) for sign in (-1, 1))
        seeds = tuple(self.y(value) for value in point.seeds) if len(point.seeds) > 1 else ()
        return Mark(x, self.y(point.mean), low, high, seeds, words)

    def _path(self, points: Sequence[Point], shift: float) -> str:
        """Return the path through the dots of a line."""
        return "M" + "L".join(f"{self.x(point.x + shift):g} {self.y(point.mean):g}" for point in points)
