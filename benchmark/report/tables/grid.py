"""A table before it is typeset: in each cell the values of this run, of the paper and of others, as texts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple, cast

from benchmark.report.scores.estimates import CellEstimate, Results, Status, printed_decimals
from benchmark.report.scores.intervals import Draws, Interval, over_images, over_seeds
from benchmark.report.scores.replication import of_cell
from benchmark.report.tables.cell_spec import NOTES, OURS, PAPER, CellSpec
from benchmark.wording import plural

NOTHING = "--"
UNAVAILABLE: Status = "not available yet"

Kind = Literal["value", "difference", "verdict", "seeds", "replicates", "base", "miou"]


@dataclass(frozen=True)
class RunResults:
    """A run whose values stand in a table.

    Attributes:
        name: ``ours``, or under which a run of somebody else was imported.
        results: its estimates.
        draws: of the test images of its evaluations by key; ``None`` where no interval over images is shown.
        verdicts: on its cells; empty where none is shown.
        by: who made it; empty where nobody said so.
    """

    name: str
    results: Results
    draws: Mapping[str, Draws] | None = None
    verdicts: Mapping[tuple[str, str], str] = field(default_factory=dict)
    by: str = ""

    def cell(self, row: str, column: str) -> CellEstimate | None:
        return self.results.estimates.get((row, column))


class CellPart(NamedTuple):
    """What stands at one place of every cell: a kind of number, of whom or to whom, and its heading."""

    kind: Kind
    whose: str
    title: str

    @property
    def computed(self) -> bool:
        """Whether it is the value of a run."""
        return self.kind == "value" and self.whose != PAPER

    @property
    def printed(self) -> bool:
        """Whether it is the paper's value."""
        return self.kind == "value" and self.whose == PAPER


class Entry(NamedTuple):
    """One part of one cell.

    Attributes:
        text: rounded, or words where there is no number.
        notes: what stands with it: spread, intervals, how many seeds.
        number: unrounded.
        best: whether it is the best of its column.
    """

    text: str
    notes: tuple[str, ...] = ()
    number: float | None = None
    best: bool = False

    def __str__(self) -> str:
        return " ".join((self.text, *self.notes))


@dataclass(frozen=True)
class Grid:
    """The parts of all cells of a table, for the format that typesets them.

    Attributes:
        ours: this run.
        others: runs of other people, in the order asked for.
        spec: what to show.
        default: what the format shows by itself: pieces of ``CellSpec``; ``paper`` is all that is asked against.
    """

    ours: RunResults
    others: tuple[RunResults, ...] = ()
    spec: CellSpec = field(default_factory=CellSpec)
    default: tuple[str, ...] = (OURS, "sd", PAPER)

    @property
    def results(self) -> Results:
        return self.ours.results

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """What is shown, of ``CellSpec``."""
        if self.spec.columns:
            return self.spec.columns
        return tuple(
            name
            for piece in self.default
            for name in (self.spec.against if piece == PAPER else (piece,))
            if piece != "difference" or self._compared
        )

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """The pieces that stand with a value."""
        return tuple(piece for piece in self.pieces if piece in NOTES)

    @cached_property
    def references(self) -> tuple[str, ...]:
        """Whose values this run's are set against: of those asked for, the paper only where it prints any."""
        return tuple(name for name in self.spec.against if name != PAPER or self.results.printed)

    @cached_property
    def parts(self) -> tuple[CellPart, ...]:
        """What each cell consists of, from left to right."""
        return tuple(part for piece in self.pieces if piece not in NOTES for part in self._parts(piece))

    @property
    def rows(self) -> tuple[str, ...]:
        return self.results.rows

    @property
    def columns(self) -> tuple[str, ...]:
        return self.results.columns

    @cached_property
    def decimals(self) -> int:
        """Of what was computed."""
        return self.printed_decimals if self.spec.precision is None else self.spec.precision

    @cached_property
    def printed_decimals(self) -> int:
        return printed_decimals(self.results.table)

    @cached_property
    def unavailable(self) -> tuple[str, ...]:
        """The rows of which no cell can be made here."""
        return tuple(
            row for row in self.rows if all(self.results[row, column].status == UNAVAILABLE for column in self.columns)
        )

    def entries(self, row: str, column: str) -> tuple[Entry, ...]:
        """Return the parts of one cell."""
        return tuple(self._entry(part, row, column) for part in self.parts)

    def intervals(self, run: RunResults, cell: CellEstimate) -> Iterator[tuple[str, Interval | None]]:
        """Yield ``interval`` and ``images`` with what they are, of those that are shown."""
        for note in self.notes:
            if note == "interval":
                seeds = over_seeds(run.results, cell)
                yield note, seeds.interval if seeds else None
            elif note == "images":
                yield note, None if run.draws is None else over_images(run.results, cell, run.draws)

    def run(self, name: str) -> RunResults:
        return next(run for run in (self.ours, *self.others) if run.name == name)

    def value(self, whose: str, row: str, column: str) -> float | None:
        """Return the unrounded novel mIoU of a run, or what is printed."""
        if whose == PAPER:
            return self.results[row, column].paper
        cell = self.run(whose).cell(row, column)
        return cell.mean if cell else None

    @cached_property
    def best(self) -> Mapping[str, float]:
        """Column -> the highest mean of this run that is shown, where two rows or more compete."""
        if not self.results.table.best:
            return {}
        bounds = {row.label for row in self.results.table.rows if row.bound}
        found: dict[str, float] = {}
        for column in self.columns:
            means = [self.results[row, column].mean for row in self.rows if row not in bounds]
            known = [round(mean, self.decimals) for mean in means if mean is not None]
            if len(known) > 1:
                found[column] = max(known)
        return found

    @property
    def bounds(self) -> tuple[str, ...]:
        """The rows that are shown and do not compete."""
        return tuple(row.label for row in self.results.table.rows if row.bound and row.label in self.rows)

    @property
    def _compared(self) -> bool:
        """Whether a difference is shown unasked: to the only reference, and to printed values if they compare."""
        return len(self.references) == 1 and (self.references != (PAPER,) or self.results.comparable)

    def _parts(self, piece: str) -> Iterator[CellPart]:
        if piece == OURS or piece in self.spec.against:
            if piece == OURS or piece in self.references:
                yield CellPart("value", piece, piece)
        elif piece == "difference":
            for name in self.references:
                yield CellPart("difference", name, "diff." if len(self.references) == 1 else f"diff. to {name}")
        else:
            yield CellPart(cast("Kind", piece), OURS, piece)

    def _entry(self, part: CellPart, row: str, column: str) -> Entry:
        if part.kind == "value":
            return self._printed(row, column) if part.whose == PAPER else self._value(part.whose, row, column)
        if part.kind == "difference":
            ours, theirs = self.value(OURS, row, column), self.value(part.whose, row, column)
            difference = None if ours is None or theirs is None else ours - theirs
            return Entry(NOTHING if difference is None else self._signed(difference), number=difference)
        return self._fact(part.kind, self.results[row, column])

    def _signed(self, number: float) -> str:
        """Return ``+1.2``, ``-0.3`` or ``0.0``."""
        text = f"{number:+.{self.decimals}f}"
        return text if float(text) else text[1:]

    def _printed(self, row: str, column: str) -> Entry:
        number = self.results[row, column].paper
        return Entry(NOTHING if number is None else f"{number:.{self.printed_decimals}f}", number=number)

    def _value(self, whose: str, row: str, column: str) -> Entry:
        run = self.run(whose)
        cell = run.cell(row, column)
        if cell is None:
            return Entry(NOTHING)
        if cell.mean is None:
            return Entry(cell.status)
        best = whose == OURS and round(cell.mean, self.decimals) == self.best.get(column) and row not in self.bounds
        return Entry(f"{cell.mean:.{self.decimals}f}", tuple(self._notes(run, cell)), cell.mean, best)

    def _notes(self, run: RunResults, cell: CellEstimate) -> Iterator[str]:
        if "sd" in self.notes and cell.sd is not None:
            yield f"± {cell.sd:.{self.decimals}f}"
        for note, interval in self.intervals(run, cell):
            if interval is not None and interval.low < interval.high:
                ends = f"{interval.low:.{self.decimals}f}, {interval.high:.{self.decimals}f}"
                yield f"[{ends}]" if note == "interval" else f"({ends})"
        if cell.status == "partial":
            yield f"({cell.n_seeds} of {plural(len(run.results.seeds), 'seed')})"

    def _fact(self, kind: Kind, cell: CellEstimate) -> Entry:
        if kind == "verdict":
            return Entry(self.ours.verdicts.get((cell.row, cell.column), NOTHING))
        if kind == "seeds":
            return Entry(str(cell.n_seeds), number=cell.n_seeds)
        if kind == "replicates":
            return self._replicates(cell)
        number = cell.base if kind == "base" else cell.overall
        return Entry(NOTHING if number is None else f"{number:.{self.decimals}f}", number=number)

    def _replicates(self, cell: CellEstimate) -> Entry:
        """Return how far a cell is from its replicates."""
        apart = of_cell(cell)
        if apart.mean is None:
            return Entry(NOTHING)
        notes = () if apart.sd is None else (f"± {apart.sd:.{self.decimals}f}",)
        return Entry(self._signed(apart.mean), notes, apart.mean)
