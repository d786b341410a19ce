"""What a page shows of one table: its cells with intervals and verdicts, its orderings comparison by comparison."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from benchmark.report.claims.comparisons import Comparison, OrderingVerdict
from benchmark.report.claims.judge import Judgement
from benchmark.report.html.charts import Chart, chart
from benchmark.report.html.words import mark, sentence, signed, span
from benchmark.report.scores.estimates import CellEstimate, Results, printed_decimals
from benchmark.report.scores.intervals import Interval, over_images, over_seeds
from benchmark.report.tables.captions import caption_lines
from benchmark.report.tables.cell_spec import OURS
from benchmark.report.tables.grid import Grid, RunResults
from benchmark.wording import listed


@dataclass(frozen=True)
class CellRow:
    """A cell.

    Attributes:
        at: whose numbers these are, as ``verify`` names it.
        place: of row and column among those of the table, for sorting.
        estimate: mean and spread.
        seeds, images: intervals of the mean over seeds and over test images.
        verdict: on a printed value, else how the cell stands.
        remark: what the verdict rests on.
    """

    at: str
    place: tuple[int, int]
    estimate: CellEstimate
    seeds: Interval | None
    images: Interval | None
    verdict: str
    remark: str


@dataclass(frozen=True)
class TableView:
    """Everything that the template of a table needs; of a comparison also its place and ordering."""

    judgement: Judgement
    cells: tuple[CellRow, ...]
    comparisons: tuple[tuple[str, str, Comparison], ...]
    chart: Chart | None

    @property
    def results(self) -> Results:
        return self.judgement.results

    @cached_property
    def printed(self) -> bool:
        """Whether there is any printed value."""
        return self.results.printed

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return self.results.columns

    @property
    def name(self) -> str:
        """The table as one calls it: ``Table 3``, ``Table baselines``."""
        return f"Table {self.results.table.name}"

    @property
    def anchor(self) -> str:
        return "table-" + re.sub(r"[^A-Za-z0-9_-]+", "-", self.results.table.name)

    @property
    def caption(self) -> list[str]:
        """The lines under the title, as in the other forms of the table."""
        return caption_lines(Grid(RunResults(OURS, self.results)))[1:]

    @property
    def matrix(self) -> list[tuple[str, list[CellRow]]]:
        """Rows as the paper prints them: a label, and a cell a column."""
        cells = {(cell.estimate.row, cell.estimate.column): cell for cell in self.cells}
        return [(row, [cells[row, column] for column in self.columns]) for row in self.results.rows]

    @property
    def orderings(self) -> list[tuple[OrderingVerdict, str]]:
        """The orderings, each with what it comes to in its columns."""
        return [(one, "; ".join(_ordering_words(one))) for one in self.judgement.orderings]

    @property
    def tally(self) -> str:
        return sentence(one.outcome for _, _, one in self.comparisons)

    @cached_property
    def remarks(self) -> bool:
        """Whether what verdicts rest on differs from cell to cell."""
        return self.results.comparable and any(cell.remark for cell in self.cells)

    @property
    def marks(self) -> list[str]:
        """The verdicts that have a sign, for the line that explains them."""
        return [verdict for verdict in dict.fromkeys(cell.verdict for cell in self.cells) if mark(verdict)]

    @cached_property
    def decimals(self) -> int:
        """How many a printed value has."""
        return printed_decimals(self.results.table)

    @cached_property
    def has_base(self) -> bool:
        return any(cell.estimate.base is not None for cell in self.cells)


def table_view(judgement: Judgement) -> TableView:
    """Return what a page shows of a judgement."""
    results = judgement.results
    return TableView(
        judgement=judgement,
        cells=tuple(_cells(judgement)),
        comparisons=tuple(
            (f"table {results.table.name}, {ordering.ordering}, {one.label}", ordering.ordering, one)
            for ordering in judgement.orderings
            for one in ordering.comparisons
        ),
        chart=chart(results),
    )


def _cells(judgement: Judgement) -> Iterator[CellRow]:
    results, printed = judgement.results, judgement.results.printed
    judged = {(one.estimate.row, one.estimate.column): one for one in judgement.cells}
    rows, columns = ({label: i for i, label in enumerate(labels)} for labels in (results.rows, results.columns))
    for cell in results:
        claim = judged.get((cell.row, cell.column))
        unclaimed = "no printed value" if printed and cell.scores else cell.status
        seeds = over_seeds(results, cell)
        yield CellRow(
            f"table {results.table.name}, {cell.row}, {cell.column}",
            (rows[cell.row], columns[cell.column]),
            cell,
            seeds.interval if seeds else None,
            over_images(results, cell, judgement.draws),
            claim.verdict if claim else unclaimed,
            claim.remark if claim else "",
        )


def _ordering_words(ordering: OrderingVerdict) -> Iterator[str]:
    """Yield the sizes of a single comparison, or which columns came out how."""
    if len(ordering.comparisons) == 1:
        yield _size(ordering.comparisons[0])
        return
    columns: dict[str, list[str]] = {}
    for one in ordering.comparisons:
        columns.setdefault(one.outcome, []).append(one.label)
    for outcome, labels in columns.items():
        everywhere = len(labels) == len(ordering.comparisons)
        yield f"{outcome} in {'every column' if everywhere else listed(labels)}"


def _size(one: Comparison) -> str:
    if one.difference is None:
        return one.reason
    images = f", {span(one.images)} over images" if one.images else ""
    return f"{signed(one.difference)}; {span(one.over_seeds)} over seeds{images}"
