"""From what travels inside a page back to a plan and a store, which answer as the first ones did."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.config import FOLDER, Profile
from benchmark.errors import BenchmarkError
from benchmark.plan import Plan, PlannedCell
from benchmark.report.estimates import COUNTS_FILE
from benchmark.report.html.content import CellOf, Content, StageOf
from benchmark.report.html.packing import Unpacker
from benchmark.splits import Split
from benchmark.stage import Stage
from benchmark.store import Store

if TYPE_CHECKING:
    from benchmark.report.html.blocks import Blocks

Place = tuple[str, str, str]  # table, row, column


@dataclass(frozen=True)
class Restored:
    """A plan, and a store that holds what it needs of every finished stage: counts, and what was written down."""

    content: Content
    plan: Plan
    store: Store


def restore(content: Content, blocks: "Blocks", folder: Path) -> Restored:
    """Write a store into ``folder`` and return it with the plan.

    Raises BenchmarkError where a block is missing or damaged, and where stages do not fit together (``broken_keys``).
    """
    stages = _stages(content)
    store = Store(folder)
    unpacker = Unpacker(blocks, len(content.dataset.classes))
    for key, stage in content.stages.items():
        _write(store, key, stage)
    for key, packed in content.counts.items():
        unpacker.counts(packed).save(store.folder(key) / COUNTS_FILE)
    return Restored(content, _plan(content, stages), store)


def broken_keys(content: Content) -> Iterator[str]:
    """Yield a line for each stage whose key is not the digest of what it says it is."""
    for key, stage in _stages(content).items():
        if stage.key != key:
            yield f"stage {key[:12]} ({stage.name}): its function, parameters and inputs have the key {stage.key[:12]}"


def _stages(content: Content) -> dict[str, Stage]:
    """Return the stages under the keys that the page gives them."""
    try:
        order = list(
            TopologicalSorter({key: one.inputs.values() for key, one in content.stages.items()}).static_order()
        )
    except CycleError as error:
        raise BenchmarkError("the stages in the page depend on each other in a circle.") from error
    found: dict[str, Stage] = {}
    for key in order:
        if key not in content.stages:
            raise BenchmarkError(f"stage {key[:12]} is an input in the page, but is not described there.")
        found[key] = _stage(content.stages[key], found)
    return {key: found[key] for key in content.stages}


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


def _plan(content: Content, stages: Mapping[str, Stage]) -> Plan:
    printed = {
        (table.name, place.row.label, place.column.label): place.printed
        for table in content.tables
        for place in table.cells()
    }
    return Plan(
        dataset=content.dataset,
        splits={name: Split(content.dataset.name, name, one.novel, one.base) for name, one in content.splits.items()},
        profile=_profile(content),
        preset=content.preset,
        overrides=content.overrides,
        source=content.dataset.name,
        data_root=None,
        seeds=content.seeds,
        tables=content.tables,
        cells=tuple(_cell(cell, printed, stages) for cell in content.cells),
    )


def _profile(content: Content) -> Profile:
    profile = content.profile
    path = FOLDER / f"{profile.name}.yaml" if profile.shipped else Path(f"{profile.name}.yaml")
    return Profile(profile.name, path, profile.description, profile.dataset, profile.sections, profile.datasets)


def _cell(cell: CellOf, printed: Mapping[Place, float | None], stages: Mapping[str, Stage]) -> PlannedCell:
    place = cell.table, cell.row, cell.column
    if place not in printed or not (cell.stage is None or cell.stage in stages):
        raise BenchmarkError(
            f"cell {', '.join(place)} in the page belongs to no table or stage that is described there."
        )
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
