"""Which image is the reference of an image: the partner shares one novel class, so what is common is not ambiguous.

For image x with novel classes N_x and base classes B_x (of the full image), the candidates are

* deconf[x][c], c in N_x: images y with N_x and N_y sharing c and nothing else;
* base_comm[x]: images y with B_x and B_y overlapping.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmark import randomness

Sampler = Literal["official", "deconf_fixed"]
Indices = NDArray[np.intp]

RAREST_PROBABILITY = 0.01  # "Deconf0.01"
DECONF_CAP = 500
BASE_CAP = 50


class PairSampler:
    """Draws the partner of an image from label sets alone.

    ``official`` is the released code: images with at most one novel class draw from base_comm, so an image with exactly
    one never uses its deconf list, and long lists keep mostly late images (see ``_capped``). ``deconf_fixed`` uses the
    deconf lists from one novel class on, without caps: a novel class of x with candidates (1 % of the time the one with
    fewest), then any of them; where no image shares exactly one novel class with x, images that share several, then
    base_comm. Both pick uniformly and end with x itself where there is no candidate.

    Args:
        labels: the full-image label set of every training image, in the order of their file names.
        novel: ids of the novel classes; all other labels are base classes.
        sampler: see above.
        seed: of the lists that ``official`` caps.
    """

    def __init__(
        self,
        labels: Sequence[frozenset[int]],
        novel: frozenset[int],
        sampler: Sampler = "official",
        seed: int = 0,
    ) -> None:
        novel_classes = sorted(novel)
        base_classes = sorted(frozenset[int]().union(*labels) - novel)
        self._novel = _membership(labels, novel_classes)  # (images, |N|)
        self._base = _membership(labels, base_classes)  # (images, |B|)
        self._sampler = sampler
        self._seed = seed

    def partner(self, index: int, rng: np.random.Generator) -> int:
        """Return the partner of image ``index``; a pure function of the arguments and the state of ``rng``."""
        candidates = self._official(index, rng) if self._sampler == "official" else self._fixed(index, rng)
        if len(candidates) >= 2:
            candidates = candidates[candidates != index]
        return int(rng.choice(candidates)) if len(candidates) else index

    def _official(self, index: int, rng: np.random.Generator) -> Indices:
        classes = np.flatnonzero(self._novel[index])
        if len(classes) <= 1:
            candidates = self._capped(_overlapping(self._base, index), BASE_CAP, index, "base")
            return candidates if len(candidates) >= 2 else candidates[:0]
        single = self._sharing_exactly_one(index)
        if rng.random() < RAREST_PROBABILITY:
            counts = self._novel[single][:, classes].sum(0)
            # An empty list counts as a full one.
            chosen = classes[np.where(counts == 0, DECONF_CAP, np.minimum(counts, DECONF_CAP)).argmin()]
        else:
            chosen = rng.choice(classes)
        return self._capped(single[self._novel[single, chosen]], DECONF_CAP, index, int(chosen))

    def _fixed(self, index: int, rng: np.random.Generator) -> Indices:
        single = self._sharing_exactly_one(index)
        single = single[single != index]
        if not len(single):
            several = _overlapping(self._novel, index)
            return several if (several != index).any() else _overlapping(self._base, index)
        counts = self._novel[single].sum(0) * self._novel[index]
        classes = np.flatnonzero(counts)
        rarest = rng.random() < RAREST_PROBABILITY
        chosen = int(classes[counts[classes].argmin()] if rarest else rng.choice(classes))
        candidates: Indices = single[self._novel[single, chosen]]
        return candidates

    def _sharing_exactly_one(self, index: int) -> Indices:
        shared: Indices = self._novel[:, self._novel[index]].sum(1)
        return np.flatnonzero(shared == 1)

    def _capped(self, candidates: Indices, cap: int, index: int, name: int | str) -> Indices:
        """Return what the released code keeps of a list in file order: at most ``cap``, late ones more likely.

        Beyond the cap every new candidate takes the place of a uniformly drawn one.
        """
        if len(candidates) <= cap:
            return candidates
        rng = randomness.generator(self._seed, "pair list", index, name)
        kept = candidates[:cap].copy()
        kept[rng.integers(cap, size=len(candidates) - cap)] = candidates[cap:]  # of equal places the last one counts
        return kept


def _membership(labels: Sequence[frozenset[int]], classes: Sequence[int]) -> NDArray[np.bool_]:
    """Return (images, classes) bool: which image has which class."""
    table = np.zeros((len(labels), len(classes)), dtype=bool)
    column = {c: k for k, c in enumerate(classes)}
    for row, present in zip(table, labels, strict=True):
        row[[column[c] for c in present if c in column]] = True
    return table


def _overlapping(table: NDArray[np.bool_], index: int) -> Indices:
    """Return the rows that share at least one class with row ``index``, which itself is among them if it has any."""
    return np.flatnonzero(table[:, table[index]].any(1))
