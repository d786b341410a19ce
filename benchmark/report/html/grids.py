"""Pictures for a page: images, ground truth and what stages make of them, as small PNG files."""

import base64
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.report.html.content import GridOf, PictureOf
from benchmark.report.pictures.draw import outline
from benchmark.report.plots.palette import BASE, NO_LABEL, NOVEL, class_colours

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from benchmark.datasets.base import Mask
    from benchmark.report.pictures.pages import PicturePage, Shown

LONGEST = 240  # pixels of a side; photographs are shrunk to it
Pictures = dict[str, str]  # SHA-256 of a PNG file -> the file in base64
Colours = NDArray[np.uint8]  # (256, 3)


def grid(page: "PicturePage", pictures: Pictures) -> GridOf:
    """Add the pictures of a page, and return which they are."""
    novel, classes = page.split.novel, len(page.dataset.classes)
    colours = _table(dict(enumerate(class_colours(classes))))
    parts = _table({i: NOVEL if i in novel else BASE for i in range(classes)})
    return GridOf(
        table=page.table,
        split=page.split.name,
        seed=page.seed,
        columns=page.columns,
        pictures=tuple(_drawn(shown, novel, pictures, colours, parts) for shown in page.shown),
        kind=page.kind,
        row=page.row,
    )


def legend(grids: Iterable[GridOf], classes: int) -> list[int]:
    """Return the ids of the classes that any map of some grids shows."""
    seen = {one for grid in grids for picture in grid.pictures for one in picture.shown}
    return sorted(one for one in seen if one < classes)


def defined(grids: Iterable[GridOf]) -> tuple[Mapping[str, tuple[int, int]], Mapping[str, int]]:
    """Return what some grids show, each once and in the order in which they occur.

    Returns:
        sizes: name of a picture -> its width and height.
        outlines: SVG path of an outline -> its number.
    """
    shown = [picture for grid in grids for picture in grid.pictures]
    sizes = {
        name: (one.width, one.height)
        for one in shown
        for name in (one.image, one.truth, one.parts, *(label for label in one.labels if label is not None))
    }
    return sizes, {path: i for i, path in enumerate(dict.fromkeys(one.novel for one in shown if one.novel))}


def hexadecimal(colour: Iterable[int]) -> str:
    """Return ``#d64541``."""
    return "#" + "".join(f"{int(one):02x}" for one in colour)


def class_chips(classes: int) -> list[str]:
    """Return the colour of every class."""
    return [hexadecimal(colour) for colour in class_colours(classes)]


def _drawn(shown: "Shown", novel: Sequence[int], pictures: Pictures, colours: Colours, parts: Colours) -> PictureOf:
    """Add the pictures of one image, and return which they are; ``parts`` are the colours of base and novel classes."""
    truth = _shrunk(shown.truth)
    labels = [None if one is None else _shrunk(one) for one in shown.labels]
    maps = [truth, *(one for one in labels if one is not None)]
    height, width = truth.shape
    return PictureOf(
        id=shown.id,
        width=width,
        height=height,
        image=_kept(_photograph(shown.image, (width, height)), pictures),
        truth=_kept(_painted(truth, colours), pictures),
        parts=_kept(_painted(truth, parts), pictures),
        labels=tuple(None if one is None else _kept(_painted(one, colours), pictures) for one in labels),
        novel="".join(_step(*line) for line in outline(np.isin(truth, list(novel))).reshape(-1, 4).astype(int)),
        shown=tuple(int(one) for one in np.unique(np.concatenate([one.ravel() for one in maps])) if one < 255),
    )


def _photograph(image: NDArray[np.uint8], size: tuple[int, int]) -> "Picture":
    from PIL import Image as Pillow

    return Pillow.fromarray(image).resize(size, Pillow.Resampling.LANCZOS)


def _painted(mask: "Mask", colours: Colours) -> "Picture":
    from PIL import Image as Pillow

    picture = Pillow.fromarray(mask)
    picture.putpalette(colours.tobytes())
    return picture


def _kept(picture: "Picture", pictures: Pictures) -> str:
    """Add a picture, and return its name."""
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    name = hashlib.sha256(stream.getvalue()).hexdigest()
    pictures[name] = base64.b64encode(stream.getvalue()).decode()
    return name


def _table(colours: Mapping[int, Iterable[int]]) -> Colours:
    table = np.full((256, 3), NO_LABEL, dtype=np.uint8)
    for one, colour in colours.items():
        table[one] = tuple(colour)
    return table


def _shrunk(mask: "Mask") -> "Mask":
    """Return a map with every pixel of some of its rows and columns, no side longer than ``LONGEST``."""
    step = -(-max(mask.shape) // LONGEST)
    return np.ascontiguousarray(mask[step // 2 :: step, step // 2 :: step])


def _step(x0: int, y0: int, x1: int, y1: int) -> str:
    """Return an SVG path along one edge, upright or level."""
    return f"M{x0} {y0}V{y1}" if x0 == x1 else f"M{x0} {y0}H{x1}"
