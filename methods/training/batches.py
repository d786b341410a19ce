"""Training images as tensors: crop i of step t is a pure function of (seed, t, i)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.profiler import record_function

from benchmark.datasets import IGNORE, Crop, Window
from benchmark.datasets.base import Image
from benchmark.datasets.colour import colour_jitter
from benchmark.datasets.transforms import random_window, resized_size
from benchmark.errors import BenchmarkError
from benchmark.randomness import generator
from methods.maskformer.matching import Target
from methods.maskformer.network import normalise
from methods.settings import InputSettings

REDRAWS = 50  # of the augmentation of a crop without any class [1.2]


class CropSource(Protocol):
    """What crops are cut from: a training view, or a training view with pseudo labels over it."""

    ids: tuple[str, ...]
    novel: tuple[int, ...]

    def size(self, image_id: str) -> tuple[int, int]: ...
    def crop(self, image_id: str, window: Window, adjust: Callable[[Image], Image] | None = None) -> Crop: ...


@dataclass(frozen=True)
class Batch:
    """Crops on the training device.

    Attributes:
        images: (B, 3, H, W) normalised.
        targets: one a crop: base classes with masks first, then novel classes without.
        labels: (B, H, W) uint8: id where a mask is known, 255 elsewhere (novel, unlabelled, padding).
        pad: (B, H, W) bool: True in the padding.
        novel: novel classes present, one set a crop.
    """

    images: Tensor
    targets: list[Target]
    labels: Tensor
    pad: Tensor
    novel: list[frozenset[int]]

    def __len__(self) -> int:
        return len(self.targets)

    def parts(self, size: int) -> Iterator["Batch"]:
        """Yield crops in order, ``size`` at once and the rest; all at once for 0."""
        step = size or len(self)
        for start in range(0, len(self), step):
            yield self.part(start, start + step)

    def part(self, start: int, stop: int) -> "Batch":
        """Return crops ``start`` to ``stop`` as a batch of their own."""
        cut = slice(start, stop)
        return Batch(self.images[cut], self.targets[cut], self.labels[cut], self.pad[cut], self.novel[cut])


class TrainingImages:
    """Endless shuffled passes over the training images, augmented as the settings say [6.1]."""

    def __init__(self, source: CropSource, settings: InputSettings, seed: int, device: str = "cpu") -> None:
        self.source, self.settings, self.seed, self.device = source, settings, seed, device
        self._order = lru_cache(maxsize=2)(self._permutation)

    def _permutation(self, epoch: int) -> np.ndarray:
        return generator(self.seed, "order", epoch).permutation(len(self.source.ids))

    def indices(self, step: int, count: int) -> list[int]:
        """Return the ``count`` image indices that step ``step`` draws; passes follow each other without a gap."""
        size = len(self.source.ids)
        places = range(step * count, (step + 1) * count)
        return [int(self._order(place // size)[place % size]) for place in places]

    def crop(self, index: int, step: int, slot: int) -> Crop:
        """Return the augmented crop of image ``index`` in ``slot`` of the batch of ``step``.

        Raises:
            BenchmarkError: fifty redraws of the augmentation show no class at all.
        """
        image_id, s = self.source.ids[index], self.settings
        rng = generator(self.seed, "crop", step, slot)
        for _ in range(REDRAWS):
            window = random_window(rng, self.source.size(image_id), s.train_short, s.train_longest, s.crop, flip=s.flip)
            crop = self.source.crop(image_id, window, partial(colour_jitter, rng) if s.colour_jitter else None)
            if crop.present_novel or (crop.labels != IGNORE).any():
                return crop
        for window in self._sweep(image_id):
            crop = self.source.crop(image_id, window, partial(colour_jitter, rng) if s.colour_jitter else None)
            if crop.present_novel or (crop.labels != IGNORE).any():
                return crop
        raise BenchmarkError(
            f"image {image_id!r}: {REDRAWS} random crops and all others side by side show no labelled pixel and no "
            f"novel class. Leave the image out of the training list or enlarge input.crop (now {s.crop})."
        )

    def _sweep(self, image_id: str) -> Iterator[Window]:
        """Yield windows that cover the image at its largest size: one of them shows what few random ones do."""
        s = self.settings
        height, width = resized_size(*self.source.size(image_id), max(s.train_short), s.train_longest)
        crop_height, crop_width = min(height, s.crop), min(width, s.crop)
        for top in _starts(height, crop_height):
            for left in _starts(width, crop_width):
                yield Window(height, width, top, left, crop_height, crop_width, False, s.crop, s.crop)

    def batch(self, step: int, indices: Sequence[int]) -> Batch:
        """Return the crops of ``indices`` at ``step`` on the device."""
        with record_function("step: input"):
            return collate([self.crop(index, step, slot) for slot, index in enumerate(indices)], self.device)


def _starts(length: int, crop: int) -> list[int]:
    return [*range(0, length - crop, crop), length - crop]


def collate(crops: Sequence[Crop], device: str) -> Batch:
    """Stack crops of one size and build their target lists."""
    labels = torch.from_numpy(np.stack([crop.labels for crop in crops]).astype(np.uint8)).to(device)
    images = torch.from_numpy(np.stack([crop.image for crop in crops])).to(device)
    return Batch(
        images=normalise(images),
        targets=[target(labels[i], crop.present_novel) for i, crop in enumerate(crops)],
        labels=labels,
        pad=torch.from_numpy(np.stack([crop.pad for crop in crops])).to(device),
        novel=[frozenset(crop.present_novel) for crop in crops],
    )


def target(labels: Tensor, present_novel: Sequence[int]) -> Target:
    """Return the target list of one crop: base ids ascending with masks, then novel ids ascending without [1.2].

    Args:
        labels: (H, W) uint8, 255 where no mask is known.
        present_novel: novel classes said to be present.
    """
    seen = torch.bincount(labels.flatten().long(), minlength=IGNORE + 1)[:IGNORE].nonzero().flatten()  # (T_base,)
    novel = torch.tensor(sorted(present_novel), dtype=torch.int64, device=labels.device)
    masks = labels[None] == seen[:, None, None]  # (T_base, H, W)
    return Target(
        labels=torch.cat([seen, novel]),
        masks=torch.cat([masks, masks.new_zeros(len(novel), *labels.shape)]),
        has_mask=torch.arange(len(seen) + len(novel), device=labels.device) < len(seen),
    )
