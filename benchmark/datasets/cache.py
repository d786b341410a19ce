"""Decoded arrays kept in memory up to a number of bytes."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray


class ArrayCache:
    """Keeps the arrays used last, at most ``budget`` bytes; a small dataset stays complete, a large one is bounded.

    Hands out copies: a caller may change what it gets.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.held = 0  # bytes
        self._arrays: OrderedDict[str, NDArray[Any]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str, make: Callable[[str], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Return the array of ``key``, made by ``make(key)`` unless it is held."""
        with self._lock:
            found = self._arrays.get(key)
            if found is not None:
                self._arrays.move_to_end(key)
                return found.copy()
        made = make(key)
        self._keep(key, made)
        return made.copy()

    def _keep(self, key: str, array: NDArray[np.uint8]) -> None:
        with self._lock:
            if key not in self._arrays:
                self._arrays[key] = array
                self.held += array.nbytes
            while self.held > self.budget:
                self.held -= self._arrays.popitem(last=False)[1].nbytes
