"""Where a training crop lies ([6.1] of methods/README.md): resize, crop, flip, pad."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

PAD_GREY = 128  # value of padded image pixels, before normalisation

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class Window:
    """A view on an image: resize to ``height x width``, cut a crop, flip it, pad it right and below.

    Attributes:
        height, width: size the whole image is resized to.
        top, left, crop_height, crop_width: the crop within the resized image.
        flip: mirror the crop left to right.
        pad_height, pad_width: size of the result; at least that of the crop.
    """

    height: int
    width: int
    top: int
    left: int
    crop_height: int
    crop_width: int
    flip: bool
    pad_height: int
    pad_width: int


def resized_size(height: int, width: int, short: int, longest: int) -> tuple[int, int]:
    """Return the size with the short side at ``short``, unless the long side would exceed ``longest``."""
    scale = short / min(height, width)
    if max(height, width) * scale > longest:
        scale = longest / max(height, width)
    return int(height * scale + 0.5), int(width * scale + 0.5)


def resize_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the image at ``size`` (height, width): PIL bilinear, which averages when it shrinks."""
    if image.shape[:2] == size:
        return image
    return np.asarray(Pillow.fromarray(image).resize((size[1], size[0]), Pillow.Resampling.BILINEAR))


def resize_labels(labels: NDArray[Scalar], size: tuple[int, int]) -> NDArray[Scalar]:
    """Return the label map at ``size`` by torch's nearest rule: source = floor(destination * in / out)."""
    rows, columns = (_nearest(was, wanted) for was, wanted in zip(labels.shape, size, strict=True))
    return labels[rows[:, None], columns]


def random_window(
    rng: np.random.Generator, size: tuple[int, int], short_sides: Sequence[int], longest: int, crop: int, *, flip: bool
) -> Window:
    """Draw a window for an image of ``size`` (height, width).

    The short side is one of ``short_sides``, the crop at most ``crop`` on each axis and uniformly placed, the result
    ``crop x crop``. With ``flip`` half of the windows are mirrored. The same number of draws is made every time.
    """
    short = short_sides[int(rng.integers(len(short_sides)))]
    height, width = resized_size(*size, short, longest)
    crop_height, crop_width = min(height, crop), min(width, crop)
    top = int(rng.integers(height - crop_height + 1))
    left = int(rng.integers(width - crop_width + 1))
    mirrored = bool(rng.random() < 0.5) and flip
    return Window(height, width, top, left, crop_height, crop_width, mirrored, crop, crop)


def crop_image(image: NDArray[np.uint8], window: Window) -> NDArray[np.uint8]:
    """Return the window's crop of an image, (crop_height, crop_width, 3), not yet flipped or padded."""
    resized = resize_image(image, (window.height, window.width))
    return resized[_span(window.top, window.crop_height), _span(window.left, window.crop_width)]


def crop_labels(labels: NDArray[Scalar], window: Window) -> NDArray[Scalar]:
    """Return the window's crop of a label map, (crop_height, crop_width), not yet flipped or padded."""
    rows = _nearest(labels.shape[0], window.height)[_span(window.top, window.crop_height)]
    columns = _nearest(labels.shape[1], window.width)[_span(window.left, window.crop_width)]
    return labels[rows[:, None], columns]


def flip_and_pad(crop: NDArray[Scalar], window: Window, fill: int) -> NDArray[Scalar]:
    """Return the crop, mirrored where the window says so, at the top left of a new array filled with ``fill``."""
    result = np.full((window.pad_height, window.pad_width, *crop.shape[2:]), fill, crop.dtype)
    result[: window.crop_height, : window.crop_width] = crop[:, ::-1] if window.flip else crop
    return result


def _nearest(was: int, wanted: int) -> NDArray[np.intp]:
    """Return the source index of each of ``wanted`` places."""
    return np.arange(wanted) * was // wanted


def _span(start: int, length: int) -> slice:
    return slice(start, start + length)
