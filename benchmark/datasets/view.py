"""What training code may see of a dataset: novel classes are known per image, their pixels are not."""

import zlib
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.datasets.base import IGNORE, Dataset, Image, ImageReader, Mask, Part, SeparatesImages
from benchmark.datasets.transforms import PAD_GREY, Window, crop_image, crop_labels, flip_and_pad
from benchmark.errors import BenchmarkError

Presence = Literal["image", "crop"]
Packed = tuple[bytes, tuple[int, int]]  # a mask, compressed, and its height and width


LEAST = 64  # parts of an image, of which a crop must show one for its classes to be told
LEAST_PIXELS = 256  # that such a crop must have; a smaller image must be shown as a whole


class Crop(NamedTuple):
    """What a window shows.

    Attributes:
        image: (H, W, 3) uint8 RGB, padded with 128.
        labels: (H, W) uint8, base ids or 255.
        pad: (H, W) bool, True in the padding.
        present_novel: novel classes said to be present, ascending.
    """

    image: Image
    labels: Mask
    pad: NDArray[np.bool_]
    present_novel: tuple[int, ...]


class TrainingView:
    """Training images whose novel pixels were blanked to 255 when the view was made.

    So they are never handed out by accident. It is no sandbox: code that opens the files itself is not kept from them.

    The masks are read once, here; the view keeps the blanked ones (compressed, a few KB an image) and no reference to
    the dataset, so that neither its attributes nor what they refer to lead to a novel pixel.

    Weak labels come at two levels. ``image`` (the task as stated): a crop's novel classes are those of its whole image.
    ``crop`` (as released, [1.1] of methods/README.md): those with a pixel in the crop. The second cannot be
    computed without novel pixels; they stay, compressed, inside a closure that answers only with class ids, of crops
    that show at least one part in ``LEAST`` of their image: of single pixels the answer would be the mask.
    """

    __slots__ = ("_labels", "_masks", "_novel_in", "_read_image", "base", "classes", "ids", "novel")

    def __init__(
        self, dataset: Dataset, novel: Iterable[int], presence: Presence = "image", part: Part = "train"
    ) -> None:
        self.classes = dataset.info.classes
        self.novel = _checked(novel, len(self.classes))
        self.base = tuple(i for i in range(len(self.classes)) if i not in self.novel)
        self.ids = dataset.ids(part)
        self._read_image: ImageReader = (
            dataset.image_reader() if isinstance(dataset, SeparatesImages) else dataset.image
        )
        self._labels: dict[str, frozenset[int]] = {}
        self._masks: dict[str, Packed] = {}
        hidden: dict[str, Packed] = {}
        only_base, only_novel = _blanking(self.base), _blanking(self.novel)
        for image_id in self.ids:
            mask = dataset.mask(image_id)
            self._labels[image_id] = _present(mask)
            self._masks[image_id] = _pack(only_base[mask])
            if presence == "crop":
                hidden[image_id] = _pack(only_novel[mask])
        self._novel_in = _crop_presence(hidden) if presence == "crop" else _image_presence(self._labels, self.novel)

    def image(self, image_id: str) -> Image:
        """Return the image, (H, W, 3) uint8 RGB."""
        return self._read_image(image_id)

    def size(self, image_id: str) -> tuple[int, int]:
        """Return height and width."""
        _, shape = self._masks[image_id]
        return shape

    def labels(self, image_id: str) -> frozenset[int]:
        """Return the classes that occur in the whole image, base and novel."""
        return self._labels[image_id]

    def base_mask(self, image_id: str) -> Mask:
        """Return the mask, (H, W) uint8, with 255 on novel and unlabelled pixels."""
        return _unpack(self._masks[image_id])

    def crop(self, image_id: str, window: Window, adjust: Callable[[Image], Image] | None = None) -> Crop:
        """Return what ``window`` shows of an image; ``adjust`` may change its colours before it is padded."""
        image = crop_image(self._read_image(image_id), window)
        image = adjust(image) if adjust else image
        labels = crop_labels(self.base_mask(image_id), window)
        pad = np.zeros(labels.shape, np.bool_)
        return Crop(
            flip_and_pad(image, window, PAD_GREY),
            flip_and_pad(labels, window, IGNORE),
            flip_and_pad(pad, window, fill=True),
            self._novel_in(image_id, window),
        )


def _blanking(kept: tuple[int, ...]) -> Mask:
    """Return the (256,) table that maps the kept ids to themselves and every other value to 255."""
    table = np.full(IGNORE + 1, IGNORE, np.uint8)
    table[list(kept)] = kept
    return table


def _pack(mask: Mask) -> Packed:
    height, width = mask.shape
    return zlib.compress(mask.tobytes(), 1), (height, width)


def _unpack(packed: Packed) -> Mask:
    data, shape = packed
    return np.frombuffer(bytearray(zlib.decompress(data)), np.uint8).reshape(shape)


def _present(mask: Mask) -> frozenset[int]:
    return frozenset(np.flatnonzero(np.bincount(mask.ravel(), minlength=IGNORE + 1)[:IGNORE]).tolist())


def _image_presence(
    labels: dict[str, frozenset[int]], novel: tuple[int, ...]
) -> Callable[[str, Window], tuple[int, ...]]:
    return lambda image_id, _: tuple(i for i in novel if i in labels[image_id])


def _crop_presence(hidden: dict[str, Packed]) -> Callable[[str, Window], tuple[int, ...]]:
    def present(image_id: str, window: Window) -> tuple[int, ...]:
        mask = _unpack(hidden[image_id])
        _check_window(image_id, window, mask.size)
        return tuple(sorted(_present(crop_labels(mask, window))))

    return present


def _check_window(image_id: str, window: Window, pixels: int) -> None:
    """Raise BenchmarkError for a crop whose classes would give single pixels of an image of so many ``pixels`` away."""
    area = window.crop_height * window.crop_width
    inside = (
        min(window.top, window.left, window.crop_height - 1, window.crop_width - 1) >= 0
        and window.top + window.crop_height <= window.height
        and window.left + window.crop_width <= window.width
    )
    if not inside or area * LEAST < window.height * window.width or area < min(LEAST_PIXELS, pixels):
        raise BenchmarkError(
            f"image {image_id!r}: a crop of {window.crop_height} x {window.crop_width} at {window.top}, {window.left} "
            f"of {window.height} x {window.width} pixels is not told its classes: it must lie inside, show 1/{LEAST} "
            f"of the image, and {LEAST_PIXELS} pixels of it."
        )


def _checked(novel: Iterable[int], classes: int) -> tuple[int, ...]:
    ids = tuple(sorted(set(novel)))
    wrong = [i for i in ids if not 0 <= i < classes]
    if wrong:
        raise BenchmarkError(f"novel class ids {wrong} are outside 0..{classes - 1}; take the ids of a split.")
    return ids
