"""Which way of computing a mean IoU explains printed values, and which cells look like those of another split.

A way explains a cell up to a distance: how far its number is from the interval that was rounded to the printed one. The
mean distance over the cells orders the ways; a single cell that is far off for reasons of its own does not turn it, as
it would a mean square. Cells that share an evaluation share one vote. If errors have a Laplace distribution whose width
nobody knows, one way is (mean distance of the other / its own) to the power of the votes times as likely as the other;
it is said to explain better only from ``ODDS`` times the number of alternatives that were tried.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import log
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmark.metrics import Counts
from benchmark.report.claims.anomalies import Observation, observe
from benchmark.report.claims.tolerance import Tolerance, tolerance
from benchmark.report.scores.conventions import READINGS, ClassSet, Reading, Sets, class_sets, read_all
from benchmark.report.scores.estimates import CellEstimate, Results, Scored, assemble, printed_decimals, score
from benchmark.report.scores.evaluations import Evaluation, Facts, evaluations, facts, read_each

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.store import Store
    from benchmark.tables import Table

ODDS = 20.0
FLOOR = 0.01  # points of mean distance: a tenth of a printed digit; below it nothing is better or worse

RowColumn = tuple[str, str]


class Fit(NamedTuple):
    """How well numbers explain printed values.

    Attributes:
        distance: mean over the votes, in points of mIoU.
        votes: cells, those that share an evaluation together one.
        inside: cells within the tolerance.
        cells: all of them.
    """

    distance: float
    votes: float
    inside: int
    cells: int

    def beats(self, other: "Fit", tried: int = 1) -> bool:
        """Whether this explains the same cells better than another, chosen from so many alternatives."""
        return self.votes * log(max(other.distance, FLOOR) / max(self.distance, FLOOR)) >= log(ODDS * tried)


class Swap(NamedTuple):
    """Cells of a column that the novel classes of another split explain, and how well these and their own do."""

    column: str
    rows: tuple[str, ...]
    split: str
    fit: Fit
    own: Fit


class Explanation(NamedTuple):
    """Readings that give the same numbers on every cell, and how well these explain the printed ones.

    ``swaps`` are the cells that they explain by the classes of another split; the fit is with these.
    """

    readings: tuple[Reading, ...]
    swaps: tuple[Swap, ...]
    fit: Fit

    @property
    def name(self) -> str:
        return " = ".join(reading.name for reading in self.readings)


@dataclass(frozen=True)
class Forensics:
    """A table read in every way.

    Attributes:
        results: the estimates.
        values: name of a reading -> cell -> mean over its seeds, for cells with a number.
        explanations: best first; none where values are not compared with printed ones.
        matching: cells that agree with the printed digits when rounded, and when cut off, in the best reading.
        absent: names of the classes that the ground truth of no evaluation shows.
        ignored: share of the pixels that is ignored, 0..1; the largest of the evaluations.
        observations: what is wrong with the results themselves.
        tolerance: of every cell.
    """

    results: Results
    values: Mapping[str, Mapping[RowColumn, float]]
    explanations: tuple[Explanation, ...]
    matching: tuple[int, int]
    absent: tuple[str, ...]
    ignored: float
    observations: tuple[Observation, ...]
    tolerance: Tolerance

    @property
    def rivals(self) -> tuple[Explanation, ...]:
        """The best explanation, and those that explain as well as far as anyone can tell."""
        best = self.explanations[:1]
        return tuple(one for one in self.explanations if one in best or not best[0].fit.beats(one.fit))


def examine(plan: "Plan", table: "Table", store: "Store") -> Forensics:
    """Return one table of a plan, read in every way. Raises BenchmarkError for damaged counts."""
    found = evaluations(plan, table, store)
    sets = class_sets(plan.splits, len(plan.dataset.classes))
    read = read_each(found, store, partial(_look, sets))
    known = {key: seen for key, (_, seen, _) in read.items()}
    results = assemble(plan, table, store, {key: scores for key, (scores, _, _) in read.items()})
    held = tolerance(0.5 * 10.0 ** -printed_decimals(table))
    cells = _Cells(results, {key: means for key, (_, _, means) in read.items()}, held)
    explanations = cells.explanations([*plan.splits]) if results.comparable else ()
    best = explanations[0].readings[0] if explanations else READINGS[0]
    absent = set.intersection(*({*one.absent} for one in known.values())) if known else set()
    return Forensics(
        results=results,
        values={reading.name: cells.values(reading) for reading in READINGS},
        explanations=explanations,
        matching=cells.matching(best) if explanations else (0, 0),
        absent=tuple(plan.dataset.classes[i] for i in sorted(absent)),
        ignored=max((one.ignored for one in known.values()), default=0.0),
        observations=observe(found, known, store),
        tolerance=held,
    )


Means = Mapping[str, Mapping[tuple[str, ClassSet], float]]  # reading -> set of classes -> mean over it


def _look(sets: Sets, evaluation: Evaluation, counts: Counts) -> tuple[Scored, Facts, Means]:
    return score(evaluation, counts), facts(counts), read_all(counts, sets)


class _Cells:
    """The cells of a table in every reading.

    Args:
        results: the estimates.
        read: key of an evaluation -> reading -> mean over every set.
        held: the tolerance of every cell.
    """

    def __init__(self, results: Results, read: Mapping[str, Means], held: Tolerance) -> None:
        self._results, self._read, self._held = results, read, held
        self._scored = [cell for cell in results if cell.scores]
        self._printed = [cell for cell in self._scored if cell.paper is not None]

    def values(self, reading: Reading) -> dict[RowColumn, float]:
        """Return the number of every cell that has one."""
        return {(cell.row, cell.column): self._value(cell, reading) for cell in self._scored}

    def explanations(self, splits: Sequence[str]) -> tuple[Explanation, ...]:
        """Return all readings, those that cannot differ here together, the best first.

        Args:
            splits: of the dataset, whose classes a cell may have been printed for by mistake.
        """
        alike: dict[tuple[float, ...], list[Reading]] = {}
        for reading in READINGS:
            numbers = tuple(round(self._value(cell, reading), 9) for cell in self._printed)
            if numbers and not np.isnan(numbers).any():
                alike.setdefault(numbers, []).append(reading)
        found = [self._explanation(readings, splits) for readings in alike.values()]
        return tuple(sorted(found, key=lambda one: one.fit.distance))

    def _explanation(self, readings: Sequence[Reading], splits: Sequence[str]) -> Explanation:
        swaps = tuple(self._swaps(readings[0], splits))
        taken = {(row, swap.column): swap.split for swap in swaps for row in swap.rows}
        values = [self._value(cell, readings[0], taken.get((cell.row, cell.column), "")) for cell in self._printed]
        return Explanation(tuple(readings), swaps, self._fit(self._printed, values))

    def _swaps(self, reading: Reading, splits: Sequence[str]) -> Iterator[Swap]:
        """Yield, column by column, the split whose novel classes explain cells that their own do not."""
        for column in self._results.columns:
            cells = [cell for cell in self._printed if cell.column == column]
            others = [name for name in splits if name != self._results.splits[column].name] if cells else []
            tried = len(self._results.columns) * len(others) * 2 ** len(cells)
            found = [swap for name in others if (swap := self._swap(reading, cells, name, tried))]
            if found:
                yield min(found, key=lambda swap: (-swap.fit.cells, swap.fit.distance))

    def matching(self, reading: Reading) -> tuple[int, int]:
        """Return how many cells have the printed digits when rounded, and when cut off."""
        half = self._held.rounding + 1e-9
        above = [self._value(cell, reading) - (cell.paper or 0.0) for cell in self._printed]
        return sum(abs(one) <= half for one in above), sum(-1e-9 <= one < 2 * half for one in above)

    def _swap(self, reading: Reading, cells: Sequence[CellEstimate], split: str, tried: int) -> Swap | None:
        """Return the cells that are off in their own split and not in another, unless chance would do that too."""
        chosen = [cell for cell in cells if self._off(cell, reading) and not self._off(cell, reading, split)]
        if not chosen:
            return None
        fit = self._fit(chosen, [self._value(cell, reading, split) for cell in chosen])
        own = self._fit(chosen, [self._value(cell, reading) for cell in chosen])
        rows = tuple(cell.row for cell in chosen)
        return Swap(chosen[0].column, rows, split, fit, own) if fit.beats(own, tried) else None

    def _off(self, cell: CellEstimate, reading: Reading, split: str = "") -> bool:
        distance = self._distance(cell, self._value(cell, reading, split))
        return not distance <= self._held.size - self._held.rounding  # NaN is off

    def _value(self, cell: CellEstimate, reading: Reading, split: str = "") -> float:
        """Return the mean over the finished seeds, over the classes of the cell's own split or of another."""
        members = split or self._results.splits[cell.column].name, reading.classes
        return fmean(self._read[cell.keys[seed]][reading.name][members] for seed in cell.scores)

    def _distance(self, cell: CellEstimate, value: float) -> float:
        """Return how far a number is from what was rounded to the printed one, in points."""
        assert cell.paper is not None  # only printed cells are asked for
        return max(abs(value - cell.paper) - self._held.rounding, 0.0)

    def _fit(self, cells: Sequence[CellEstimate], values: Sequence[float]) -> Fit:
        shared = Counter(frozenset(cell.keys.values()) for cell in cells)
        votes = [1 / shared[frozenset(cell.keys.values())] for cell in cells]
        distances = [self._distance(cell, value) for cell, value in zip(cells, values, strict=True)]
        total = sum(vote * distance for vote, distance in zip(votes, distances, strict=True))
        inside = sum(distance <= self._held.size - self._held.rounding for distance in distances)
        return Fit(total / sum(votes), sum(votes), inside, len(cells))
