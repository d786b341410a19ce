"""Batches of consecutive steps, made while the network computes."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from torch.profiler import record_function

from benchmark.datasets import Crop
from methods.training.batches import Batch, TrainingImages, collate

AHEAD = 2  # steps, at least


class Loader:
    """Makes the crops of coming steps in threads; decoding, resizing and NumPy leave the interpreter to the others.

    A crop depends on its place alone (``TrainingImages.crop``): the number of threads changes no batch, and a resumed
    training gets those it would have got.

    Args:
        images: where crops come from.
        indices: step -> the image in every slot of its batch.
        slots: those that are wanted.
        steps: number of steps of the training.
        workers: number of threads; 0 makes a batch when it is asked for.
    """

    def __init__(
        self,
        images: TrainingImages,
        indices: Callable[[int], Sequence[int]],
        slots: Sequence[int],
        steps: int,
        workers: int,
    ) -> None:
        self._images, self._indices, self._slots, self._steps = images, indices, slots, steps
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="input") if workers else None
        self._ahead = max(AHEAD, -(-2 * workers // len(slots)))
        self._coming: dict[int, list[Future[Crop]]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def batch(self, step: int) -> Batch:
        """Return the crops of ``slots`` at ``step`` on the device; steps are asked for in order."""
        with record_function("step: input"):
            return collate(self._crops(step), self._images.device)

    def _crops(self, step: int) -> list[Crop]:
        if not self._pool:
            indices = self._indices(step)
            return [self._images.crop(indices[slot], step, slot) for slot in self._slots]
        for coming in range(step, min(step + self._ahead + 1, self._steps)):
            if coming not in self._coming:
                indices = self._indices(coming)
                self._coming[coming] = [
                    self._pool.submit(self._images.crop, indices[slot], coming, slot) for slot in self._slots
                ]
        return [crop.result() for crop in self._coming.pop(step)]
