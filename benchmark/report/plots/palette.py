"""Colours of classes: the same for a class on every page, as far from each other as so many can be."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Colours = NDArray[np.uint8]  # (N, 3) RGB

NO_LABEL = (205, 205, 205)
BASE = (214, 69, 65)
NOVEL = (38, 99, 191)

LEVELS = 18  # of each channel among the candidates
LIGHTNESS = (0.48, 0.92)  # an outline in black stays visible on them, and they on white
CHROMA = (0.075, 0.19)  # nothing that is mistaken for NO_LABEL, and nothing that glares
TAKEN = ((255, 255, 255), (0, 0, 0), NO_LABEL)

# Linear RGB -> cone responses -> OKLab (Ottosson 2020), in which distances are about as large as they look.
_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


@cache
def class_colours(count: int) -> Colours:
    """Return the colours of class ids 0..count-1, (count, 3); those of the first ids do not depend on ``count``.

    Each is, of a grid of colours neither pale, dark nor grey, the one farthest from all before it.
    """
    steps = np.linspace(0, 255, LEVELS).round().astype(np.uint8)
    candidates = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = oklab(candidates)
    usable = _within(lab[:, 0], LIGHTNESS) & _within(np.hypot(lab[:, 1], lab[:, 2]), CHROMA)
    candidates, lab = candidates[usable], lab[usable]
    taken = oklab(np.array(TAKEN, dtype=np.uint8))
    distance = np.linalg.norm(lab[:, None] - taken, axis=-1).min(axis=1)  # to the nearest that is taken
    chosen = []
    for _ in range(count):
        best = int(distance.argmax())
        chosen.append(candidates[best])
        distance = np.minimum(distance, np.linalg.norm(lab - lab[best], axis=-1))
    return np.array(chosen, dtype=np.uint8).reshape(count, 3)


def _within(values: NDArray[np.float64], limits: tuple[float, float]) -> NDArray[np.bool_]:
    return (values >= limits[0]) & (values <= limits[1])


def painted(labels: NDArray[np.integer], colours: Colours) -> NDArray[np.uint8]:
    """Return label maps (H, W) as pictures (H, W, 3); ids without a colour get ``NO_LABEL``."""
    table = np.full((256, 3), NO_LABEL, dtype=np.uint8)
    table[: len(colours)] = colours
    return np.asarray(table[labels])


def oklab(colours: Colours) -> NDArray[np.float64]:
    """Return lightness 0..1 and the two colour axes of sRGB colours, (N, 3)."""
    srgb = colours / 255.0
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T)
