"""The training view is attacked here: nothing that it returns or refers to may hold a novel pixel."""

import gc
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from benchmark.datasets import Dataset, TrainingView, Window, load_dataset
from benchmark.datasets.transforms import random_window, resize_labels
from benchmark.datasets.view import Presence
from benchmark.errors import BenchmarkError

NOVEL = (1, 5, 9, 14)


@pytest.fixture
def mini() -> Dataset:
    return load_dataset("mini")


@pytest.fixture(params=["image", "crop"])
def view(request: pytest.FixtureRequest, mini: Dataset) -> TrainingView:
    return TrainingView(mini, NOVEL, presence=request.param)


def whole(size: tuple[int, int]) -> Window:
    return Window(*size, 0, 0, *size, flip=False, pad_height=size[0], pad_width=size[1])


def referred(root: object) -> Iterator[object]:
    """Walk over all objects that ``root`` leads to; modules and types lead to everything and are left out."""
    modules = {id(vars(module)) for module in list(sys.modules.values()) if isinstance(module, ModuleType)}
    seen, stack = set(modules), [root]
    while stack:
        one = stack.pop()
        if id(one) in seen or isinstance(one, ModuleType | type):
            continue
        seen.add(id(one))
        yield one
        stack.extend(gc.get_referents(one))
        if isinstance(one, np.ndarray) and one.base is not None:
            stack.append(one.base)


def class_maps(root: object) -> Iterator[np.ndarray]:
    """Yield everything reachable that could be a class map: flat arrays and unpacked bytes."""
    for one in referred(root):
        if isinstance(one, np.ndarray) and one.ndim == 2:
            yield one
        elif isinstance(one, bytes):
            try:
                yield np.frombuffer(zlib.decompress(one), np.uint8)
            except zlib.error:
                continue


def test_masks_show_base_pixels_only(view: TrainingView, mini: Dataset) -> None:
    for image_id in view.ids[:100]:
        full, shown = mini.mask(image_id), view.base_mask(image_id)
        is_base = np.isin(full, view.base)
        np.testing.assert_array_equal(shown[is_base], full[is_base])
        assert (shown[~is_base] == 255).all()
        assert view.size(image_id) == full.shape


def test_crops_show_base_pixels_only(view: TrainingView) -> None:
    rng = np.random.default_rng(0)
    for image_id in view.ids[:100]:
        window = random_window(rng, view.size(image_id), (48, 64, 100), 200, 64, flip=True)
        assert not np.isin(view.crop(image_id, window).labels, NOVEL).any()


def test_extreme_windows_show_no_novel_pixel(request: pytest.FixtureRequest, view: TrainingView, mini: Dataset) -> None:
    image_id = next(i for i in view.ids if 5 in view.labels(i))
    rows, columns = np.nonzero(mini.mask(image_id) == 5)
    one_pixel = Window(64, 64, int(rows[0]), int(columns[0]), 1, 1, flip=False, pad_height=1, pad_width=1)
    outside = Window(64, 64, -64, -64, 64, 64, flip=False, pad_height=64, pad_width=64)
    if "crop" in request.node.name:
        with pytest.raises(BenchmarkError, match="is not told its classes"):
            view.crop(image_id, one_pixel)
    else:
        assert view.crop(image_id, one_pixel).labels.tolist() == [[255]]
    with pytest.raises(ValueError, match="broadcast"):
        view.crop(image_id, outside)


def test_nothing_reachable_is_a_novel_mask(mini: Dataset) -> None:
    view = TrainingView(mini, NOVEL)
    view.crop(view.ids[0], whole((64, 64)))
    found = list(class_maps(view))
    assert len(found) >= len(view.ids)  # the walk does see the blanked masks
    assert not any(np.isin(one, NOVEL).any() for one in found)


def test_nothing_reachable_is_a_novel_mask_of_a_file(write_dataset: Callable[..., Path]) -> None:
    dataset = load_dataset(str(write_dataset()))
    view = TrainingView(dataset, [2])
    view.image(view.ids[0])
    assert not any((one == 2).any() for one in class_maps(view))
    assert not any(isinstance(one, type(dataset)) for one in referred(view))
    assert any((one == 2).any() for one in class_maps(dataset))  # the same walk finds it in the dataset itself


def test_presence_in_crops_keeps_no_novel_array(mini: Dataset) -> None:
    view = TrainingView(mini, NOVEL, presence="crop")
    view.crop(view.ids[0], Window(64, 64, 0, 0, 16, 16, False, 16, 16))
    for window in (
        Window(64, 64, 5, 5, 1, 1, False, 1, 1),
        Window(64, 64, 5 - 64, 5 - 64, 65, 65, False, 65, 65),  # its slices wrap to one pixel
        Window(8, 8, 5, 5, 1, 1, False, 1, 1),  # of an image that is made small first
        Window(8, 8, 0, 0, 8, 8, False, 8, 8),
        Window(512, 512, 0, 0, 20, 20, False, 20, 20),
    ):
        with pytest.raises(BenchmarkError, match="is not told its classes"):
            view.crop(view.ids[0], window)
    view.crop(view.ids[0], whole((64, 64)))
    arrays = [one for one in referred(view) if isinstance(one, np.ndarray) and one.ndim == 2]
    assert not any(np.isin(one, NOVEL).any() for one in arrays)


def test_later_changes_reveal_nothing(view: TrainingView) -> None:
    image_id = next(i for i in view.ids if view.labels(i) & set(NOVEL))
    before = view.crop(image_id, whole((64, 64)))
    view.novel, view.base = (), tuple(range(20))
    after = view.crop(image_id, whole((64, 64)))
    np.testing.assert_array_equal(after.labels, before.labels)
    with pytest.raises(AttributeError):
        view.dataset = None  # type: ignore[attr-defined]


def test_what_is_returned_belongs_to_the_caller(view: TrainingView) -> None:
    image_id = view.ids[0]
    for read in (view.image, view.base_mask, lambda i: view.crop(i, whole((64, 64))).labels):
        first: Any = read(image_id)
        kept = first.copy()
        first[:] = 7
        np.testing.assert_array_equal(read(image_id), kept)


def test_weak_labels_are_those_of_the_whole_image(view: TrainingView, mini: Dataset) -> None:
    for image_id in view.ids[:50]:
        assert view.labels(image_id) == set(np.unique(mini.mask(image_id)).tolist()) - {255}


@pytest.mark.parametrize("presence", ["image", "crop"])
def test_presence_has_two_levels(mini: Dataset, presence: Presence) -> None:
    view = TrainingView(mini, NOVEL, presence=presence)
    rng = np.random.default_rng(0)
    differing = 0
    for image_id in view.ids[:200]:
        window = random_window(rng, (64, 64), (64, 96, 128), 500, 48, flip=True)
        cut = np.s_[window.top : window.top + 48, window.left : window.left + 48]
        in_crop = set(np.unique(resize_labels(mini.mask(image_id), (window.height, window.width))[cut]).tolist())
        in_image = set(view.labels(image_id))
        expected = (in_image if presence == "image" else in_crop) & set(NOVEL)
        assert view.crop(image_id, window).present_novel == tuple(sorted(expected))
        differing += in_image & set(NOVEL) != in_crop & set(NOVEL)
    assert differing > 20  # else the test could not tell the levels apart


def test_padding_is_grey_and_ignored(view: TrainingView) -> None:
    window = Window(32, 40, 0, 0, 32, 40, flip=True, pad_height=48, pad_width=44)
    crop = view.crop(view.ids[0], window)
    assert crop.image.shape == (48, 44, 3)
    assert crop.pad.sum() == 48 * 44 - 32 * 40
    assert (crop.image[crop.pad] == 128).all()
    assert (crop.labels[crop.pad] == 255).all()
    assert not crop.pad[:32, :40].any()


def test_colours_are_adjusted_before_padding(view: TrainingView) -> None:
    window = Window(32, 32, 0, 0, 32, 32, flip=False, pad_height=40, pad_width=40)
    crop = view.crop(view.ids[0], window, adjust=np.zeros_like)
    assert (crop.image[crop.pad] == 128).all()
    assert (crop.image[~crop.pad] == 0).all()


def test_flipping_mirrors_image_and_labels_alike(view: TrainingView) -> None:
    plain = view.crop(view.ids[0], whole((64, 64)))
    mirrored = view.crop(view.ids[0], Window(64, 64, 0, 0, 64, 64, flip=True, pad_height=64, pad_width=64))
    np.testing.assert_array_equal(mirrored.image, plain.image[:, ::-1])
    np.testing.assert_array_equal(mirrored.labels, plain.labels[:, ::-1])


def test_novel_ids_are_checked(mini: Dataset) -> None:
    with pytest.raises(BenchmarkError, match=r"\[20\] are outside 0\.\.19"):
        TrainingView(mini, [3, 20])


def test_other_parts_can_be_viewed(mini: Dataset) -> None:
    assert TrainingView(mini, NOVEL, part="val").ids == mini.ids("val")
