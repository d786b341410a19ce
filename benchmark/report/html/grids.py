"""Pictures for a page: images, ground truth and what stages make of them, as small PNG files."""

import base64
import hashlib
import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

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
    drawer = _Drawer(page, pictures)
    return GridOf(
        table=page.table,
        split=page.split.name,
        seed=page.seed,
        columns=page.columns,
        pictures=tuple(drawer.drawn(shown) for shown in page.shown),
        kind=page.kind,
        row=page.row,
    )


def legend(grids: Iterable[GridOf], classes: int) -> list[int]:
    """Return the ids of the classes that any map of some grids shows."""
    seen = {one for grid in grids for picture in grid.pictures for one in picture.shown}
    return sorted(one for one in seen if one < classes)


class Defined(NamedTuple):
    """What several places of a page show, and is in it once.

    Attributes:
        sizes: name of a picture -> its width and height.
        outlines: SVG path -> number.
    """

    sizes: Mapping[str, tuple[int, int]]
    outlines: Mapping[str, int]


def defined(grids: Iterable[GridOf]) -> Defined:
    """Return the pictures and outlines of some grids, each once, in the order in which they occur."""
    shown = [picture for grid in grids for picture in grid.pictures]
    sizes = {
        name: (one.width, one.height)
        for one in shown
        for name in (one.image, one.truth, one.parts, *(label for label in one.labels if label is not None))
    }
    return Defined(sizes, {path: i for i, path in enumerate(dict.fromkeys(one.novel for one in shown if one.novel))})


def hexadecimal(colour: Iterable[int]) -> str:
    """Return ``#d64541``."""
    return "#" + "".join(f"{int(one):02x}" for one in colour)


def class_chips(classes: int) -> list[str]:
    """Return the colour of every class."""
    return [hexadecimal(colour) for colour in class_colours(classes)]


class _Drawer:
    def __init__(self, page: "PicturePage", pictures: Pictures) -> None:
        classes = len(page.dataset.classes)
        self._novel = page.split.novel
        self._pictures = pictures
        self._colours = _table(dict(enumerate(class_colours(classes))))
        self._parts = _table({i: NOVEL if i in self._novel else BASE for i in range(classes)})

    def drawn(self, shown: "Shown") -> PictureOf:
        truth = _shrunk(shown.truth)
        labels = [None if one is None else _shrunk(one) for one in shown.labels]
        maps = [truth, *(one for one in labels if one is not None)]
        height, width = truth.shape
        return PictureOf(
            id=shown.id,
            width=width,
            height=height,
            image=self._photograph(shown.image, (width, height)),
            truth=self._painted(truth, self._colours),
            parts=self._painted(truth, self._parts),
            labels=tuple(None if one is None else self._painted(one, self._colours) for one in labels),
            novel="".join(_step(*line) for line in outline(np.isin(truth, self._novel)).reshape(-1, 4).astype(int)),
            shown=tuple(int(one) for one in np.unique(np.concatenate([one.ravel() for one in maps])) if one < 255),
        )

    def _photograph(self, image: NDArray[np.uint8], size: tuple[int, int]) -> str:
        from PIL import Image as Pillow

        return self._kept(Pillow.fromarray(image).resize(size, Pillow.Resampling.LANCZOS))

    def _painted(self, mask: "Mask", colours: Colours) -> str:
        from PIL import Image as Pillow

        picture = Pillow.fromarray(mask)
        picture.putpalette(colours.tobytes())
        return self._kept(picture)

    def _kept(self, picture: "Picture") -> str:
        stream = io.BytesIO()
        picture.save(stream, "PNG", optimize=True)
        name = hashlib.sha256(stream.getvalue()).hexdigest()
        self._pictures[name] = base64.b64encode(stream.getvalue()).decode()
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
