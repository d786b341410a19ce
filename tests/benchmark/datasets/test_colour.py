"""Hue, saturation, value: OpenCV's numbers, in bands or not."""

import numpy as np
import pytest

from benchmark.datasets import colour
from benchmark.datasets.colour import through_hsv
from tests.benchmark.datasets.colours import hsv_to_rgb, rgb_to_hsv


@pytest.mark.parametrize(
    ("rgb", "hsv"),
    [
        # What OpenCV 5.0 gives for COLOR_RGB2HSV.
        ((0, 0, 0), (0, 0, 0)),
        ((255, 255, 255), (0, 0, 255)),
        ((255, 0, 0), (0, 255, 255)),
        ((0, 255, 0), (60, 255, 255)),
        ((0, 0, 255), (120, 255, 255)),
        ((255, 0, 1), (0, 255, 255)),
        ((90, 89, 88), (15, 6, 90)),
        ((12, 200, 77), (70, 240, 200)),
        ((200, 12, 77), (170, 240, 200)),
    ],
)
def test_hsv_is_that_of_opencv(rgb: tuple[int, int, int], hsv: tuple[int, int, int]) -> None:
    assert tuple(rgb_to_hsv(np.array([[rgb]], np.uint8))[0, 0].tolist()) == hsv


@pytest.mark.parametrize(
    ("hsv", "rgb"),
    [
        # What OpenCV 5.0 gives for COLOR_HSV2RGB on rows of 64 pixels; the rest of a row it rounds instead.
        ((70, 240, 200), (11, 200, 74)),
        ((170, 240, 200), (200, 11, 74)),
        ((35, 100, 180), (168, 180, 109)),
        ((179, 13, 7), (7, 6, 6)),
        ((100, 128, 99), (49, 82, 99)),
    ],
)
def test_rgb_is_that_of_opencv(hsv: tuple[int, int, int], rgb: tuple[int, int, int]) -> None:
    found = hsv_to_rgb(np.array([[hsv]], np.uint8))[0, 0].astype(int)
    assert tuple(found.tolist()) == rgb


def test_hsv_and_back_loses_little() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    difference = np.abs(hsv_to_rgb(rgb_to_hsv(image)).astype(int) - image)
    assert difference.max() <= 10
    assert difference.mean() < 2


@pytest.mark.parametrize("height", [1, 7, 8, 20])
def test_bands_are_the_whole_image(monkeypatch: pytest.MonkeyPatch, height: int) -> None:
    monkeypatch.setattr(colour, "BAND", 8)
    image = np.random.default_rng(0).integers(0, 256, (height, 9, 3), dtype=np.uint8)
    expected = rgb_to_hsv(image)
    expected[..., 0] = (expected[..., 0] + 5) % 180
    expected[..., 1] //= 2
    found = through_hsv(image, lambda hue, saturation: ((hue + 5) % 180, saturation // 2))
    np.testing.assert_array_equal(found, hsv_to_rgb(expected))
