import numpy as np

from benchmark.datasets.cache import ArrayCache


class Maker:
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, key: str) -> np.ndarray:
        self.asked.append(key)
        return np.full(100, int(key), np.uint8)


def test_what_fits_is_made_once() -> None:
    make, cache = Maker(), ArrayCache(300)
    for key in "012012":
        assert cache.get(key, make)[0] == int(key)
    assert make.asked == ["0", "1", "2"]
    assert cache.held == 300


def test_what_was_used_longest_ago_is_dropped() -> None:
    make, cache = Maker(), ArrayCache(250)
    for key in ("0", "1", "0", "2", "0", "1"):
        cache.get(key, make)
    assert make.asked == ["0", "1", "2", "1"]
    assert cache.held == 200


def test_an_array_above_the_budget_is_not_kept() -> None:
    make, cache = Maker(), ArrayCache(99)
    assert cache.get("5", make)[0] == 5
    assert cache.held == 0


def test_copies_are_handed_out() -> None:
    make, cache = Maker(), ArrayCache(300)
    cache.get("1", make)[:] = 9
    cache.get("1", make)[:] = 9
    assert (cache.get("1", make) == 1).all()
