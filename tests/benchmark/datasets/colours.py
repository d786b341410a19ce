"""Images as hue, saturation and value and back, in one array."""

import numpy as np
from numpy.typing import NDArray

from benchmark.datasets.colour import to_hsv, write_rgb

Pixels = NDArray[np.uint8]


def rgb_to_hsv(image: Pixels) -> Pixels:
    return np.stack(to_hsv(image), axis=-1).astype(np.uint8)


def hsv_to_rgb(hsv: Pixels) -> Pixels:
    rgb = np.empty_like(hsv)
    write_rgb(rgb, hsv[..., 0].astype(np.int16), hsv[..., 1], hsv[..., 2])
    return rgb
