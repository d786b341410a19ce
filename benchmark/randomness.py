"""Counter-based randomness: every draw is a pure function of a seed and of where it is used.

``generator(seed, "crop", step, i)`` gives the same numbers in whatever process, order or job it is called, so that a
resumed run needs no saved generator state and the data order does not depend on the number of workers.
"""

import hashlib
import operator
from typing import TYPE_CHECKING

import numpy as np

from benchmark.files import canonical_json

if TYPE_CHECKING:
    import torch


def _digest(seed: int, path: tuple[int | str, ...]) -> bytes:
    """Return 32 bytes that differ for every (seed, path); the number 1 and the text "1" are different parts."""
    parts = [part if isinstance(part, str) else operator.index(part) for part in (seed, *path)]
    return hashlib.sha256(canonical_json(parts).encode()).digest()


def subseed(seed: int, *path: int | str) -> int:
    """Return a seed in [0, 2^63) for code that wants a number."""
    return int.from_bytes(_digest(seed, path)[:8], "big") >> 1


def generator(seed: int, *path: int | str) -> np.random.Generator:
    """Return the NumPy generator of ``path``: Philox with a 128-bit key."""
    return np.random.Generator(np.random.Philox(key=int.from_bytes(_digest(seed, path)[:16], "big")))


def torch_generator(seed: int, *path: int | str, device: "str | torch.device" = "cpu") -> "torch.Generator":
    """Return the PyTorch generator of ``path`` on ``device``. The numbers differ between kinds of device."""
    import torch

    return torch.Generator(device=device).manual_seed(subseed(seed, *path))
