"""Reports with made-up counts, for tests in a browser."""

import json
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmark.datasets import describe
from benchmark.metrics import Counts
from benchmark.plan import Plan, build_plan
from benchmark.report.html import write
from benchmark.stage import Stage, closure
from benchmark.store import Store
from benchmark.tables import Table

IMAGES = tuple(f"test-{i:04d}" for i in range(20))
ROWS, COLUMNS = 40, 25  # of the large table: 1,000 cells


def small_report(folder: Path) -> tuple[Path, Plan, Store]:
    """Write the report of Table 3 and the stages at smoke, two seeds; one cell lacks the first of them, one both."""
    plan = build_plan(["3", "stages"], "mini", "smoke", [0, 1])
    store = Store(folder / "store")
    lacking = {("RETAB*", "Split 4", 0), ("SimFormer", "Split 9", 0), ("SimFormer", "Split 9", 1)}
    missing = {cell.stage.key for cell in plan.cells if cell.stage and (cell.row, cell.column, cell.seed) in lacking}
    for stage in plan.stages:
        if stage.key not in missing:
            finish(store, stage)
    return _written(plan, store, folder / "small.html"), plan, store


def large_report(folder: Path) -> Path:
    """Write a report of a table with 1,000 cells."""
    rows = [{"label": f"method-{i}", "method": "simformer"} for i in range(ROWS)]
    columns = [
        {"label": f"S{1 + i % 9}, J = {i + 1}", "split": f"S{1 + i % 9}", "set": {"simformer.points": i + 1}}
        for i in range(COLUMNS)
    ]
    for i, row in enumerate(rows):
        row["set"] = {"training.iterations": i + 1}  # type: ignore[assignment]
    table = Table.model_validate_json(
        json.dumps({"name": "large", "title": "A thousand cells", "rows": rows, "columns": columns})
    )
    plan = build_plan([table], "mini", "smoke", [0])
    store = Store(folder / "store")
    for stage in closure(cell.stage for cell in plan.cells if cell.stage):
        finish(store, stage)
    return _written(plan, store, folder / "large.html")


def finish(store: Store, stage: Stage) -> None:
    """Write a result; an evaluation has counts that follow from its key."""
    folder = store.folder(stage.key)
    folder.mkdir(parents=True)
    attempt = {"number": 1, "state": "done", "started": 10.0, "finished": 22.5}
    result = {"started": 10.0, "finished": 22.5, "wall_seconds": 12.5, "cpu_seconds": 12.0, "attempts": [attempt]}
    (folder / "result.json").write_text(json.dumps(result | {"provenance": {"device": "cpu"}}))
    if stage.access == "evaluation":
        made_up(zlib.crc32(stage.key.encode())).save(folder / "counts.npz")


def made_up(seed: int) -> Counts:
    """Return counts of the classes of mini with some errors in every class but the last, which is in no image."""
    rng = np.random.default_rng(seed)
    shape = (len(IMAGES), len(describe("mini").classes))
    truth = np.random.default_rng(0).integers(0, 400, shape, dtype=np.int32)
    truth[:, -1] = 0
    hits = (truth * rng.uniform(0.5, 0.9, shape[1])).astype(np.int32)
    wrong = rng.integers(0, 90, shape, dtype=np.int32)
    return Counts(IMAGES, hits, hits + wrong, truth, np.zeros_like(truth))


def visible(texts: Iterable[str]) -> list[float]:
    """Return shown numbers as numbers."""
    return [float(text.replace("−", "-")) for text in texts]


def _written(plan: Plan, store: Store, path: Path) -> Path:
    write(plan, store, path)
    return path
