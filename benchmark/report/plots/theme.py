"""How every plot looks: sizes, colours that colour-blind readers can tell apart, markers."""

from typing import Any

# Okabe and Ito's palette without yellow and black, and two more; markers differ too, so that grey print stays readable.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#882255", "#999999")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")
QUIET = "#6E6E6E"  # axes, ticks, notes
GRID = "#E4E4E4"
SHADE = "#F3F3F3"  # behind what is set apart

SIZE = (9.0, 3.8)  # inches, two panels and a legend; text of 10 points stays readable 800 pixels wide
DPI = 160
BAR_SHARE = 0.8  # of the distance between two groups
DODGE = 0.012  # of the axis, between lines whose error bars would cover each other
STEP_DODGE = 0.1  # of the distance between two steps, likewise
MARGIN = 0.06  # of the axis, left and right of lines
DOT = 13  # area of the dot of a single seed, in square points
CHARACTERS = 90  # of tick labels that fit side by side
THIN = 1.1  # width of error bars, in points

RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.labelsize": 10,
    "axes.edgecolor": QUIET,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": "black",
    "ytick.labelcolor": "black",
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "legend.title_fontsize": 9,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.5,
    "pdf.fonttype": 42,  # text stays text
}


def text_width(text: str, size: float) -> float:
    """Return how many inches wide a text of so many points is drawn."""
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text, size=size).get_extents().width) / 72


def colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def marker(index: int) -> str:
    return MARKERS[index % len(MARKERS)]
