"""Batches: order, targets, normalisers of the input."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmark.datasets import Crop, TrainingView, Window, load_dataset
from benchmark.errors import BenchmarkError
from methods.settings import InputSettings
from methods.training.batches import TrainingImages, target

SETTINGS = InputSettings(train_short=(64,), train_longest=256, crop=64, colour_jitter=False)
NOVEL = (1, 4, 12)


@pytest.fixture(scope="module")
def images() -> TrainingImages:
    return TrainingImages(TrainingView(load_dataset("mini"), NOVEL), SETTINGS, seed=5)


def test_passes_follow_each_other_without_a_gap(images: TrainingImages) -> None:
    size = len(images.source.ids)
    drawn = [index for step in range(size // 4) for index in images.indices(step, 8)]
    assert set(Counter(drawn).values()) == {2}
    assert drawn[:size] != drawn[size:]
    assert images.indices(7, 8) == TrainingImages(images.source, SETTINGS, seed=5).indices(7, 8)
    assert images.indices(7, 8) != TrainingImages(images.source, SETTINGS, seed=6).indices(7, 8)


def test_a_crop_is_a_function_of_seed_step_and_slot(images: TrainingImages) -> None:
    first, again, other = images.crop(3, 9, 1), images.crop(3, 9, 1), images.crop(3, 10, 1)
    assert np.array_equal(first.image, again.image)
    flips = {images.crop(3, step, 0).image.tobytes() for step in range(12)}
    assert len(flips) == 2
    assert first.image.shape == other.image.shape == (64, 64, 3)


def test_targets_list_base_classes_with_masks_then_novel_classes_without() -> None:
    labels = torch.tensor([[7, 7, 255], [2, 255, 7]], dtype=torch.uint8)
    found = target(labels, (12, 1))
    assert found.labels.tolist() == [2, 7, 1, 12]
    assert found.has_mask.tolist() == [True, True, False, False]
    assert found.masks[1].tolist() == [[True, True, False], [False, False, True]]
    assert not found.masks[2:].any()


def test_no_batch_shows_a_novel_pixel(images: TrainingImages) -> None:
    seen = set()
    for step in range(20):
        batch = images.batch(step, images.indices(step, 8))
        seen |= set(batch.labels.flatten().tolist())
        assert all(set(t.labels[t.has_mask].tolist()).isdisjoint(NOVEL) for t in batch.targets)
        assert [frozenset(t.labels[~t.has_mask].tolist()) for t in batch.targets] == batch.novel
    assert seen.isdisjoint(NOVEL)
    assert seen >= {0, 2, 3, 255}


def test_an_image_without_any_label_is_an_error_that_names_it() -> None:
    class Empty:
        ids: tuple[str, ...] = ("blank",)
        novel: tuple[int, ...] = ()

        def size(self, image_id: str) -> tuple[int, int]:
            return (64, 64)

        def crop(self, image_id: str, window: Window, adjust: object = None) -> Crop:
            void = np.full((64, 64), 255, np.uint8)
            return Crop(np.zeros((64, 64, 3), np.uint8), void, void == 0, ())

    with pytest.raises(BenchmarkError, match=r"'blank'.*50 random crops"):
        TrainingImages(Empty(), SETTINGS, seed=0).crop(0, 0, 0)


def test_colours_change_only_where_they_are_asked_to(images: TrainingImages) -> None:
    jittered = TrainingImages(images.source, replace(SETTINGS, colour_jitter=True, flip=False), seed=5)
    plain = TrainingImages(images.source, replace(SETTINGS, flip=False), seed=5)
    pairs = [(jittered.crop(i, 0, i), plain.crop(i, 0, i)) for i in range(8)]
    assert any(not np.array_equal(a.image, b.image) for a, b in pairs)
    assert all(np.array_equal(a.labels, b.labels) for a, b in pairs)
