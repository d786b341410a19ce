"""Batches made ahead are those made on demand."""

import threading
from dataclasses import replace

import pytest
import torch

from benchmark.datasets import TrainingView, load_dataset
from benchmark.errors import BenchmarkError
from methods.settings import InputSettings
from methods.training.batches import Batch, TrainingImages
from methods.training.loading import Loader

SETTINGS = InputSettings(train_short=(64, 80), train_longest=256, crop=64)
STEPS = 7


@pytest.fixture(scope="module")
def images() -> TrainingImages:
    return TrainingImages(TrainingView(load_dataset("mini"), (1, 4, 12)), SETTINGS, seed=5)


def batches(images: TrainingImages, workers: int, start: int = 0, slots: tuple[int, ...] = (0, 1, 2, 3)) -> list[Batch]:
    with Loader(images, lambda step: images.indices(step, 4), slots, STEPS, workers) as loader:
        return [loader.batch(step) for step in range(start, STEPS)]


def equal(one: Batch, other: Batch) -> bool:
    same = [torch.equal(getattr(one, name), getattr(other, name)) for name in ("images", "labels", "pad")]
    pairs = zip(one.targets, other.targets, strict=True)
    return all(same) and one.novel == other.novel and all(torch.equal(a.masks, b.masks) for a, b in pairs)


@pytest.mark.parametrize("workers", [1, 3])
def test_the_number_of_threads_changes_no_batch_wherever_a_run_goes_on(images: TrainingImages, workers: int) -> None:
    expected = batches(images, 0)
    assert equal(expected[3], images.batch(3, images.indices(3, 4)))
    assert not equal(expected[3], expected[4])
    for start in (0, 4):
        found = batches(images, workers, start)
        assert all(equal(one, other) for one, other in zip(found, expected[start:], strict=True))
    half = batches(images, workers, slots=(2, 3))
    assert all(equal(one, other.part(2, 4)) for one, other in zip(half, expected, strict=True))


def test_threads_look_only_a_few_steps_ahead_and_not_beyond_the_end(images: TrainingImages) -> None:
    asked: list[int] = []

    def indices(step: int) -> list[int]:
        asked.append(step)
        return images.indices(step, 4)

    with Loader(images, indices, range(4), STEPS, workers=2) as loader:
        loader.batch(0)
        assert asked == [0, 1, 2]
        for step in range(1, STEPS):
            loader.batch(step)
    assert asked == list(range(STEPS))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("input")]


def test_an_error_in_a_thread_is_raised_at_its_own_step() -> None:
    class Broken(TrainingView):
        def size(self, image_id: str) -> tuple[int, int]:
            if image_id == self.ids[bad]:
                raise BenchmarkError("broken file")
            return super().size(image_id)

    images = TrainingImages(Broken(load_dataset("mini"), (1,)), replace(SETTINGS, colour_jitter=False), seed=5)
    bad = images.indices(2, 4)[1]
    with Loader(images, lambda step: images.indices(step, 4), range(4), STEPS, workers=2) as loader:
        loader.batch(0)
        loader.batch(1)
        with pytest.raises(BenchmarkError, match="broken file"):
            loader.batch(2)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("input")]
