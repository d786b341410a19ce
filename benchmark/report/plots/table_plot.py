"""A table as a figure: this run beside the paper, drawn without a display."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.report.plots import theme
from benchmark.report.plots.series import LEAP, Panel, Series, StepGroup, heading, panels
from benchmark.report.scores.estimates import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNIT = "novel-class mIoU (%)"
ACROSS = 2  # small multiples side by side
MULTIPLE = 2.5  # inches, height of a row of them
HALF = 0.5  # of the distance between two steps: how far a group reaches beyond its first and last
DROP = 32  # points from the axis down to the line over the name of a group, below labels of two lines


def plot(results: Results, stem: Path) -> list[Path]:
    """Write ``<stem>.png`` and ``<stem>.pdf`` and return their paths; the same results gives the same bytes."""
    with theme.drawing():
        return theme.save(draw(results), stem, theme.DPI)


def draw(results: Results) -> "Figure":
    """Return the figure: a panel for this run, one for the printed values, one legend for both.

    A plot of steps has a panel a column instead, two side by side.
    """
    shown = panels(results)
    plot, steps = results.table.plot, results.table.plot.kind == "steps"
    figure, axes = (_small_multiples if steps else _side_by_side)(results, shown)
    for ax, panel in zip(axes, shown, strict=True):
        (_bars if plot.bars else _lines)(ax, panel)
        _dress(ax, panel)
    if plot.kind in {"lines", "curve"} and not results.comparable:
        _equal_spans([ax for ax, panel in zip(axes, shown, strict=True) if not panel.empty])
    _legend(figure, shown[: len(results.columns) if steps else 1], bars=plot.bars)
    return figure


def _side_by_side(results: Results, shown: Sequence[Panel]) -> "tuple[Figure, list[Axes]]":
    width, height = theme.SIZE
    figure = _empty_figure(width * (len(shown) + 1) / 3, height)
    axes = list(figure.subplots(1, len(shown), squeeze=False, sharey=results.comparable and not shown[0].empty)[0])
    axes[0].set_ylabel(UNIT)
    return figure, axes


def _small_multiples(results: Results, shown: Sequence[Panel]) -> "tuple[Figure, list[Axes]]":
    """Return axes of one scale, aligned, which name their steps only where nothing stands below them."""
    width, height = theme.SIZE
    across = min(ACROSS, len(shown))
    down = -(-len(shown) // across)
    figure = _empty_figure(width * (across + 1) / (ACROSS + 1), height + MULTIPLE * (down - 1))
    axes: list[Axes] = list(figure.subplots(down, across, squeeze=False, sharey=True).flat)
    for ax in axes[len(shown) :]:
        ax.remove()
    for i, (ax, panel) in enumerate(zip(axes, shown, strict=False)):
        lowest = i + across >= len(shown)
        ax.tick_params(labelbottom=lowest)
        _groups(ax, panel.groups, named=lowest)
    for ax in axes[::across]:
        ax.set_ylabel(UNIT)
    figure.suptitle(heading(results), x=0.01, ha="left", fontsize=theme.RC["axes.titlesize"])
    return figure, axes[: len(shown)]


def _empty_figure(width: float, height: float) -> "Figure":
    """Return a figure without a display; lengths are inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _groups(ax: "Axes", groups: Sequence[StepGroup], *, named: bool) -> None:
    """Set every second group apart by a shade, and write under each what it is."""
    for i, (label, first, last) in enumerate(groups):
        left, right = first - HALF, last + HALF
        if i % 2:
            ax.axvspan(left, right, color=theme.SHADE, linewidth=0, zorder=0)
        if named:
            _under(ax, label, left, right)


def _under(ax: "Axes", text: str, left: float, right: float) -> None:
    """Write a text below the labels of a part of the x axis, under a line as long as that part."""
    from matplotlib.transforms import ScaledTranslation

    figure: Any = ax.get_figure(root=True)
    place: Any = ax.get_xaxis_transform() + ScaledTranslation(0, -DROP / 72, figure.dpi_scale_trans)
    ax.plot([left + 0.1, right - 0.1], [0, 0], color=theme.QUIET, linewidth=0.8, clip_on=False, transform=place)
    size = theme.RC["xtick.labelsize"]
    middle = (left + right) / 2
    ax.text(middle, -0.02, text, ha="center", va="top", fontsize=size, color=theme.QUIET, transform=place)


def _lines(ax: "Axes", panel: Panel) -> None:
    """Draw one line a series; a missing cell leaves a gap."""
    places = list(panel.ticks) or [0.0]
    span = max(places) - min(places)
    dodge = (theme.STEP_DODGE if panel.groups else span * theme.DODGE) if panel.has_spread else 0.0
    for i, one in enumerate(panel.series):
        colour, shift = theme.colour(i), dodge * (i - (len(panel.series) - 1) / 2)
        x, mean, sd = ([point.x + shift for point in one.points], *_columns(one))
        ax.errorbar(x, mean, yerr=sd, fmt=theme.marker(i), color=colour, elinewidth=theme.THIN)
        for points, dashed in panel.strokes(one):
            through = [point.x + shift for point in points], [point.mean for point in points]
            ax.plot(*through, color=colour, linestyle="--" if dashed else "-")
        _dots(ax, one, shift, facecolor=colour, linewidths=0, alpha=0.4)
    margin = HALF if panel.groups else theme.MARGIN * (span or 1.0)
    ax.set_xlim(min(places) - margin, max(places) + margin)


def _bars(ax: "Axes", panel: Panel) -> None:
    """Draw groups of bars from 0 on; a missing cell leaves a gap."""
    places = list(panel.ticks) or [0.0]
    gap = min((b - a for a, b in pairwise(sorted(places))), default=1.0)
    width = theme.BAR_SHARE * gap / max(1, len(panel.series))
    for i, one in enumerate(panel.series):
        shift = width * (i - (len(panel.series) - 1) / 2)
        x, mean, sd = ([point.x + shift for point in one.points], *_columns(one))
        ax.bar(x, mean, 0.92 * width, color=theme.colour(i))
        ax.errorbar(x, mean, yerr=sd, fmt="none", ecolor="black", elinewidth=theme.THIN)
        _dots(ax, one, shift + 0.25 * width, facecolor="white", edgecolor="black", linewidths=0.6, alpha=0.6)
    ax.set_xlim(min(places) - 0.6 * gap, max(places) + 0.6 * gap)
    ax.set_ylim(bottom=0)


def _columns(series: Series) -> tuple[list[float], list[float]]:
    """Return means and spreads."""
    return [point.mean for point in series.points], [point.sd for point in series.points]


def _dots(ax: "Axes", series: Series, shift: float, **look: Any) -> None:
    """Draw the single seeds faintly, where there are several."""
    dots = [(point.x + shift, value) for point in series.points if len(point.seeds) > 1 for value in point.seeds]
    if dots:
        x, y = zip(*dots, strict=True)
        ax.scatter(x, y, s=theme.DOT, zorder=4, **look)


def _dress(ax: "Axes", panel: Panel) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.set_title(panel.title, loc="left")
    ax.set_xlabel(panel.x_label)
    labels = [label.replace(" ", "\n") if panel.groups else label for label in panel.ticks.values()]
    crowded = sum(map(len, labels)) > theme.CHARACTERS
    slant: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
    ax.set_xticks(list(panel.ticks), labels, **slant)
    ax.yaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    ax.tick_params(length=0)
    if panel.empty:
        ax.tick_params(labelleft=False)
        ax.grid(visible=False)
        ax.text(0.5, 0.5, "no finished cell yet", transform=ax.transAxes, ha="center", color=theme.QUIET)


def _equal_spans(axes: "Sequence[Axes]") -> None:
    """Give all panels the same number of points from bottom to top, so that slopes and spreads can be compared."""
    limits = [ax.get_ylim() for ax in axes]
    half = max((high - low for low, high in limits), default=0.0) / 2
    for ax, (low, high) in zip(axes, limits, strict=True):
        ax.set_ylim((low + high) / 2 - half, (low + high) / 2 + half)


def _legend(figure: "Figure", ours: Sequence[Panel], *, bars: bool) -> None:
    """Draw one legend under all panels; it says which series this run has no number for."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    empty = all(panel.empty for panel in ours)
    for i, series in enumerate(ours[0].series):
        nowhere = not empty and all(panel.series[i].note for panel in ours)
        label = f"{series.label} ({series.note} here)" if nowhere else series.label
        label = f" {label}" if label.startswith("_") else label  # which a legend would leave out
        handles.append(
            Patch(color=theme.colour(i), label=label)
            if bars
            else Line2D([], [], color=theme.colour(i), marker=theme.marker(i), label=label)
        )
    legend = figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)))
    if any(dashed for panel in ours for series in panel.series for _, dashed in panel.strokes(series)):
        legend.set_title(LEAP)
        legend.get_title().set_color(theme.QUIET)
