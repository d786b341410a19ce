"""Table files: rows, columns and the values that the paper prints."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from benchmark.errors import BenchmarkError, unknown
from benchmark.orderings import Ordering
from benchmark.table_files import is_table_path, table_files, table_names, today
from benchmark.validation import validated
from benchmark.wording import check_lines, plural
from benchmark.yaml12 import load_mapping


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Row(_Model):
    """A method with a variant; ``set`` changes dotted settings. An optional row's method need not be installed.

    In a plot of ``steps`` the row is the point of line ``curve`` at ``step``. A ``bound`` learns from more than the
    other rows do, as FullyOracle from the masks of novel classes, so that it does not compete with them.
    """

    label: str
    method: str
    variant: str = ""
    optional: bool = False
    set: Mapping[str, Any] = Field(default_factory=dict)
    curve: str = ""
    step: str = ""
    bound: bool = False


class Column(_Model):
    """A split, or a swept setting on a split."""

    label: str
    split: str
    set: Mapping[str, Any] = Field(default_factory=dict)


class Plot(_Model):
    """How the table is drawn.

    Attributes:
        kind: ``lines`` has a line a column, ``row_bars`` a group of bars a row; ``grouped_bars`` and ``curve`` have a
            series a row; ``steps`` has a panel a column, with a line a ``curve`` of the rows.
        x: ``column``, ``novel_ratio``, or the last part of a dotted setting that rows or columns set.
        label: what stands under the axis, where x does not say it.
        nominal: positions that the paper prints for its columns, in the unit of x.
        scored: for ``steps``: what is scored -> the steps at which it is, all in the order of the axis. What is scored
            on other images does not compare, so a line is dashed where it goes on from one to the next.
    """

    kind: Literal["lines", "row_bars", "grouped_bars", "curve", "steps"]
    x: str = "column"
    label: str = ""
    nominal: tuple[float, ...] = ()
    scored: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)

    @property
    def bars(self) -> bool:
        return self.kind in {"row_bars", "grouped_bars"}

    @property
    def along_rows(self) -> bool:
        """Whether rows stand along the axis and columns are series, or the other way round."""
        return self.kind in {"row_bars", "lines"}

    @property
    def steps(self) -> tuple[str, ...]:
        """All steps in the order of the axis."""
        return tuple(step for steps in self.scored.values() for step in steps)


class TableCell(NamedTuple):
    """Where a row meets a column, and the value printed there."""

    row: Row
    column: Column
    printed: float | None

    @property
    def overrides(self) -> dict[str, Mapping[str, Any]]:
        """Who sets what: the row, then the column, which wins."""
        return {f"row {self.row.label!r}": self.row.set, f"column {self.column.label!r}": self.column.set}


class Table(_Model):
    """A table of the paper or of the user.

    Attributes:
        name: as on the command line.
        title: as in a caption.
        metric: what a cell shows.
        source: where the printed values come from.
        dataset: what the printed values refer to.
        columns, rows: what is crossed.
        paper: row label -> printed value of each column, ``None`` where nothing is printed.
        orderings: statements about rows that the paper's text makes, checked against our numbers.
        reported: column that is reported whatever the others have; captions say which of them was the best in each row.
        plot: how the table is drawn.
        best: whether rows compete, so that typeset forms mark the best of each column; bounds apart.
    """

    name: str
    title: str
    metric: Literal["novel_miou"] = "novel_miou"
    source: str = ""
    dataset: str = ""
    columns: tuple[Column, ...] = Field(min_length=1)
    rows: tuple[Row, ...] = Field(min_length=1)
    paper: Mapping[str, tuple[float | None, ...]] = Field(default_factory=dict)
    orderings: tuple[str, ...] = ()
    reported: str = ""
    plot: Plot = Plot(kind="grouped_bars")
    best: bool = True

    @model_validator(mode="after")
    def _consistent(self) -> "Table":
        check_lines(self.model_dump())
        faults = [
            *self._repeated(),
            *self._misprinted(),
            *self._unreported(),
            *self._misplaced(),
            *self._misstepped(),
            *self._misordered(),
        ]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _repeated(self) -> Iterator[str]:
        for kind, members in (("row", self.rows), ("column", self.columns)):
            times = Counter(member.label for member in members)
            yield from (f"two {kind}s are called {label!r}" for label, n in times.items() if n > 1)

    def _misprinted(self) -> Iterator[str]:
        labels, columns = [row.label for row in self.rows], plural(len(self.columns), "column")
        for label, values in self.paper.items():
            if label not in labels:
                yield str(unknown("row", label, labels, "paper"))
            elif len(values) != len(self.columns):
                yield f"paper has {plural(len(values), 'value')} for row {label!r}; the table has {columns}"
        if self.plot.nominal and len(self.plot.nominal) != len(self.columns):
            yield f"plot has {plural(len(self.plot.nominal), 'nominal position')}; the table has {columns}"

    def _unreported(self) -> Iterator[str]:
        labels = [column.label for column in self.columns]
        if self.reported and self.reported not in labels:
            yield str(unknown("column", self.reported, labels, "reported")).removesuffix(".")

    def _misplaced(self) -> Iterator[str]:
        """Say which rows or columns along the plot's axis have no place on it."""
        x = self.plot.x
        if x == "column" or (x == "novel_ratio" and not self.plot.along_rows):
            return
        along = self.rows if self.plot.along_rows else self.columns
        lost = [repr(one.label) for one in along if swept(one, x) is None]
        if lost:
            yield (
                f"the plot's x is {x!r}, but no number of that name is set by {', '.join(lost)}; give each row or "
                f"column along the axis a `set` with it, or let x be `column`"
            )

    def _misstepped(self) -> Iterator[str]:
        """Say what keeps the rows from being points of lines over steps."""
        plot, steps = self.plot, self.plot.steps
        if plot.kind != "steps":
            if plot.scored:
                yield f"plot.scored belongs to kind steps, not to kind {plot.kind}"
            return
        if plot.x != "column" or plot.label or plot.nominal:
            yield "plot has x, label or nominal, but along the axis of kind steps stand those of plot.scored"
        yield from (f"plot.scored names no step of {name!r}" for name, own in plot.scored.items() if not own)
        yield from (f"plot.scored names step {step!r} twice" for step, n in Counter(steps).items() if n > 1)
        for row in self.rows:
            if not row.curve or not row.step:
                yield f"row {row.label!r} has no {'step' if row.curve else 'curve'}, which a plot of steps needs"
            elif row.step not in steps:
                where = f"row {row.label!r}; plot.scored names them"
                yield str(unknown("step", row.step, steps, where)).removesuffix(".")
        taken = Counter((row.curve, row.step) for row in self.rows if row.curve and row.step)
        yield from (f"two rows are step {step!r} of curve {curve!r}" for (curve, step), n in taken.items() if n > 1)
        unused = [repr(step) for step in dict.fromkeys(steps) if step not in {row.step for row in self.rows}]
        if unused:
            yield f"no row is at the steps {', '.join(unused)} of plot.scored"

    def _misordered(self) -> Iterator[str]:
        for text in self.orderings:
            try:
                self._claim(text)
            except BenchmarkError as error:
                yield str(error).removesuffix(".")

    def _claim(self, text: str) -> Ordering:
        return Ordering.parse(text, (row.label for row in self.rows), (column.label for column in self.columns))

    def claims(self) -> tuple[Ordering, ...]:
        """Return the orderings, read."""
        return tuple(self._claim(text) for text in self.orderings)

    def cells(self) -> Iterator[TableCell]:
        """Yield every cell, row by row."""
        for row in self.rows:
            printed = self.paper.get(row.label, (None,) * len(self.columns))
            yield from (TableCell(row, column, value) for column, value in zip(self.columns, printed, strict=True))


def swept(one: Row | Column, setting: str) -> float | None:
    """Return the number that a row or column gives the one setting whose last part is ``setting``, if it does."""
    values = [value for name, value in one.set.items() if name.rpartition(".")[2] == setting]
    return float(values[0]) if len(values) == 1 and isinstance(values[0], int | float) else None


def load_table(name_or_path: str) -> Table:
    """Return a table by name (``3``, of another paper ``mcis/1``) or path.

    Raises BenchmarkError with every error of the file.
    """
    if is_table_path(name_or_path):
        return _read(Path(name_or_path))
    name, shipped = today(name_or_path), table_files()
    if name not in shipped:
        raise unknown("table", name_or_path, table_names(), "--table (a path ends in .yaml)")
    table = _read(shipped[name])
    if table.name != name:
        raise BenchmarkError(f"{shipped[name]}: says table {table.name!r}, its place {name!r}. Make them agree.")
    return table


def _read(path: Path) -> Table:
    return validated(Table, load_mapping(path, "a table maps name, title, columns, rows, ... to values"), str(path))
