"""What a run says about each cell of a table: mean and spread over the finished seeds, or why there is no number."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from benchmark.config import FOLDER
from benchmark.datasets.base import Split
from benchmark.metrics import Convention, Counts, mean_iou, overall_miou
from benchmark.report.claims.tolerance import SeedSpread, assumed_spread
from benchmark.report.scores.evaluations import Evaluation, evaluations, read_each, read_replicates
from benchmark.stage import Stage, closure
from benchmark.tables import Table

if TYPE_CHECKING:
    from benchmark.datasets import DatasetInfo
    from benchmark.plan import Plan, PlannedCell
    from benchmark.store import Store

__all__ = ["CellEstimate", "Results", "Scored", "Scores", "Status", "assemble", "estimate", "printed_decimals", "score"]

Status = Literal["done", "partial", "not run", "failed", "undefined", "not available yet"]


class Scores(NamedTuple):
    """Mean IoU of one evaluation in percent, unrounded: over novel, base (if any was evaluated) and all classes."""

    novel: float
    base: float | None
    overall: float


Scored = Mapping[str, Scores | None]  # split -> scores of one evaluation, None where it shows no novel class


@dataclass(frozen=True)
class CellEstimate:
    """One cell of a table.

    Attributes:
        row, column: labels as the paper prints them.
        status: ``done`` (every seed asked for is finished), ``partial`` (some are), else why there is no number;
            ``undefined`` where none of the images evaluated shows a novel class.
        scores: finished seed -> scores.
        keys: planned seed -> key of its evaluation stage.
        paper: printed value.
        replicates: finished seed -> scores of replicates of its evaluation (``benchmark.sharing.replicates``), which
            enter no other number.
    """

    row: str
    column: str
    status: Status
    scores: Mapping[int, Scores]
    keys: Mapping[int, str]
    paper: float | None
    replicates: Mapping[int, tuple[Scores, ...]] = field(default_factory=dict)

    @property
    def n_seeds(self) -> int:
        return len(self.scores)

    @property
    def seedless(self) -> bool:
        """Whether several seeds were planned and all share one result: repeating would give the same again."""
        return len(self.keys) > 1 and len(set(self.keys.values())) == 1

    @property
    def mean(self) -> float | None:
        """Novel mIoU, mean over the finished seeds."""
        return self._mean("novel")

    @property
    def base(self) -> float | None:
        """Base mIoU, mean over the finished seeds."""
        return self._mean("base")

    @property
    def overall(self) -> float | None:
        """Overall mIoU, mean over the finished seeds."""
        return self._mean("overall")

    @property
    def sd(self) -> float | None:
        """Sample standard deviation of the novel mIoU; ``None`` with fewer than two seeds, or where no seed matters."""
        if len({self.keys[seed] for seed in self.scores}) < 2:
            return None
        return stdev(scores.novel for scores in self.scores.values())

    @property
    def delta(self) -> float | None:
        """Mean minus printed value: arithmetic, not a verdict; ``Results.comparable`` says whether it may be one."""
        return None if self.mean is None or self.paper is None else self.mean - self.paper

    def _mean(self, name: str) -> float | None:
        values = [value for scores in self.scores.values() if (value := getattr(scores, name)) is not None]
        return fmean(values) if values else None


@dataclass(frozen=True)
class Results:
    """One table as a run fills it. Iterating yields the cells row by row.

    Attributes:
        table: labels, printed values, orderings, plot.
        dataset: of this run.
        profile: name of this run's profile.
        preset: ``paper`` or ``official``.
        overrides: dotted setting -> value, changed by hand.
        seeds: asked for.
        splits: column label -> class split, for those that this run's dataset has.
        estimates: (row label, column label) -> cell; only what was selected.
        differences: in what this run differs from what the printed values refer to, in words.
        convention: by which the mean IoUs were computed.
        assumed: what was known of the spread over seeds before the run; ``None`` where nothing was.
    """

    table: Table
    dataset: "DatasetInfo"
    profile: str
    preset: str
    overrides: Mapping[str, Any]
    seeds: tuple[int, ...]
    splits: Mapping[str, Split]
    estimates: Mapping[tuple[str, str], CellEstimate]
    differences: tuple[str, ...] = ()
    convention: Convention = "paper"
    assumed: SeedSpread | None = None

    def __iter__(self) -> Iterator[CellEstimate]:
        return iter([self[row, column] for row in self.rows for column in self.columns])

    def __getitem__(self, cell: tuple[str, str]) -> CellEstimate:
        return self.estimates[cell]

    @property
    def rows(self) -> tuple[str, ...]:
        """Labels of the selected rows, in the order of the table."""
        selected = {row for row, _ in self.estimates}
        return tuple(row.label for row in self.table.rows if row.label in selected)

    @property
    def columns(self) -> tuple[str, ...]:
        """Labels of the selected columns, in the order of the table."""
        selected = {column for _, column in self.estimates}
        return tuple(column.label for column in self.table.columns if column.label in selected)

    @property
    def printed(self) -> bool:
        """Whether there is a printed value for any selected cell."""
        return any(cell.paper is not None for cell in self)

    @property
    def comparable(self) -> bool:
        """Whether values of this run may be set against printed ones."""
        return self.printed and not self.differences

    @property
    def holes(self) -> tuple[CellEstimate, ...]:
        """The cells that lack seeds although they could be run."""
        return tuple(cell for cell in self if cell.status not in {"done", "undefined", "not available yet"})


def estimate(plan: "Plan", table: Table, store: "Store", convention: Convention = "paper") -> Results:
    """Return what the store holds for each cell of one table of a plan.

    Raises BenchmarkError for damaged counts.
    """
    found, function = evaluations(plan, table, store), partial(score, convention=convention)
    scored, replicated = read_each(found, store, function), read_replicates(found, store, function)
    return assemble(plan, table, store, scored, convention, replicated)


def printed_decimals(table: Table) -> int:
    """Return how many decimals a table prints: as many as any of its values has, at least one."""
    printed = [repr(cell.printed) for cell in table.cells() if cell.printed is not None]
    return max((len(text.partition(".")[2]) for text in printed), default=1)


def score(evaluation: Evaluation, counts: Counts, convention: Convention = "paper") -> Scored:
    """Return the scores of an evaluation on the splits of its cells."""
    return {split.name: _scores(counts, split, convention) for split in evaluation.splits}


def assemble(
    plan: "Plan",
    table: Table,
    store: "Store",
    scored: Mapping[str, Scored],
    convention: Convention = "paper",
    replicated: Mapping[str, tuple[Scored, ...]] | None = None,
) -> Results:
    """Return the results of one table of a plan from its evaluations, which were scored before.

    Args:
        plan, table: what was asked for.
        store: says how stands what is not finished.
        scored: key of an evaluation -> what it yields.
        convention: by which it was scored.
        replicated: key of an evaluation -> what its replicates yield; ``None`` where nobody asks for their spread.
    """
    cells: dict[tuple[str, str], list[PlannedCell]] = {}
    for cell in plan.of(table.name):
        cells.setdefault((cell.row, cell.column), []).append(cell)
    return Results(
        table=table,
        dataset=plan.dataset,
        profile=plan.profile.name,
        preset=plan.preset,
        overrides=plan.overrides,
        seeds=plan.seeds,
        splits={cell.column: plan.splits[cell.split] for cell in plan.of(table.name) if cell.split in plan.splits},
        estimates={place: _estimate(seeds, store, scored, replicated or {}) for place, seeds in cells.items()},
        differences=tuple(_differences(plan, table, convention)),
        convention=convention,
        assumed=assumed_spread(plan.profile),
    )


def _estimate(
    cells: "Sequence[PlannedCell]",
    store: "Store",
    scored: Mapping[str, Scored],
    replicated: Mapping[str, tuple[Scored, ...]],
) -> CellEstimate:
    """Return the estimate of one cell from its plans, one a seed."""
    planned = [(cell, cell.stage) for cell in cells if cell.stage]
    found = {cell.seed: scored[stage.key] for cell, stage in planned if stage.key in scored}
    split = cells[0].split
    scores = {seed: scores for seed, one in found.items() if (scores := one[split])}
    others = {
        cell.seed: tuple(other for one in replicated[stage.key] if (other := one[split]))
        for cell, stage in planned
        if stage.key in replicated
    }
    undefined = found and not scores
    return CellEstimate(
        row=cells[0].row,
        column=cells[0].column,
        status="undefined" if undefined else _status(len(cells), [stage for _, stage in planned], len(found), store),
        scores=scores,
        keys={cell.seed: stage.key for cell, stage in planned},
        paper=cells[0].printed,
        replicates=others,
    )


def _status(asked: int, stages: Sequence[Stage], finished: int, store: "Store") -> Status:
    if finished:
        return "done" if finished == asked else "partial"
    if not stages:
        return "not available yet"
    failed = any(store.state(stage.key) == "failed" for stage in closure(stages))
    return "failed" if failed else "not run"


def _scores(counts: Counts, split: Split, convention: Convention) -> Scores | None:
    """Return the scores on one split; ``None`` where the images evaluated show none of its novel classes."""
    seen = counts.pooled.ground_truth > 0  # (K,)
    if not seen[list(split.novel)].any():
        return None
    base = mean_iou(counts, split.base, convention) if seen[list(split.base)].any() else None
    return Scores(mean_iou(counts, split.novel, convention), base, overall_miou(counts, convention))


def _differences(plan: "Plan", table: Table, convention: Convention) -> Iterator[str]:
    if plan.dataset.name != table.dataset:
        yield f"dataset {plan.dataset.name} instead of {table.dataset or 'none named'}"
    if plan.dataset.partial:
        yield f"only {plan.dataset.partial}"
    if plan.profile.path.resolve() != (FOLDER / "paper.yaml").resolve():
        yield f"profile {plan.profile.name} instead of paper"
    if plan.overrides:
        yield f"changed {', '.join(plan.overrides)}"
    if convention != "paper":
        yield f"convention {convention} instead of paper"
