"""A page of pictures as a figure: an image a row, beside it what each stage makes of it, and the ground truth.

Lengths are pixels of the PNG: every picture covers whole ones, so that nothing is blurred or uneven.
"""

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmark.report.pictures.pages import PicturePage, Shown
from benchmark.report.plots import theme
from benchmark.report.plots.palette import BASE, NO_LABEL, NOVEL, class_colours, painted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 200
CELL = (320, 256)  # largest width and height of a picture
GAP = 12  # between pictures
PAD = 28  # around the page
SIZE = 9.0  # of text, points
SMALLEST = 0.62  # of it, that ids may shrink to before they are broken
LINE = 34  # from one line of text to the next
CHIP = 24  # side of a square of the legend
INDENT = 250  # of the legend's entries, behind the names of their groups

FIRST, TRUTH, PARTS = "image", "ground truth", "base and novel"
Picture = NDArray[np.uint8]  # (H, W, 3)
Square = tuple[Sequence[int] | Picture, str]  # of the legend: its colour, and what it means
T = TypeVar("T")


class FigureLayout(NamedTuple):
    """Where pictures go, in pixels from the upper left corner of the page.

    Attributes:
        height: of every picture, so that rows are of one height.
        width: of a column; narrower pictures stand in its middle.
        left, top: of the first picture.
        columns, rows: how many.
        ids: size of the ids, points.
    """

    height: int
    width: int
    left: int
    top: int
    columns: int
    rows: int
    ids: float

    @property
    def right(self) -> int:
        return self.x(self.columns) - GAP

    @property
    def bottom(self) -> int:
        return self.y(self.rows) - GAP

    def x(self, column: int) -> int:
        return self.left + column * (self.width + GAP)

    def y(self, row: int) -> int:
        return self.top + row * (self.height + GAP)


def picture(page: PicturePage, stem: Path) -> list[Path]:
    """Write ``<stem>.png`` and ``<stem>.pdf`` and return their paths; the same page gives the same bytes."""
    with theme.drawing(**{"image.composite_image": False}):
        return theme.save(draw(page), stem, DPI)


def draw(page: PicturePage) -> "Figure":
    """Return the figure; its only axes covers it and counts pixels from the upper left corner."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure()
    FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.set_autoscale_on(False)
    layout = _layout(page)
    _titles(ax, page, layout)
    for row, shown in enumerate(page.shown):
        _row(ax, page, layout, row, shown)
    bottom = _legend(ax, page, layout)
    said = _wrapped(caption(page), layout.right - layout.left)
    ax.text(layout.left, bottom, said, va="top", fontsize=SIZE, color=theme.QUIET)
    width, height = layout.right + PAD, bottom + (said.count("\n") + 1) * LINE + PAD // 2
    figure.set_size_inches(width / DPI, height / DPI)
    ax.set_xlim(0, width)
    ax.set_ylim(height, 0)
    return figure


def caption(page: PicturePage) -> str:
    """Return what the page shows and, with maps, of which run."""
    preset = [] if page.preset == "paper" else [f"preset {page.preset}"]
    changed = [f"{name}={value}" for name, value in page.overrides.items()]
    run = [f"profile {page.profile}", *preset, *changed] if page.profile else []
    split = [f"split {page.split.name}"] if page.split.novel else []
    seed = [f"seed {page.seed}"] if page.profile else []
    row = [page.row] if page.row else []
    predicted = " Predictions for test images." if page.kind == "predictions" else ""
    outlined = " Outlined: novel classes in the ground truth." if page.split.novel else ""
    return f"{', '.join([page.dataset.title, *run, *split, *row, *seed])}.{predicted}{outlined}"


def outline(region: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the edges of a region (H, W) as straight lines, (N, 2, 2) of (x, y); a pixel is 1 x 1, the first at 0."""
    inside = np.pad(region, 1)
    upright = _runs((inside[1:-1, 1:] != inside[1:-1, :-1]).T)  # edge x between columns x-1 and x
    level = _runs(inside[1:, 1:-1] != inside[:-1, 1:-1])
    return np.concatenate([upright[:, [[0, 1], [0, 2]]], level[:, [[1, 0], [2, 0]]]]).astype(float)


def _runs(edges: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return (line, start, end) of every run of True along the lines of (L, n)."""
    steps = np.diff(np.pad(edges, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    starts, ends = np.argwhere(steps == 1), np.argwhere(steps == -1)
    return np.column_stack([starts, ends[:, 1]])


def _columns(page: PicturePage) -> tuple[str, ...]:
    """Return the titles of the columns."""
    return _arranged(page, FIRST, page.columns, TRUTH, PARTS)


def _arranged(page: PicturePage, first: T, maps: Sequence[T], truth: T, parts: T) -> tuple[T, ...]:
    """Return what belongs to the columns in their order; without a novel class the map of base and novel says nothing.

    Label maps come to the ground truth stage by stage; predictions stand beside it, to be compared with it.
    """
    known = (truth, parts) if page.split.novel else (truth,)
    return (first, *known, *maps) if page.kind == "predictions" else (first, *maps, *known)


def _layout(page: PicturePage) -> FigureLayout:
    """Return the largest pictures of equal height of which the widest fits into ``CELL``."""
    aspects = [shown.truth.shape[1] / shown.truth.shape[0] for shown in page.shown]
    height = min(CELL[1], int(CELL[0] / max(aspects)))
    width = max(round(height * aspect) for aspect in aspects)
    lines = max(_wrapped(title, width).count("\n") + 1 for title in _columns(page))
    ids = SIZE * min(1.0, max(SMALLEST, 0.97 * height / max(_width(shown.id) for shown in page.shown)))
    id_lines = max(_wrapped(shown.id, height, ids).count("\n") + 1 for shown in page.shown)
    return FigureLayout(
        height=height,
        width=width,
        left=PAD // 2 + id_lines * LINE + GAP // 2,
        top=PAD // 2 + lines * LINE + GAP // 2,
        columns=len(_columns(page)),
        rows=len(page.shown),
        ids=ids,
    )


def _wrapped(text: str, width: int, size: float = SIZE) -> str:
    """Return a text in lines that fit into ``width``, by the width that characters have on average."""
    if _width(text) * size / SIZE <= width:
        return text
    character = 0.56 * size / 72 * DPI
    return textwrap.fill(text, max(6, int(width / character)))


def _titles(ax: "Axes", page: PicturePage, layout: FigureLayout) -> None:
    for column, title in enumerate(_columns(page)):
        middle = layout.x(column) + layout.width / 2
        ax.text(middle, layout.top - GAP, _wrapped(title, layout.width), ha="center", va="bottom", fontsize=SIZE)


def _row(ax: "Axes", page: PicturePage, layout: FigureLayout, row: int, shown: Shown) -> None:
    y = layout.y(row)
    ax.text(
        layout.left - GAP,
        y + layout.height / 2,
        _wrapped(shown.id, layout.height, layout.ids),
        rotation=90,
        ha="right",
        va="center",
        fontsize=layout.ids,
    )
    height, width = shown.truth.shape
    drawn = round(layout.height * width / height)
    novel = outline(np.isin(shown.truth, page.split.novel)) * (drawn / width, layout.height / height)
    with_outline = _arranged(page, True, [True] * len(page.columns), True, False)
    for column, (content, outlined) in enumerate(zip(_pictures(page, shown), with_outline, strict=True)):
        left = layout.x(column) + (layout.width - drawn) // 2
        box = (left, left + drawn, y + layout.height, y)
        if content is None:
            _gap(ax, box)
            continue
        ax.imshow(
            _resized(content, drawn, layout.height, photo=column == 0), extent=box, aspect="auto", interpolation="none"
        )
        if outlined:
            _outlined(ax, novel + np.array([left, y]))


def _pictures(page: PicturePage, shown: Shown) -> tuple[Picture | None, ...]:
    """Return what stands in the columns, ``None`` for a map that was not made."""
    colours = class_colours(len(page.dataset.classes))
    maps = [None if labels is None else painted(labels, colours) for labels in shown.labels]
    truth, parts = painted(shown.truth, colours), painted(shown.truth, _part_colours(page))
    return _arranged(page, shown.image, maps, truth, parts)


def _resized(content: Picture, width: int, height: int, *, photo: bool) -> Picture:
    """Return a picture of the given size; only photographs may mix colours, and small ones keep their pixels."""
    from PIL import Image as Pillow

    smooth = photo and height < 2 * content.shape[0]
    way = Pillow.Resampling.LANCZOS if smooth else Pillow.Resampling.NEAREST
    return np.array(Pillow.fromarray(content).resize((width, height), way))


def _outlined(ax: "Axes", lines: NDArray[np.float64]) -> None:
    """Draw lines that show on light and on dark."""
    from matplotlib.collections import LineCollection

    for colour, width in (("white", 1.3), ("black", 0.6)):
        ax.add_collection(LineCollection(list(lines), colors=colour, linewidths=width, capstyle="projecting"))


def _gap(ax: "Axes", box: tuple[int, int, int, int]) -> None:
    """Draw an empty frame where a label map would be."""
    from matplotlib.patches import Rectangle

    left, right, bottom, top = box
    ax.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=theme.GRID, linewidth=0.8))
    ax.text(
        (left + right) / 2, (top + bottom) / 2, "not run", ha="center", va="center", fontsize=SIZE, color=theme.QUIET
    )


def _part_colours(page: PicturePage) -> NDArray[np.uint8]:
    """Return the colour of each class in the map of base and novel, (K, 3)."""
    novel = np.isin(np.arange(len(page.dataset.classes)), page.split.novel)
    return np.where(novel[:, None], NOVEL, BASE).astype(np.uint8)


def _legend(ax: "Axes", page: PicturePage, layout: FigureLayout) -> int:
    """Draw what the colours mean, of the classes only those that occur on the page; return where the legend ends."""
    colours, classes = class_colours(len(page.dataset.classes)), page.dataset.classes
    maps = [mask for shown in page.shown for mask in (shown.truth, *shown.labels) if mask is not None]
    seen = set(np.unique(np.concatenate([mask.ravel() for mask in maps])).tolist())

    def entries(ids: Iterable[int]) -> list[Square]:
        return [(colours[one], classes[one]) for one in ids if one in seen]

    y = layout.bottom + PAD
    nothing = (NO_LABEL, "no label, in all maps")
    with_novel = (
        ("novel classes", entries(page.split.novel)),
        ("base classes", entries(page.split.base)),
        (PARTS, [(BASE, "base"), (NOVEL, "novel"), nothing]),
    )
    for title, group in with_novel if page.split.novel else (("classes", [*entries(page.split.base), nothing]),):
        y = _group(ax, title, group, layout, y)
    return y


def _group(ax: "Axes", title: str, entries: Sequence[Square], layout: FigureLayout, y: int) -> int:
    """Draw the squares of one group in as many lines as they need, and return where the next group starts."""
    from matplotlib.patches import Rectangle

    ax.text(layout.left, y + CHIP / 2, title, va="center", fontsize=SIZE, fontweight="bold")
    indent = layout.left + INDENT
    x = indent
    for colour, name in entries:
        width = CHIP + GAP + _width(name)
        if x > indent and x + width > layout.right:
            x, y = indent, y + LINE
        ax.add_patch(Rectangle((x, y), CHIP, CHIP, facecolor=np.divide(colour, 255), linewidth=0))
        ax.text(x + CHIP + GAP, y + CHIP / 2, name, va="center", fontsize=SIZE)
        x += width + 2 * PAD
    return y + LINE + GAP


def _width(text: str) -> int:
    """Return how many pixels wide a text is drawn."""
    return round(theme.text_width(text, SIZE) * DPI)
