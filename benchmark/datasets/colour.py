"""Colour jitter of SimFormer ([6.1] of methods/README.md), in hue, saturation and value as OpenCV computes them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

BAND = 64  # rows: what is computed of them on the way stays in the processor's cache

Bytes = NDArray[np.uint8]
Shorts = NDArray[np.int16]


def colour_jitter(rng: np.random.Generator, image: Bytes) -> Bytes:
    """Return the image after SSD's jitter: brightness, then contrast before or after saturation and hue.

    Each step happens with probability one half: brightness +-32, contrast and saturation x 0.5..1.5, hue +-18 of
    OpenCV's 180. Values are cut to 0..255 and their fractions dropped after each step. Apply it before padding.
    """
    image = _sometimes(rng, _brightness, image)
    contrast_first = rng.random() < 0.5
    steps = (_contrast, _saturation, _hue) if contrast_first else (_saturation, _hue, _contrast)
    for step in steps:
        image = _sometimes(rng, step, image)
    return image


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


def _sometimes(rng: np.random.Generator, step: Callable[[np.random.Generator, Bytes], Bytes], image: Bytes) -> Bytes:
    return step(rng, image) if rng.random() < 0.5 else image


def _scaled(values: NDArray[Any], factor: float = 1.0, offset: float = 0.0) -> NDArray[np.uint8]:
    """Return ``values * factor + offset`` cut to 0..255, fractions dropped; one table look-up a value."""
    table = np.clip(np.arange(256, dtype=np.float32) * np.float32(factor) + np.float32(offset), 0, 255).astype(np.uint8)
    return np.take(table, values)


def _brightness(rng: np.random.Generator, image: Bytes) -> Bytes:
    return _scaled(image, offset=rng.uniform(-32.0, 32.0))


def _contrast(rng: np.random.Generator, image: Bytes) -> Bytes:
    return _scaled(image, factor=rng.uniform(0.5, 1.5))


def _saturation(rng: np.random.Generator, image: Bytes) -> Bytes:
    factor = rng.uniform(0.5, 1.5)
    return through_hsv(image, lambda hue, saturation: (hue, _scaled(saturation, factor=factor)))


def _hue(rng: np.random.Generator, image: Bytes) -> Bytes:
    turn = int(rng.integers(-18, 19))
    turned = ((np.arange(180) + turn) % 180).astype(np.int16)
    return through_hsv(image, lambda hue, saturation: (np.take(turned, hue), saturation))
