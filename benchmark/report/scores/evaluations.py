"""The finished evaluations behind a table, each read once however many cells rest on it."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from benchmark.datasets.base import Split
from benchmark.integrity import counts_of
from benchmark.metrics import Counts
from benchmark.sharing.replicates import load, replicates
from benchmark.stage import Stage

if TYPE_CHECKING:
    from benchmark.plan import Plan, PlannedCell
    from benchmark.store import Store
    from benchmark.tables import Table

T = TypeVar("T")


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation.

    Attributes:
        stage: that made it.
        cells: that rest on it.
        splits: of these cells, each once.
        asked: number of images it should have scored; ``None`` where nothing says so.
    """

    stage: Stage
    cells: "tuple[PlannedCell, ...]"
    splits: tuple[Split, ...]
    asked: int | None

    def __str__(self) -> str:
        """Return whose it is: ``SimFormer, Split 4, seed 0``, or ``FullyOracle, seed 0`` for several columns."""
        rows, columns, seeds = (
            list(dict.fromkeys(str(getattr(cell, name)) for cell in self.cells)) for name in ("row", "column", "seed")
        )
        seed = f"seed {seeds[0]}" if len(seeds) == 1 else "every seed"
        return ", ".join([" and ".join(rows), *(columns if len(columns) == 1 else []), seed])


class Facts(NamedTuple):
    """What the counts of an evaluation say beside its mean IoU.

    Attributes:
        images: ids, in order.
        truth: bytes of the ground-truth pixels of each class; equal on the same images and labels.
        content: bytes of all pooled counts; equal for the same label maps.
        absent: ids of the classes of which the ground truth has no pixel.
        ignored: share of the pixels that is ignored, 0..1.
    """

    images: tuple[str, ...]
    truth: bytes
    content: bytes
    absent: tuple[int, ...]
    ignored: float


def evaluations(plan: "Plan", table: "Table", store: "Store") -> tuple[Evaluation, ...]:
    """Return the finished evaluations of one table of a plan, in the order of its cells."""
    found: dict[str, list[PlannedCell]] = {}
    for cell in plan.of(table.name):
        if cell.stage and store.find(cell.stage):
            found.setdefault(cell.stage.key, []).append(cell)
    return tuple(_evaluation(plan, cells) for cells in found.values())


def read_each(
    found: Sequence[Evaluation], store: "Store", function: Callable[[Evaluation, Counts], T]
) -> Mapping[str, T]:
    """Return what a function makes of the counts of each evaluation, by the key of its stage.

    Files are unpacked side by side, and counts that were seen are dropped. Raises BenchmarkError for damaged counts.
    """

    def one(evaluation: Evaluation) -> T:
        classes = {len(split.novel) + len(split.base) for split in evaluation.splits}
        return function(evaluation, counts_of(store, evaluation.stage.key, *classes))

    with _threads() as pool:
        return dict(zip((one.stage.key for one in found), pool.map(one, found), strict=True))


def read_replicates(
    found: Sequence[Evaluation], store: "Store", function: Callable[[Evaluation, Counts], T]
) -> Mapping[str, tuple[T, ...]]:
    """Return what a function makes of the replicates of each evaluation, if it has any, as ``read_each`` does.

    Raises BenchmarkError for damaged ones.
    """

    def each(evaluation: Evaluation) -> tuple[T, ...]:
        return tuple(function(evaluation, load(path)) for path in replicates(evaluation.stage.key, store))

    with _threads() as pool:
        return {one.stage.key: made for one, made in zip(found, pool.map(each, found), strict=True) if made}


def facts(counts: Counts) -> Facts:
    """Return what counts say of images and labels."""
    pooled = counts.pooled
    ignored, known = int(pooled.prediction_on_ignored.sum()), int(pooled.ground_truth.sum())
    return Facts(
        images=counts.image_ids,
        truth=pooled.ground_truth.tobytes(),
        content=b"".join(array.tobytes() for array in pooled),
        absent=tuple(int(i) for i in (pooled.ground_truth == 0).nonzero()[0]),
        ignored=ignored / max(1, ignored + known),
    )


def _evaluation(plan: "Plan", cells: "Sequence[PlannedCell]") -> Evaluation:
    stage = cells[0].stage
    assert stage is not None  # evaluations() takes no others
    tested = stage.kind == "evaluate" and stage.params.get("part", "test") == "test"
    splits = tuple(plan.splits[name] for name in dict.fromkeys(cell.split for cell in cells))
    return Evaluation(stage, tuple(cells), splits, plan.dataset.test if tested else None)


def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1))
