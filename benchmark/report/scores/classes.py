"""What a run says of every single class: its IoU by each row of a table, over the finished seeds."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.datasets.base import Split
from benchmark.metrics import Counts, iou
from benchmark.report.scores.estimates import CellEstimate, Results, Scored, assemble, score
from benchmark.report.scores.evaluations import Evaluation, evaluations, read_each

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.store import Store
    from benchmark.tables import Table

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClassRow:
    """What one row of a table reaches on each of K classes.

    Attributes:
        cell: its cell, with the means over novel and over base classes.
        values: IoU in percent of S finished seeds, (S, K); NaN where the images scored show nothing of a class.
    """

    cell: CellEstimate
    values: Floats

    @property
    def label(self) -> str:
        return self.cell.row

    @cached_property
    def mean(self) -> Floats:
        """Mean over the seeds, (K,); NaN where there is none."""
        return self.values.mean(axis=0) if len(self.values) else np.full(self.values.shape[1], np.nan)


@dataclass(frozen=True, eq=False)
class ClassPage:
    """The classes of one split, by the rows of a table.

    Attributes:
        results: the table.
        column: label of the column that is shown.
        split: that of the column.
        rows: in the order of the table, those without a finished seed too.
        alone: whether no other column of the same split has a page.
    """

    results: Results
    column: str
    split: Split
    rows: tuple[ClassRow, ...]
    alone: bool

    @property
    def classes(self) -> tuple[str, ...]:
        return self.results.dataset.classes

    @property
    def finished(self) -> tuple[ClassRow, ...]:
        """The rows that have a number."""
        return tuple(row for row in self.rows if len(row.values))

    def ordered(self, ids: Iterable[int]) -> list[int]:
        """Return those of some classes of which any row has an IoU, the highest mean over the rows first."""
        means = {one: values for one in ids if (values := [v for v in self._of(one) if not np.isnan(v)])}
        return sorted(means, key=lambda one: (-float(np.mean(means[one])), one))

    def absent(self) -> dict[tuple[str, ...], list[int]]:
        """Return labels of rows -> ids of the classes of which the images that they score show nothing."""
        found: dict[tuple[str, ...], list[int]] = {}
        for one in range(len(self.classes)):
            rows = tuple(row.label for row in self.finished if np.isnan(row.mean[one]))
            if rows:
                found.setdefault(rows, []).append(one)
        return found

    def _of(self, one: int) -> Iterator[float]:
        return (float(row.mean[one]) for row in self.finished)


def class_pages(plan: "Plan", table: "Table", store: "Store") -> tuple[Results, tuple[ClassPage, ...]]:
    """Return a table, and a page for each split of the selected columns on which any row has a finished seed.

    Of several columns on one split the reported one is shown, or else each has a page. Raises BenchmarkError for
    damaged counts.
    """
    scored = read_each(evaluations(plan, table, store), store, _scored)
    results = assemble(plan, table, store, {key: scores for key, (scores, _) in scored.items()})
    values = {key: ious for key, (_, ious) in scored.items()}
    pages = (
        ClassPage(results, column, results.splits[column], tuple(_rows(results, column, values)), alone)
        for column, alone in _columns(results)
    )
    return results, tuple(page for page in pages if page.finished)


def _scored(evaluation: Evaluation, counts: Counts) -> tuple[Scored, Floats]:
    return score(evaluation, counts), 100 * iou(counts)


def _columns(results: Results) -> Iterator[tuple[str, bool]]:
    """Yield the columns that are shown, and whether each is the only one of its split."""
    splits: dict[str, list[str]] = {}
    for column in results.columns:
        if column in results.splits:
            splits.setdefault(results.splits[column].name, []).append(column)
    for columns in splits.values():
        shown = [column for column in columns if column == results.table.reported] or columns
        yield from ((column, len(shown) == 1) for column in shown)


def _rows(results: Results, column: str, values: dict[str, Floats]) -> Iterator[ClassRow]:
    for label in results.rows:
        cell = results[label, column]
        found = [values[cell.keys[seed]] for seed in cell.scores]
        yield ClassRow(cell, np.array(found).reshape(-1, len(results.dataset.classes)))
