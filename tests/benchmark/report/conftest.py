"""Synthetic runs: a plan, and a store that holds counts with exactly the mIoU a test asks for."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.config import load_profile
from benchmark.datasets import DatasetInfo
from benchmark.metrics import Counts
from benchmark.plan import Plan, PlannedCell, build_plan
from benchmark.report.scores.estimates import Results, estimate
from benchmark.split_files import split_file
from benchmark.splits import class_names, splits
from benchmark.stage import Stage
from benchmark.store import Store
from benchmark.tables import Table, load_table

PIXELS = 100_000  # of each class: the IoU can be set to a thousandth of a percent
Place = tuple[str, str]
Values = Mapping[Place, Iterable[float | None]]  # (row, column) -> novel mIoU of each seed, None: not finished


@dataclass(frozen=True)
class Run:
    """A plan of one table and a store that holds what is finished of it."""

    plan: Plan
    table: Table
    store: Store

    @property
    def results(self) -> Results:
        return estimate(self.plan, self.table, self.store)

    def stage(self, row: str, column: str, seed: int = 0) -> Stage:
        for cell in self.plan.cells:
            if (cell.row, cell.column, cell.seed) == (row, column, seed) and cell.stage:
                return cell.stage
        raise LookupError((row, column, seed))

    def fail(self, key: str) -> None:
        attempt = self.store.attempt_folder(key, 1)
        attempt.mkdir(parents=True)
        (attempt / "attempt.json").write_text(json.dumps({"number": 1, "state": "failed"}))


MakeRun = Callable[..., Run]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Return a function that makes a ``Run`` with novel mIoUs of the given cells, base mIoU 60 throughout.

    ``counts`` gives the counts of a cell in place of a novel mIoU; ``test`` is how many test images there should be;
    ``store`` is the folder of the store, for tests of several.
    """

    def make(
        table: str | Table,
        values: Values | None = None,
        seeds: tuple[int, ...] = (0, 1, 2),
        dataset: str = "mini",
        profile: str = "mini",
        unavailable: Iterable[str] = ("RETAB*",),
        overrides: Mapping[str, Any] | None = None,
        counts: Callable[[PlannedCell], Counts] | None = None,
        test: int = 200,
        store: str = "store",
    ) -> Run:
        loaded = load_table(table) if isinstance(table, str) else table
        kept = Store(tmp_path / store)
        info = DatasetInfo(dataset, split_file(dataset).title, class_names(dataset), "d" * 64, 600, test)
        cells = tuple(_cells(loaded, dataset, seeds, set(unavailable)))
        plan = Plan(
            dataset=info,
            splits=splits(dataset),
            profile=load_profile(profile),
            preset="paper",
            overrides=overrides or {},
            source=dataset,
            data_root=None,
            seeds=seeds,
            tables=(loaded,),
            cells=cells,
        )
        for cell in cells:
            numbers = dict(zip(seeds, (values or {}).get((cell.row, cell.column), ()), strict=False))
            if cell.stage and counts:
                finish(kept, cell.stage, cell.seed, counts(cell))
            elif cell.stage and (number := numbers.get(cell.seed)) is not None:
                made = counts_with(len(info.classes), plan.splits[cell.split].novel, number)
                finish(kept, cell.stage, cell.seed, made)
        return Run(plan, loaded, kept)

    return make


def _cells(table: Table, dataset: str, seeds: tuple[int, ...], unavailable: set[str]) -> Iterable[PlannedCell]:
    for row, column, printed in table.cells():
        for seed in seeds:
            params = {"row": row.label, "column": column.label, "seed": seed, "table": table.name}
            trained = Stage("train", "training", "methods.x:train", 1, params)
            made = Stage("evaluate", "evaluation", "methods.x:evaluate", 1, {"part": "test"}, {"model": trained})
            yield PlannedCell(
                table=table.name,
                row=row.label,
                column=column.label,
                method=row.method,
                variant=row.variant,
                split=column.split,
                seed=seed,
                printed=printed,
                stage=None if row.label in unavailable else made,
                reason="not available yet" if row.label in unavailable else "",
            )


def finish(store: Store, stage: Stage, seed: int, counts: Counts) -> None:
    """Write a result as the store keeps it."""
    folder = store.folder(stage.key)
    folder.mkdir(parents=True)
    provenance = {
        "git_commit": f"{seed:040d}",
        "git_dirty": False,
        "packages": {"torch": "2.11.0"},
        "device": "cpu",
    }
    (folder / "result.json").write_text(json.dumps({"summary": {}, "provenance": provenance}))
    counts.save(folder / "counts.npz")


def counts_with(classes: int, novel: tuple[int, ...], novel_miou: float, base_miou: float = 60.0) -> Counts:
    """Return counts of one image in which every novel class has one IoU and every base class another."""
    truth = np.full((1, classes), PIXELS, dtype=np.int32)
    hits = np.full((1, classes), round(base_miou / 100 * PIXELS), dtype=np.int32)
    hits[0, list(novel)] = round(novel_miou / 100 * PIXELS)
    return Counts(("image",), hits, hits, truth, np.zeros_like(truth))


@pytest.fixture
def flat_counts() -> Counts:
    """Counts over the classes of ``mini`` in which every class has IoU 50 %."""
    return counts_with(len(class_names("mini")), (), 50.0, 50.0)


@pytest.fixture
def store(tmp_path: Path, flat_counts: Counts) -> Path:
    """A store in which table 2 is finished for seed 0 in the smoke profile."""
    store = Store(tmp_path / "store")
    for cell in build_plan(["2"], "mini", "smoke", [0]).cells:
        assert cell.stage
        folder = store.folder(cell.stage.key)
        folder.mkdir(parents=True)
        (folder / "result.json").write_text('{"summary": {}, "provenance": {}}')
        flat_counts.save(folder / "counts.npz")
    return store.root
