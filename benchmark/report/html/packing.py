"""Counts as blocks. Evaluations on the same images share ids and ground truth, so these are kept once."""

import json
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import BenchmarkError
from benchmark.metrics import Counts
from benchmark.report.html.blocks import Blocks
from benchmark.report.html.content import Packed

_TYPE = np.dtype("<i4")


def pack(counts: Counts, blocks: Blocks) -> Packed:
    """Add counts of n images and K classes to the blocks, and return their names.

    Errors are two arrays (n, K): pixels of the class predicted as another, and pixels of others predicted as it. They
    have more zeros than the arrays of ``Counts``, which follow from them and the ground truth.
    """
    missed, wrong = counts.ground_truth - counts.intersection, counts.prediction - counts.intersection
    return Packed(
        images=blocks.add(json.dumps(counts.image_ids).encode()),
        truth=blocks.add(_bytes(counts.ground_truth)),
        ignored=blocks.add(_bytes(counts.prediction_on_ignored)),
        errors=blocks.add(_bytes(np.stack([missed, wrong]))),
    )


class Unpacker:
    """Makes counts over K classes from blocks."""

    def __init__(self, blocks: Blocks, classes: int) -> None:
        self._blocks = blocks
        self._classes = classes
        self._shared = cache(self._array)
        self._ids = cache(self._images)

    def counts(self, packed: Packed) -> Counts:
        """Return what was packed. Raises BenchmarkError where a block is missing, damaged or of another size."""
        images = self._ids(packed.images)
        truth, ignored = (self._shared(name, len(images), 1)[0] for name in (packed.truth, packed.ignored))
        missed, wrong = self._array(packed.errors, len(images), 2)
        hits = truth - missed
        return Counts(images, hits, hits + wrong, truth, ignored)

    def _images(self, name: str) -> tuple[str, ...]:
        try:
            return tuple(str(one) for one in json.loads(self._blocks[name]))
        except (ValueError, TypeError, RecursionError) as error:
            raise BenchmarkError(f"block {name[:12]} is no list of image ids ({error}).") from error

    def _array(self, name: str, images: int, arrays: int) -> NDArray[np.int32]:
        """Return int32 (arrays, images, K)."""
        content, shape = self._blocks[name], (arrays, images, self._classes)
        if len(content) != _TYPE.itemsize * int(np.prod(shape)):
            raise BenchmarkError(f"block {name[:12]} has {len(content)} bytes, which is not an array of size {shape}.")
        return np.frombuffer(content, _TYPE).reshape(shape).astype(np.int32)


def _bytes(array: NDArray[Any]) -> bytes:
    return array.astype(_TYPE).tobytes()
