"""Hue, saturation and value as OpenCV computes them from 8-bit images, fast enough to feed a GPU."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

BAND = 64  # rows: what is computed of them on the way stays in the processor's cache

Bytes = NDArray[np.uint8]
Shorts = NDArray[np.int16]


def through_hsv(image: NDArray[np.uint8], change: Callable[[Shorts, Bytes], tuple[Shorts, Bytes]]) -> NDArray[np.uint8]:
    """Return the image (H, W, 3) with hue 0..179 and saturation 0..255, both (rows, W), replaced by ``change``."""
    result = np.empty_like(image)
    for top in range(0, len(image), BAND):
        hue, saturation, value = to_hsv(image[top : top + BAND])
        write_rgb(result[top : top + BAND], *change(hue, saturation), value)
    return result


def to_hsv(image: NDArray[np.uint8]) -> tuple[Shorts, Bytes, Bytes]:
    """Return hue 0..179, saturation 0..255 and value 0..255, (H, W) each, rounded as OpenCV rounds 8-bit images."""
    red, green, blue = (np.ascontiguousarray(image[..., channel]) for channel in range(3))
    value = np.maximum(np.maximum(red, green), blue)
    spread = value - np.minimum(np.minimum(red, green), blue)
    r, g, b, d = (channel.astype(np.int16) for channel in (red, green, blue, spread))
    sector = np.where(value == red, g - b, np.where(value == green, b - r + 2 * d, r - g + 4 * d))
    hue = ((sector * np.take(_HUE_FACTOR, spread) + _HALF) >> _SHIFT).astype(np.int16)
    hue += 180 * (hue < 0)
    saturation = (spread * np.take(_SATURATION_FACTOR, value) + _HALF) >> _SHIFT
    return hue, saturation.astype(np.uint8), value


def write_rgb(image: NDArray[np.uint8], hue: Shorts, saturation: Bytes, value: Bytes) -> None:
    """Overwrite an image (H, W, 3) by what hue, saturation and value say, fractions dropped as in OpenCV."""
    shares = saturation * np.float32(1 / 255)
    height = value * np.float32(1 / 255)
    for channel, drop in enumerate(_DROP):
        image[..., channel] = height * (1 - shares * np.take(drop, hue)) * 255


_SHIFT = 12  # OpenCV divides by multiplication with fixed-point reciprocals
_HALF = 1 << (_SHIFT - 1)
_DIVISORS = np.maximum(np.arange(256), 1)
_SATURATION_FACTOR = np.rint((255 << _SHIFT) / _DIVISORS).astype(np.int32)
_HUE_FACTOR = np.rint((180 << _SHIFT) / (6.0 * _DIVISORS)).astype(np.int32)


def _drop() -> NDArray[np.float32]:
    """Return (3, 180): how far red, green and blue lie below the value, per unit of saturation, for each hue."""
    sixths = np.arange(180, dtype=np.float32) * np.float32(6 / 180)
    rising = sixths % 1
    falling, none, full = 1 - rising, np.zeros_like(rising), np.ones_like(rising)
    # Sectors of the colour circle from red over green and blue back to red: one channel leads, one lacks, one changes.
    red = [none, rising, full, full, falling, none]
    green = [falling, none, none, rising, full, full]
    blue = [full, full, falling, none, none, rising]
    return np.stack([np.choose(sixths.astype(int), channel) for channel in (red, green, blue)])


_DROP = _drop()
