"""How far apart results of the same seeds are that were made twice: rounding on another machine, grown by training.

Two results with the same key have the same data, settings and seed. How much their values differ is to be seen beside
how much those of two seeds do: where it is as much, a seed does not pin a value down any better than another seed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from statistics import fmean, stdev

from benchmark.report.estimates import Estimate, Scores, Sheet

Pair = tuple[Scores, Scores]  # ours and theirs, of the same key


@dataclass(frozen=True)
class Divergence:
    """What lies between results of the same keys.

    Attributes:
        differences: ours minus theirs in points of novel mIoU, one for each pair of values.
        same: number of values that were left out because both are the same, as they are from one environment.
        seed_sd: standard deviation of the difference between two seeds of the same cells, in points; ``None`` where no
            cell has two.
    """

    differences: tuple[float, ...]
    same: int = 0
    seed_sd: float | None = None

    @property
    def mean(self) -> float | None:
        return fmean(self.differences) if self.differences else None

    @property
    def sd(self) -> float | None:
        """Sample standard deviation of the differences."""
        return stdev(self.differences) if len(self.differences) > 1 else None

    @property
    def largest(self) -> float | None:
        return max(map(abs, self.differences), default=None)

    def __str__(self) -> str:
        """Return ``by up to 3.60 points: SD of the differences 1.60 (between two seeds 1.75), mean +0.12``."""
        seeds = "" if self.seed_sd is None else f" (between two seeds {self.seed_sd:.2f})"
        spread = "" if self.sd is None else f": SD of the differences {self.sd:.2f}{seeds}, mean {self.mean:+.2f}"
        return f"by up to {self.largest or 0.0:.2f} points{spread}"


def replicated_words(apart: Divergence) -> str:
    """Return how far replicates are apart from a run's own values; there is at least one."""
    number = len(apart.differences)
    return f"The same seeds in another environment (replicates): {number} value{'s'[: number != 1]} differ {apart}"


def of_cell(cell: Estimate) -> Divergence:
    """Return how far the replicates of a cell are from it."""
    return _divergence([(cell, _replicated(cell))])


def of_replicates(sheet: Sheet) -> Divergence:
    """Return how far the replicates of all cells of a table are from them."""
    return _divergence((cell, _replicated(cell)) for cell in sheet)


def between(ours: Sheet, theirs: Sheet) -> Divergence:
    """Return how far the values of two runs are apart that have the same keys and the same novel classes."""
    alike = {column for column, split in ours.splits.items() if theirs.splits.get(column) == split}
    others = [(cell, theirs.estimates.get((cell.row, cell.column))) for cell in ours if cell.column in alike]
    shared = [(cell, list(_shared(cell, other))) for cell, other in others if other]
    unequal = [(cell, [(one, other) for one, other in pairs if one != other]) for cell, pairs in shared]
    same = sum(len(pairs) for _, pairs in shared) - sum(len(pairs) for _, pairs in unequal)
    return replace(_divergence(unequal), same=same)


def _replicated(cell: Estimate) -> Iterator[Pair]:
    for seed in _seeds(cell):
        yield from ((cell.scores[seed], theirs) for theirs in cell.replicates.get(seed, ()))


def _shared(ours: Estimate, theirs: Estimate) -> Iterator[Pair]:
    for seed in _seeds(ours):
        if seed in theirs.scores and theirs.keys[seed] == ours.keys[seed]:
            yield ours.scores[seed], theirs.scores[seed]


def _seeds(cell: Estimate) -> Iterable[int]:
    """Return the finished seeds of a cell, one of those that share a result."""
    return {cell.keys[seed]: seed for seed in cell.scores}.values()


def _divergence(found: Iterable[tuple[Estimate, Iterable[Pair]]]) -> Divergence:
    pairs = [(cell, list(several)) for cell, several in found]
    return Divergence(
        differences=tuple(ours.novel - theirs.novel for _, several in pairs for ours, theirs in several),
        seed_sd=_seed_sd(cell for cell, several in pairs if several),
    )


def _seed_sd(cells: Iterable[Estimate]) -> float | None:
    """Return the standard deviation of the difference between two seeds: of one seed, pooled over cells, times √2."""
    spreads = [(cell.n_seeds - 1, sd) for cell in cells if (sd := cell.sd) is not None]
    freedom = sum(df for df, _ in spreads)
    return (2 * sum(df * sd**2 for df, sd in spreads) / freedom) ** 0.5 if freedom else None
