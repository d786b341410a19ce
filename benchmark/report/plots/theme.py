"""How every plot looks: sizes, colours that colour-blind readers can tell apart, markers."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = ("png", "pdf")

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
    "text.parse_math": False,  # a label is drawn as it is written, dollars and all
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


# Where DejaVu lacks a character of a name; families of Linux distributions, macOS and Windows.
_MORE_FONTS = (
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Noto Sans Devanagari"),
    *("Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Thai", "Droid Sans Fallback", "IPAGothic", "NanumGothic"),
    *("Hiragino Sans", "PingFang SC", "Apple SD Gothic Neo", "Arial Unicode MS"),
    *("MS Gothic", "Microsoft YaHei", "SimHei", "Malgun Gothic"),
)


@contextmanager
def drawing(**more: Any) -> Iterator[None]:
    """Draw on matplotlib's own defaults, this theme and ``more``, whatever the environment or a user's files ask for.

    Characters that no installed font has are drawn as boxes; that is said on stderr, once a figure.
    """
    asked = os.environ.pop("MPLBACKEND", None)  # of a notebook, perhaps, where matplotlib would refuse to load
    try:
        import matplotlib as mpl
    finally:
        if asked is not None:
            os.environ["MPLBACKEND"] = asked
    with mpl.rc_context(), warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("always", message="Glyph .* missing from")
        mpl.rcdefaults()
        mpl.rcParams.update(RC | {"font.family": _fonts()} | more)
        yield
    _say_once(caught)


def _fonts() -> list[str]:
    """Return the theme's font, and of those that know more scripts the installed ones."""
    from matplotlib.font_manager import fontManager

    known = set(fontManager.get_font_names())
    return [RC["font.family"], *(name for name in _MORE_FONTS if name in known)]


def _say_once(caught: list[warnings.WarningMessage]) -> None:
    """Say in one line that characters are missing; what else was warned of is passed on."""
    glyphs = [entry for entry in caught if "missing from" in str(entry.message)]
    if glyphs:
        click.echo(
            "note: no installed font has some characters of these names, which are boxes in the figure; "
            "install one that has, as Noto Sans CJK.",
            err=True,
        )
    for entry in caught:
        if entry not in glyphs:
            warnings.warn_explicit(entry.message, entry.category, entry.filename, entry.lineno)


def save(figure: "Figure", stem: Path, dpi: int) -> list[Path]:
    """Write a figure in both formats, without a date or a version in it, and return the paths."""
    paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in SUFFIXES]
    for path, silent in zip(paths, ({"Software": None}, {"CreationDate": None}), strict=True):
        figure.savefig(path, dpi=dpi, metadata=silent)
    return paths


def text_width(text: str, size: float) -> float:
    """Return how many inches wide a text of so many points is drawn."""
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text, size=size).get_extents().width) / 72


def colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def marker(index: int) -> str:
    return MARKERS[index % len(MARKERS)]
