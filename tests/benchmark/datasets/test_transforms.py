from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from benchmark.datasets import colour
from benchmark.datasets.colour import colour_jitter
from benchmark.datasets.transforms import (
    Window,
    crop_image,
    crop_labels,
    flip_and_pad,
    random_window,
    resize_image,
    resize_labels,
    resized_size,
)
from tests.benchmark.datasets.colours import hsv_to_rgb, rgb_to_hsv

SHORT_SIDES = (320, 384, 448, 512, 576, 640, 704, 768, 832, 896, 960)


@pytest.mark.parametrize(
    ("size", "short", "longest", "expected"),
    [
        ((480, 640), 640, 2560, (640, 853)),
        ((200, 1600), 640, 2560, (320, 2560)),
        ((1600, 200), 640, 2560, (2560, 320)),
        ((64, 64), 64, 128, (64, 64)),
        ((3, 2), 5, 100, (8, 5)),  # 7.5 is rounded up
    ],
)
def test_resized_size(size: tuple[int, int], short: int, longest: int, expected: tuple[int, int]) -> None:
    assert resized_size(*size, short, longest) == expected


@pytest.mark.parametrize("size", [(23, 31), (200, 117), (64, 64), (40, 40)])
def test_images_are_resized_as_pillow_does(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    expected = np.array(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(resize_image(image, size), expected)


@settings(deadline=None)
@given(st.tuples(*[st.integers(24, 300)] * 4))
def test_labels_are_resized_as_torch_does(sizes: tuple[int, int, int, int]) -> None:
    height, width, new_height, new_width = sizes
    labels = np.arange(height * width, dtype=np.float64).reshape(height, width)
    tensor = torch.from_numpy(labels)[None, None]
    expected = torch.nn.functional.interpolate(tensor, size=(new_height, new_width), mode="nearest")[0, 0]
    # Where destination * in / out is a whole number, torch rounds up or down by the code path it takes for the size.
    rows, columns = (np.arange(1, new) * old % new != 0 for old, new in ((height, new_height), (width, new_width)))
    clear = np.ix_(np.r_[True, rows | (new_height == height)], np.r_[True, columns | (new_width == width)])
    np.testing.assert_array_equal(resize_labels(labels, (new_height, new_width))[clear], expected.numpy()[clear])


@pytest.mark.parametrize("short", SHORT_SIDES)
@pytest.mark.parametrize("size", [(480, 640), (640, 480), (427, 640), (425, 640), (640, 640), (375, 500), (512, 683)])
def test_labels_of_photographs_are_resized_as_torch_does_in_every_pixel(size: tuple[int, int], short: int) -> None:
    labels = np.arange(size[0] * size[1], dtype=np.float64).reshape(size)
    new = resized_size(*size, short, 2560)
    expected = torch.nn.functional.interpolate(torch.from_numpy(labels)[None, None], size=new, mode="nearest")[0, 0]
    np.testing.assert_array_equal(resize_labels(labels, new), expected.numpy())


def test_nearest_takes_the_floor_not_the_centre() -> None:
    row = np.array([[0, 1, 2, 3, 4]], dtype=np.uint8)
    assert resize_labels(row, (1, 3)).tolist() == [[0, 1, 3]]  # the rule of the centre gives 0, 2, 4


@settings(deadline=None)
@given(st.integers(30, 700), st.integers(30, 700), st.integers(0, 2**32 - 1))
def test_windows_lie_inside_the_resized_image(height: int, width: int, seed: int) -> None:
    window = random_window(np.random.default_rng(seed), (height, width), SHORT_SIDES, 2560, 640, flip=True)
    possible = {resized_size(height, width, short, 2560) for short in SHORT_SIDES}
    assert (window.height, window.width) in possible
    assert window.crop_height == min(640, window.height)
    assert window.crop_width == min(640, window.width)
    assert 0 <= window.top <= window.height - window.crop_height
    assert 0 <= window.left <= window.width - window.crop_width
    assert (window.pad_height, window.pad_width) == (640, 640)


def test_windows_are_spread_evenly() -> None:
    rng = np.random.default_rng(0)
    windows = [random_window(rng, (64, 64), (64, 96), 500, 48, flip=True) for _ in range(4000)]
    small = [w for w in windows if w.height == 64]
    assert len(small) / 4000 == pytest.approx(0.5, abs=0.03)
    assert np.mean([w.flip for w in windows]) == pytest.approx(0.5, abs=0.03)
    counts = np.bincount([w.top for w in small], minlength=17)
    assert len(counts) == 17
    assert counts.min() > 0.6 * len(small) / 17


def test_without_flip_nothing_else_changes() -> None:
    with_flip = random_window(np.random.default_rng(0), (90, 60), (64, 80), 500, 48, flip=True)
    without = random_window(np.random.default_rng(0), (90, 60), (64, 80), 500, 48, flip=False)
    assert with_flip.flip
    assert not without.flip
    assert (with_flip.height, with_flip.top, with_flip.left) == (without.height, without.top, without.left)


def test_cropping_is_resizing_and_cutting() -> None:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (50, 70, 3), dtype=np.uint8)
    labels = rng.integers(0, 20, (50, 70), dtype=np.uint8)
    window = Window(75, 105, 11, 20, 40, 60, flip=True, pad_height=64, pad_width=64)
    cut = np.s_[11:51, 20:80]
    np.testing.assert_array_equal(crop_labels(labels, window), resize_labels(labels, (75, 105))[cut])
    np.testing.assert_array_equal(crop_image(image, window), resize_image(image, (75, 105))[cut])


def test_padding_is_right_and_below() -> None:
    window = Window(2, 3, 0, 0, 2, 3, flip=True, pad_height=3, pad_width=5)
    crop = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.uint8)
    assert flip_and_pad(crop, window, 9).tolist() == [[3, 2, 1, 9, 9], [6, 5, 4, 9, 9], [9, 9, 9, 9, 9]]


def _patch() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)


def test_jitter_leaves_one_image_in_sixteen_alone() -> None:
    rng, image = np.random.default_rng(0), _patch()
    untouched = [colour_jitter(rng, image) is image for _ in range(3000)]
    assert np.mean(untouched) == pytest.approx(1 / 16, abs=0.015)


def _note(done: list[str], name: str, _: np.random.Generator, image: np.ndarray) -> np.ndarray:
    done.append(name)
    return image


def test_jitter_has_two_orders_equally_often(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    for name in ("brightness", "contrast", "saturation", "hue"):
        monkeypatch.setattr(colour, f"_{name}", partial(_note, done, name))
    orders = []
    for seed in range(8000):
        done.clear()
        colour_jitter(np.random.default_rng(seed), _patch())
        orders.append(" ".join(done))
    complete = [order for order in orders if order.count(" ") == 3]
    contrast_first = complete.count("brightness contrast saturation hue")
    assert complete.count("brightness saturation hue contrast") == len(complete) - contrast_first
    assert len(complete) / len(orders) == pytest.approx(1 / 16, abs=0.01)
    assert contrast_first / len(complete) == pytest.approx(0.5, abs=0.1)


def test_jitter_does_not_write_into_its_input() -> None:
    rng, image = np.random.default_rng(0), _patch()
    before = image.copy()
    for _ in range(50):
        colour_jitter(rng, image)
    np.testing.assert_array_equal(image, before)


def test_brightness_and_contrast_have_their_ranges() -> None:
    rng, grey = np.random.default_rng(0), np.full((1, 1, 3), 100, np.uint8)
    bright = [int(colour._brightness(rng, grey)[0, 0, 0]) for _ in range(2000)]
    contrast = [int(colour._contrast(rng, grey)[0, 0, 0]) for _ in range(2000)]
    assert (min(bright), max(bright)) == (68, 131)  # 100 - 32 + fraction and 100 + 32 - fraction, fractions dropped
    assert (min(contrast), max(contrast)) == (50, 149)
    assert np.mean(bright) == pytest.approx(99.5, abs=1.5)
    white = np.full((1, 1, 3), 250, np.uint8)
    assert max(int(colour._contrast(rng, white)[0, 0, 0]) for _ in range(200)) == 255


def test_hue_turns_by_whole_steps_up_to_18() -> None:
    rng, pixel = np.random.default_rng(0), hsv_to_rgb(np.array([[[90, 255, 255]]], np.uint8))
    hues = {int(rgb_to_hsv(colour._hue(rng, pixel))[0, 0, 0]) for _ in range(2000)}
    assert hues == set(range(72, 109))
    red = np.array([[[255, 0, 0]]], np.uint8)
    around = {int(rgb_to_hsv(colour._hue(rng, red))[0, 0, 0]) for _ in range(2000)}
    assert around == set(range(19)) | set(range(162, 180))


def test_saturation_leaves_grey_and_value_alone() -> None:
    rng, grey = np.random.default_rng(0), np.full((2, 2, 3), 77, np.uint8)
    np.testing.assert_array_equal(colour._saturation(rng, grey), grey)
    image = _patch()
    changed = colour._saturation(rng, image)
    np.testing.assert_array_equal(changed.max(axis=-1), image.max(axis=-1))
    assert (changed != image).any()
