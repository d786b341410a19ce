"""From tables to cells to stages."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark import registry
from benchmark.config import Profile, load_profile, resolve, setting_names
from benchmark.datasets.base import Split
from benchmark.errors import BenchmarkError, unknown
from benchmark.hidden_pixels import check_hidden
from benchmark.registry import Cell, Method
from benchmark.splits import split
from benchmark.splits import splits as splits_of
from benchmark.stage import Stage, closure
from benchmark.tables import Table, TableCell, load_table

if TYPE_CHECKING:
    from benchmark.datasets.base import DatasetInfo
    from benchmark.store import Store

NOT_AVAILABLE = "not available yet"


@dataclass(frozen=True)
class PlannedCell:
    """A cell of a table for one seed.

    Attributes:
        table, row, column: name of the table, labels of row and column.
        method, variant, split, seed: what is claimed.
        printed: the paper's value, in percent.
        stage: the evaluation that yields the cell's counts; ``None`` where it cannot be made.
        reason: why there is no stage.
    """

    table: str
    row: str
    column: str
    method: str
    variant: str
    split: str
    seed: int
    printed: float | None
    stage: Stage | None
    reason: str = ""


@dataclass(frozen=True)
class Plan:
    """What a selection amounts to: cells, and the unique stages that make them.

    Attributes:
        dataset, splits: what the cells refer to; splits by name.
        profile, preset, overrides: what settings came from; ``overrides`` are those of the command line.
        source, data_root: where workers find the dataset: its name or the absolute path of its YAML, and its folder.
        seeds, tables: what was selected.
        cells: one for each row, column and seed.
    """

    dataset: "DatasetInfo"
    splits: Mapping[str, Split]
    profile: Profile
    preset: str
    overrides: Mapping[str, Any]
    source: str
    data_root: Path | None
    seeds: tuple[int, ...]
    tables: tuple[Table, ...]
    cells: tuple[PlannedCell, ...]

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """Every stage once, inputs before users."""
        return tuple(closure(cell.stage for cell in self.cells if cell.stage))

    def of(self, table: str) -> tuple[PlannedCell, ...]:
        """Return the cells of one table, by its name."""
        return tuple(cell for cell in self.cells if cell.table == table)

    def pending(self, store: "Store") -> tuple[Stage, ...]:
        """Return the stages that must be made, in topological order: nothing before a result that exists."""
        wanted: set[str] = set()

        def visit(stage: Stage) -> None:
            if stage.key not in wanted and not store.find(stage):
                wanted.add(stage.key)
                for parent in stage.inputs.values():
                    visit(parent)

        for cell in self.cells:
            if cell.stage:
                visit(cell.stage)
        return tuple(stage for stage in self.stages if stage.key in wanted)

    @cached_property
    def uses(self) -> Mapping[str, list[dict[str, Any]]]:
        """Stage key -> the cells that rest on it, as ``stage.json`` names them."""
        found: dict[str, list[dict[str, Any]]] = {}
        for cell in self.cells:
            names = ("split", "method", "variant", "seed")
            described = {"dataset": self.dataset.name, **{name: getattr(cell, name) for name in names}}
            if self.source != self.dataset.name:  # a dataset of the user's own, which nobody else can look up
                described |= {"classes": list(self.dataset.classes), "novel": list(self.splits[cell.split].novel)}
            for stage in closure([cell.stage] if cell.stage else []):
                users = found.setdefault(stage.key, [])
                if described not in users:
                    users.append(described)
        return found


def build_plan(
    tables: Sequence[Table | str],
    dataset: str,
    profile: str,
    seeds: Sequence[int],
    splits: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    overrides: Sequence[Mapping[str, Any]] = (),
    preset: str = "paper",
    data_root: Path | None = None,
    info: "DatasetInfo | None" = None,
) -> Plan:
    """Return the plan of a selection; it has no cells where nothing matched.

    Args:
        tables: tables, or names or paths of table files.
        dataset: name, or path of a dataset YAML.
        profile: name, or path of a profile YAML.
        seeds: each makes a cell.
        splits: only these; ``None`` is all.
        methods: only these; ``None`` is all.
        overrides: dotted setting -> value; they win over profile and tables, later ones over earlier ones.
        preset: ``paper`` or ``official``.
        data_root: where the dataset lies.
        info: what is known of the dataset, in place of a look at its files.

    Raises:
        BenchmarkError: every wrong name or value of tables, profile and overrides at once.
    """
    from benchmark.datasets.catalog import describe

    loaded = tuple(_with_bounds(load_table(table) if isinstance(table, str) else table) for table in tables)
    _check_names(loaded, methods)
    planner = _Planner(
        info=info or describe(dataset, data_root),
        splits=splits_of(dataset),
        profile=load_profile(profile),
        preset=preset,
        overrides=tuple(overrides),
        only_splits=None if splits is None else {split(dataset, name).name for name in splits},
        only_methods=None if methods is None else set(methods),
    )
    cells = planner.cells(loaded, tuple(seeds))
    merged = {name: value for override in overrides for name, value in override.items()}
    return Plan(
        dataset=planner.info,
        splits=planner.splits,
        profile=planner.profile,
        preset=preset,
        overrides=merged,
        source=dataset if planner.info.name == dataset else str(Path(dataset).absolute()),
        data_root=data_root and data_root.absolute(),
        seeds=tuple(seeds),
        tables=loaded,
        cells=cells,
    )


def _with_bounds(table: Table) -> Table:
    """Return a table in which the rows of methods that learn from more than the task allows are marked as bounds."""
    installed = registry.methods()
    rows = tuple(
        row.model_copy(update={"bound": True}) if getattr(installed.get(row.method), "bound", False) else row
        for row in table.rows
    )
    return table if rows == table.rows else table.model_copy(update={"rows": rows})


def _check_names(tables: Sequence[Table], only_methods: Sequence[str] | None) -> None:
    names = [table.name for table in tables]
    if len(set(names)) < len(names):
        raise BenchmarkError(f"tables need different names, found {', '.join(names)}.")
    known = {*registry.methods(), *(row.method for table in tables for row in table.rows)}
    for name in only_methods or ():
        if name not in known:
            raise unknown("method", name, known, "--methods")


@dataclass(frozen=True)
class _Planner:
    """What is the same for all cells."""

    info: "DatasetInfo"
    splits: Mapping[str, Split]
    profile: Profile
    preset: str
    overrides: tuple[Mapping[str, Any], ...]
    only_splits: AbstractSet[str] | None
    only_methods: AbstractSet[str] | None
    errors: dict[str, None] = field(default_factory=dict)  # in order, each once: cells repeat each other's

    def cells(self, tables: Sequence[Table], seeds: tuple[int, ...]) -> tuple[PlannedCell, ...]:
        self._check_overrides(tables)
        found = tuple(cell for table in tables for cell in self._of_table(table, seeds))
        if self.errors:
            raise BenchmarkError("\n".join(self.errors))
        return found

    def _of_table(self, table: Table, seeds: tuple[int, ...]) -> Iterator[PlannedCell]:
        for cell in table.cells():
            row, column = cell.row, cell.column
            if self.only_methods is not None and row.method not in self.only_methods:
                continue
            if self.only_splits is not None and column.split not in self.only_splits:
                continue
            reason = self._obstacle(table, cell)
            for seed in seeds:
                stage = None if reason else self._stage(table, cell, seed)
                yield PlannedCell(
                    table=table.name,
                    row=row.label,
                    column=column.label,
                    method=row.method,
                    variant=row.variant,
                    split=column.split,
                    seed=seed,
                    printed=cell.printed,
                    stage=stage,
                    reason=reason,
                )

    def _obstacle(self, table: Table, cell: TableCell) -> str:
        """Return why a cell cannot be made here; note an error where that is a mistake of the table."""
        row, known = cell.row, registry.methods()
        where = f"table {table.name}, row {row.label!r}"
        if row.method not in known:
            if not row.optional:
                self._note(unknown("method", row.method, known, where))
            return NOT_AVAILABLE
        if row.variant not in known[row.method].variants:
            if not row.optional:
                self._note(unknown(f"variant of {row.method}", row.variant, known[row.method].variants, where))
            return NOT_AVAILABLE
        if cell.column.split not in self.splits:
            return f"dataset {self.info.name} has no split {cell.column.split}"
        return ""

    def _stage(self, table: Table, cell: TableCell, seed: int) -> Stage | None:
        method = registry.methods()[cell.row.method]
        where = f"table {table.name}, row {cell.row.label!r}, column {cell.column.label!r}"
        try:
            settings = resolve(
                method,
                self.profile,
                self.info.name,
                cell.column.split,
                self.preset,
                {f"table {table.name}, {who}": values for who, values in cell.overrides.items()}
                | {"--set": {name: value for override in self.overrides for name, value in override.items()}},
            )
            made = Cell(self.info, self.splits[cell.column.split], cell.row.variant, seed, settings)
            stage = _with_keys(method.plan(made), where)
            check_hidden(stage, made.split, method.name, where, bound=cell.row.bound)
            return stage
        except BenchmarkError as error:
            self._note(error)
            return None

    def _check_overrides(self, tables: Sequence[Table]) -> None:
        """Note every dotted setting that the method of its row, or no method at all, declares."""
        installed = registry.methods()
        used = [
            installed[row.method]
            for table in tables
            for row in table.rows
            if row.method in installed and (self.only_methods is None or row.method in self.only_methods)
        ]
        for table in tables:
            for row in table.rows:
                if row.method in installed:
                    self._check(row.set, [installed[row.method]], f"table {table.name}, row {row.label!r}")
            for column in table.columns:
                self._check(column.set, installed.values(), f"table {table.name}, column {column.label!r}")
        for override in self.overrides:
            self._check(override, used or installed.values(), "--set")

    def _check(self, override: Mapping[str, Any], declaring: Iterable[Method], where: str) -> None:
        known = setting_names(declaring)
        for name in override:
            if name not in known:
                section = name.partition(".")[0] + "."
                siblings = [one for one in known if one.startswith(section)]
                self._note(unknown("setting", name, siblings or known, where))

    def _note(self, error: BenchmarkError) -> None:
        self.errors.update(dict.fromkeys(str(error).splitlines()))


def _with_keys(stage: Stage, where: str) -> Stage:
    """Compute every key now: parameters that are not JSON are the method's mistake and must name it."""
    for one in _depth_first(stage):
        try:
            _ = one.key
        except (TypeError, ValueError) as error:
            raise BenchmarkError(
                f"{where}: stage {one.name!r} ({one.function}) has parameters that are not JSON values: {error}."
            ) from error
    return stage


def _depth_first(stage: Stage) -> Iterator[Stage]:
    """Yield inputs before users, without asking for keys."""
    for parent in stage.inputs.values():
        yield from _depth_first(parent)
    yield stage
