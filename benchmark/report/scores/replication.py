"""How far apart results of the same seeds are that were made twice: rounding on another machine, grown by training.

Two results with the same key have the same data, settings and seed. How much their values differ is to be seen beside
how much those of two seeds do: where it is as much, a seed does not pin a value down any better than another seed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import fmean, stdev

from benchmark.report.scores.estimates import CellEstimate, Results, Scores
from benchmark.splits import split_digest

ScoresPair = tuple[Scores, Scores]  # ours and theirs, of the same key


@dataclass(frozen=True)
class Divergence:
    """What lies between results of the same keys.

    Attributes:
        differences: ours minus theirs in points of novel mIoU, one for each pair of values that are not the same.
        same: number of pairs that are, as they are from one environment.
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


def replicates_words(results: Results) -> str:
    """Return the sentence on the replicates of a table, nothing where there are none."""
    apart = of_replicates(results)
    number = len(apart.differences)
    values = "1 value differs" if number == 1 else f"{number} values differ"
    return f"The same seeds in another environment (replicates): {values} {apart}." if number else ""


def shared_words(ours: Results, theirs: Results) -> str:
    """Return how far the values of another run are from ours that have the same keys, nothing where none has."""
    apart = between(ours, theirs)
    number = len(apart.differences)
    differ = "none differs" if not number else f"1 differs {apart}" if number == 1 else f"{number} differ {apart}"
    shared = number + apart.same
    return f"of {shared} value{'s'[: shared != 1]} of the same stages and seeds, {differ}" if shared else ""


def unlike_splits(ours: Results, theirs: Results) -> tuple[str, ...]:
    """Return the names of the splits that both have and that are not the same classes."""
    shared = (name for name in ours.splits if name in theirs.splits)
    return tuple(name for name in shared if split_digest(ours.splits[name]) != split_digest(theirs.splits[name]))


def of_cell(cell: CellEstimate) -> Divergence:
    """Return how far the replicates of a cell are from it."""
    return _divergence([(cell, _replicated(cell))])


def of_replicates(results: Results) -> Divergence:
    """Return how far the replicates of all cells of a table are from them."""
    return _divergence((cell, _replicated(cell)) for cell in results)


def between(ours: Results, theirs: Results) -> Divergence:
    """Return how far the values of two runs are apart that have the same keys and the same novel classes."""
    alike = {column for column, split in ours.splits.items() if theirs.splits.get(column) == split}
    others = [(cell, theirs.estimates.get((cell.row, cell.column))) for cell in ours if cell.column in alike]
    return _divergence((cell, _shared(cell, other)) for cell, other in others if other)


def _replicated(cell: CellEstimate) -> Iterator[ScoresPair]:
    for seed in {cell.keys[seed]: seed for seed in cell.scores}.values():  # those that share a result once
        yield from ((cell.scores[seed], theirs) for theirs in cell.replicates.get(seed, ()))


def _shared(ours: CellEstimate, theirs: CellEstimate) -> Iterator[ScoresPair]:
    first, second = ({cell.keys[seed]: scores for seed, scores in cell.scores.items()} for cell in (ours, theirs))
    yield from ((first[key], second[key]) for key in first if key in second)


def _divergence(found: Iterable[tuple[CellEstimate, Iterable[ScoresPair]]]) -> Divergence:
    pairs = [(cell, ours, theirs) for cell, several in found for ours, theirs in several]
    unequal = [(cell, ours.novel - theirs.novel) for cell, ours, theirs in pairs if ours != theirs]
    return Divergence(
        differences=tuple(difference for _, difference in unequal),
        same=len(pairs) - len(unequal),
        seed_sd=_seed_sd({(cell.row, cell.column): cell for cell, _ in unequal}.values()),
    )


def _seed_sd(cells: Iterable[CellEstimate]) -> float | None:
    """Return the standard deviation of the difference between two seeds: of one seed, pooled over cells, times √2."""
    spreads = [(cell.n_seeds - 1, sd) for cell in cells if (sd := cell.sd) is not None]
    freedom = sum(df for df, _ in spreads)
    return (2 * sum(df * sd**2 for df, sd in spreads) / freedom) ** 0.5 if freedom else None
