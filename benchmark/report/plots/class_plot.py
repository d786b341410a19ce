"""The IoU of every class as a page of dots: a line a class, a mark a row of the table, novel classes first."""

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.report.plots import theme
from benchmark.report.plots.class_layout import PAD, ClassLayout, Line, Look, entry, layout_of
from benchmark.report.plots.palette import BASE, NOVEL
from benchmark.report.scores.classes import ClassPage, ClassRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

DPI = 200
SPREAD = 0.7  # of the height of a line, from the marks of the first row to those of the last
WEIGHTS = {"mean": "bold", "class": "normal"}
COLOURS = {"novel": NOVEL, "base": BASE}  # as in maps of base and novel


def plot_classes(page: ClassPage, stem: Path) -> list[Path]:
    """Write ``<stem>.png`` and ``<stem>.pdf`` and return their paths; the same page gives the same bytes."""
    with theme.drawing():
        return theme.save(draw_classes(page), stem, DPI)


def draw_classes(page: ClassPage) -> "Figure":
    """Return the figure: an axes a column, the title above them, below them the legend and what has to be known."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    layout = layout_of(page)
    figure = Figure(figsize=(layout.look.width, layout.height))
    FigureCanvasAgg(figure)
    for i, column in enumerate(layout.columns):
        ax = figure.add_axes(layout.box(i))
        _dress(ax, page, layout)
        _write(ax, column, layout)
        for place, row in enumerate(page.rows):
            _mark(ax, column, row, place, SPREAD * (place - (len(page.rows) - 1) / 2) / len(page.rows), layout.look)
    left, text = PAD / layout.look.width, layout.look.text
    figure.text(left, 1 - PAD / layout.height, "\n".join(layout.title), va="top", fontsize=1.1 * text)
    figure.text(left, PAD / layout.height, "\n".join(layout.said), va="bottom", fontsize=0.9 * text, color=theme.QUIET)
    figure.legend(
        handles=_entries(page),
        loc="lower left",
        bbox_to_anchor=(left, layout.legend / layout.height),
        ncols=layout.across,
        fontsize=text,
        borderaxespad=0,
        borderpad=0,
        handlelength=1,
    )
    return figure


def _entries(page: ClassPage) -> "list[Line2D]":
    """Return what the legend shows: each row with its means."""
    from matplotlib.lines import Line2D

    return [Line2D([], [], linestyle="none", label=entry(page, row), **_look(i)) for i, row in enumerate(page.rows)]


def _look(index: int) -> dict[str, Any]:
    """Return what tells the marks of a row from those of the others; where colours run out, marks are hollow."""
    colour = theme.colour(index)
    hollow = {"markerfacecolor": "white"} if index >= len(theme.COLOURS) else {}
    return {"color": colour, "marker": theme.marker(index), **hollow}


def _dress(ax: "Axes", page: ClassPage, layout: ClassLayout) -> None:
    """Set the axis, which is that of all columns."""
    top = max(float(np.nanmax(row.values)) for row in page.finished)
    size = 0.9 * layout.look.text
    ax.set_xlim(0, min(100.0, 10 * math.ceil((top + 2) / 10)))
    ax.set_ylim(layout.lines - 0.5, -0.5)
    ax.set_yticks([])
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.grid(visible=True, axis="x", linewidth=0.6)
    ax.tick_params(axis="x", length=0, labelsize=size, pad=2, labeltop=True)
    ax.set_xlabel("IoU (%)", fontsize=size, labelpad=2)


def _write(ax: "Axes", column: Sequence[Line], layout: ClassLayout) -> None:
    """Write what stands left of the axes, and shade every second line."""
    text, names = layout.look.text, layout.names * 72
    for y, line in enumerate(column):
        if line.kind == "heading":
            _label(ax, "■", y, -names, color=tuple(np.divide(COLOURS[line.group], 255)), fontsize=text)
            _label(ax, line.text, y, 1.2 * text - names, fontsize=text, fontweight="bold")
        elif line.kind != "gap":
            _label(ax, line.text, y, -0.5 * text, ha="right", fontsize=text, weight=WEIGHTS[line.kind])
            if y % 2:
                share = layout.names / (layout.wide - layout.names)
                ax.axhspan(y - 0.5, y + 0.5, -share, 1, color=theme.SHADE, linewidth=0, zorder=0, clip_on=False)


def _label(ax: "Axes", text: str, y: float, right: float, **look: Any) -> None:
    """Write on a line, so many points right of where the axes begins."""
    place = ax.get_yaxis_transform()
    ax.annotate(text, (0, y), (right, 0), xycoords=place, textcoords="offset points", va="center_baseline", **look)


def _mark(ax: "Axes", column: Sequence[Line], row: ClassRow, index: int, shift: float, look: Look) -> None:
    """Draw what a row has on the lines of a column: the mean over its seeds, and how far they reach."""
    for kind, size in (("class", look.mark), ("mean", 1.35 * look.mark)):
        seeds = {y + shift: _of(row, line) for y, line in enumerate(column) if line.kind == kind}
        known = {y: values for y, values in seeds.items() if values}
        if not known:
            continue
        low, high, mean = ([pick(values) for values in known.values()] for pick in (min, max, fmean))
        ax.hlines(list(known), low, high, color=theme.colour(index), linewidth=0.2 * size, zorder=3, clip_on=False)
        edge = 0.2 * size * (index >= len(theme.COLOURS))
        place: dict[str, Any] = {"linestyle": "none", "zorder": 4, "clip_on": False}
        ax.plot(mean, list(known), markersize=size - edge, markeredgewidth=edge, **place, **_look(index))


def _of(row: ClassRow, line: Line) -> list[float]:
    """Return what the seeds of a row have on a line, nothing where there is nothing."""
    if line.kind == "class":
        return [float(value) for value in row.values[:, line.one] if not np.isnan(value)]
    scores = [scores.novel if line.group == "novel" else scores.base for scores in row.cell.scores.values()]
    return [value for value in scores if value is not None]
