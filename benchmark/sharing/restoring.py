"""From a description back to a plan and a store, which answer as the first ones did."""

import json
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from benchmark.config import FOLDER, Profile
from benchmark.datasets.base import Split
from benchmark.errors import BenchmarkError
from benchmark.plan import Plan, PlannedCell
from benchmark.sharing.description import CellOf, Description, StageOf
from benchmark.stage import Stage
from benchmark.store import Store

CellId = tuple[str, str, str]  # table, row, column


def restore(run: Description, folder: Path) -> tuple[Plan, Store]:
    """Return the plan, and a store in ``folder`` with what was written down about every finished stage, without counts.

    Raises BenchmarkError where stages, cells, tables and splits do not fit together.
    """
    plan = _plan(run, _stages(run))
    store = Store(folder)
    for key, stage in run.stages.items():
        _write(store, key, stage)
    return plan, store


def broken_keys(run: Description) -> Iterator[str]:
    """Yield a line for each stage whose key is not the digest of what it says it is."""
    for key, stage in _stages(run).items():
        if stage.key != key:
            yield f"stage {key[:12]} ({stage.name}): its function, parameters and inputs have the key {stage.key[:12]}"


def _stages(run: Description) -> dict[str, Stage]:
    """Return the stages under the keys that the description gives them."""
    try:
        order = list(TopologicalSorter({key: one.inputs.values() for key, one in run.stages.items()}).static_order())
    except CycleError as error:
        raise BenchmarkError("the stages that are described depend on each other in a circle.") from error
    found: dict[str, Stage] = {}
    for key in order:
        if key not in run.stages:
            raise BenchmarkError(f"stage {key[:12]} is an input of another, but is not described.")
        found[key] = _stage(run.stages[key], found)
    return {key: found[key] for key in run.stages}


def _stage(one: StageOf, found: Mapping[str, Stage]) -> Stage:
    inputs = {role: found[key] for role, key in one.inputs.items()}
    return Stage(one.kind, one.name, one.function, one.version, one.params, inputs, one.access)


def _write(store: Store, key: str, stage: StageOf) -> None:
    """Write of a stage what tables and judgements read."""
    if stage.record:
        folder = store.folder(key)
        folder.mkdir(parents=True)
        record = stage.record.model_dump(mode="json")
        (folder / "stage.json").write_text(json.dumps({"inputs": record.pop("inputs")}))
        (folder / "result.json").write_text(json.dumps(record))
    elif stage.state == "failed":
        folder = store.attempt_folder(key, 1)
        folder.mkdir(parents=True)
        (folder / "attempt.json").write_text(json.dumps({"number": 1, "state": "failed"}))


def _plan(run: Description, stages: Mapping[str, Stage]) -> Plan:
    printed = {
        (table.name, place.row.label, place.column.label): place.printed
        for table in run.tables
        for place in table.cells()
    }
    splits = {name: Split(run.dataset.name, name, one.novel, one.base) for name, one in run.splits.items()}
    _check_splits(splits, len(run.dataset.classes))
    return Plan(
        dataset=run.dataset,
        splits=splits,
        profile=_profile(run),
        preset=run.preset,
        overrides=run.overrides,
        source=run.dataset.name,
        data_root=None,
        seeds=run.seeds,
        tables=run.tables,
        cells=tuple(_cell(cell, printed, stages, splits) for cell in run.cells),
    )


def _check_splits(splits: Mapping[str, Split], classes: int) -> None:
    for split in splits.values():
        wrong = [one for one in (*split.novel, *split.base) if not 0 <= one < classes]
        if wrong:
            raise BenchmarkError(f"split {split.name} has class {wrong[0]}, but only {classes} classes are described.")


def _profile(run: Description) -> Profile:
    profile = run.profile
    path = FOLDER / f"{profile.name}.yaml" if profile.shipped else Path(f"{profile.name}.yaml")
    return Profile(profile.name, path, profile.description, profile.dataset, profile.sections, profile.datasets)


def _cell(
    cell: CellOf, printed: Mapping[CellId, float | None], stages: Mapping[str, Stage], splits: Mapping[str, Split]
) -> PlannedCell:
    place = cell.table, cell.row, cell.column
    made = cell.stage is None or (cell.stage in stages and cell.split in splits)
    if place not in printed or not made:
        raise BenchmarkError(f"cell {', '.join(place)} belongs to no table, stage or split that is described.")
    return PlannedCell(
        table=cell.table,
        row=cell.row,
        column=cell.column,
        method=cell.method,
        variant=cell.variant,
        split=cell.split,
        seed=cell.seed,
        printed=printed[place],
        stage=None if cell.stage is None else stages[cell.stage],
        reason=cell.reason,
    )
