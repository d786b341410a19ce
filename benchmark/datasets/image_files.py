"""What an image file may be, as a photograph and as a mask: one rule for whoever reads one.

A file that cannot carry what is asked of it is refused by name; none is read as something else without a word.
"""

import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image as Pillow

from benchmark.datasets.base import Image
from benchmark.errors import BenchmarkError
from benchmark.files import unreachable

FORMATS = {
    ".jpg": {"JPEG", "MPO"},
    ".jpeg": {"JPEG", "MPO"},
    ".png": {"PNG"},
    ".bmp": {"BMP", "DIB"},
    ".tif": {"TIFF"},
    ".tiff": {"TIFF"},
    ".gif": {"GIF"},
    ".webp": {"WEBP"},
}
_LOSSLESS = {"PNG", "BMP", "DIB", "TIFF", "GIF", "PPM", "TGA", "PCX"}
_LOSSY_COMPRESSIONS = {"jpeg", "tiff_jpeg", "webp", "jpeg2000"}  # of a TIFF
_COLOURS = {"1", "L", "P", "RGB", "CMYK", "YCbCr"}  # what becomes RGB without loss of range
_TRANSPARENT = {"RGBA", "LA", "PA", "La", "RGBa"}
_IDS = {"1", "L", "P", "I", "I;16", "I;16B", "I;16L"}
_SPREAD = {"L;2": 85, "L;4": 17}  # Pillow spreads greys of fewer bits over 0..255; ids are what was stored

T = TypeVar("T")


def decoded(source: Path | bytes, where: str, read: Callable[[Pillow.Image], T]) -> T:
    """Return what ``read`` makes of an image file, or of its content.

    Raises BenchmarkError naming ``where`` it lies, if it is missing, closed to this user or damaged.
    """
    try:
        with Pillow.open(BytesIO(source) if isinstance(source, bytes) else source) as picture:
            return read(picture)
    except FileNotFoundError:
        raise BenchmarkError(f"{where}: no such file. Restore it, or take its name out of the lists.") from None
    except (OSError, SyntaxError, ValueError, struct.error, Pillow.DecompressionBombError) as error:
        if isinstance(error, OSError) and (said := unreachable(error)):
            raise BenchmarkError(said) from error
        raise BenchmarkError(f"{where}: cannot be decoded ({error}). The file is damaged; fetch it again.") from error


def photograph(picture: Pillow.Image, where: str, suffix: str) -> Image:
    """Return the pixels of a photograph, (H, W, 3), under the conditions of ``check_photograph``."""
    check_photograph(picture, where, suffix)
    return np.array(picture.convert("RGB"))


def check_photograph(picture: Pillow.Image, where: str, suffix: str) -> None:
    """Raise BenchmarkError for a file that does not become 8-bit RGB as it is, or is not what its suffix says."""
    _check_format(picture, where, suffix)
    mode = picture.mode
    if mode in _COLOURS and "transparency" not in picture.info:
        return
    if mode in _COLOURS | _TRANSPARENT:
        if picture.convert("RGBA").getchannel("A").getextrema()[0] == 255:
            return
        reason = "has transparent pixels, whose colours nobody sees. Flatten it"
    elif mode.startswith("I"):
        reason = "has 16 bits a pixel or more; images have 8 bits a channel. Scale it to 8 bits"
    else:
        reason = f"is an image of mode {mode}; expected 8 bits a channel of colour or grey. Convert it"
    raise BenchmarkError(f"{where}: {reason}.")


def mask_values(picture: Pillow.Image, where: str, suffix: str) -> np.ndarray:
    """Return the values of a mask, (H, W) integers: of a palette the indices, of a 1-bit file 0 and 1.

    Raises BenchmarkError for a file that loses ids, has several channels, or is not what its suffix says.
    """
    if picture.format not in _LOSSLESS or picture.info.get("compression") in _LOSSY_COMPRESSIONS:
        raise BenchmarkError(
            f"{where}: is a {picture.format}; class ids survive only in a lossless file: PNG, BMP, TIFF. "
            f"Make the mask again from where it was drawn; converting this file would keep its errors."
        )
    _check_format(picture, where, suffix)
    if picture.mode not in _IDS:
        raise BenchmarkError(
            f"{where}: a mask has one channel of class ids, this one is of mode {picture.mode}. Convert colours to "
            f"ids. Are image and mask swapped, or is it a coloured rendering of the mask?"
        )
    tiles: Any = getattr(picture, "tile", None)
    raw = tiles[0].args if tiles else ""
    spread = _SPREAD.get(str(raw[0] if isinstance(raw, tuple) and raw else raw), 1)
    values = np.array(picture)
    return values.astype(np.uint8) if values.dtype == bool else values // spread


def _check_format(picture: Pillow.Image, where: str, suffix: str) -> None:
    expected = FORMATS.get(suffix.lower())
    if expected and picture.format not in expected:
        raise BenchmarkError(
            f"{where}: is a {picture.format}, not what {suffix} says. Rename it, or convert it. Are image and mask "
            f"swapped?"
        )
    if picture.format != "MPO" and getattr(picture, "n_frames", 1) > 1:
        raise BenchmarkError(f"{where}: holds several pictures; which one is meant? Save that one alone.")
