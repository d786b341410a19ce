"""A table as a figure: this run beside the paper, drawn without a display."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.report import theme
from benchmark.report.estimates import Sheet
from benchmark.report.series import Panel, Series, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = ("png", "pdf")


def plot(sheet: Sheet, stem: Path) -> list[Path]:
    """Write ``<stem>.png`` and ``<stem>.pdf`` and return their paths; the same sheet gives the same bytes."""
    import matplotlib as mpl

    with mpl.rc_context(theme.RC):
        return save(draw(sheet), stem, theme.DPI)


def save(figure: "Figure", stem: Path, dpi: int) -> list[Path]:
    """Write a figure in both formats, without a date or a version in it, and return the paths."""
    paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in SUFFIXES]
    for path, silent in zip(paths, ({"Software": None}, {"CreationDate": None}), strict=True):
        figure.savefig(path, dpi=dpi, metadata=silent)
    return paths


def draw(sheet: Sheet) -> "Figure":
    """Return the figure: one panel for this run, one for the printed values, one legend for both."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = panels(sheet)
    bars = sheet.table.plot.bars
    width, height = theme.SIZE
    figure = Figure(figsize=(width * (len(shown) + 1) / 3, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(1, len(shown), squeeze=False, sharey=sheet.comparable and not shown[0].empty)[0])
    for ax, panel in zip(axes, shown, strict=True):
        (_bars if bars else _lines)(ax, panel)
        _dress(ax, panel)
    if not bars and not sheet.comparable:
        _equal_spans([ax for ax, panel in zip(axes, shown, strict=True) if not panel.empty])
    axes[0].set_ylabel("novel-class mIoU (%)")
    _legend(figure, shown[0], bars=bars)
    return figure


def _lines(ax: "Axes", panel: Panel) -> None:
    """Draw one line a series; a missing cell leaves a gap."""
    places = list(panel.ticks) or [0.0]
    span = max(places) - min(places)
    dodge = span * theme.DODGE if panel.has_spread else 0.0
    for i, one in enumerate(panel.series):
        colour, shift = theme.colour(i), dodge * (i - (len(panel.series) - 1) / 2)
        x, mean, sd = ([point.x + shift for point in one.points], *_columns(one))
        ax.errorbar(x, mean, yerr=sd, color=colour, marker=theme.marker(i), elinewidth=theme.THIN)
        _dots(ax, one, shift, facecolor=colour, linewidths=0, alpha=0.4)
    margin = theme.MARGIN * (span or 1.0)
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
    labels = list(panel.ticks.values())
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


def _legend(figure: "Figure", ours: Panel, *, bars: bool) -> None:
    """Draw one legend under both panels; it says which series this run has no number for."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    for i, series in enumerate(ours.series):
        label = f"{series.label} ({series.note} here)" if series.note and not ours.empty else series.label
        handles.append(
            Patch(color=theme.colour(i), label=label)
            if bars
            else Line2D([], [], color=theme.colour(i), marker=theme.marker(i), label=label)
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)))
