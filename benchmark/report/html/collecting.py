"""From a plan and a store to what travels inside a page."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from benchmark import __version__
from benchmark.config import FOLDER, Profile
from benchmark.files import read_json
from benchmark.metrics import EVALUATOR_VERSION, Counts
from benchmark.report.estimates import COUNTS_FILE
from benchmark.report.html.blocks import Blocks
from benchmark.report.html.content import (
    Attempt,
    CellOf,
    Content,
    GridOf,
    Packed,
    ProfileOf,
    Record,
    SplitOf,
    StageOf,
)
from benchmark.report.html.maker import maker
from benchmark.report.html.packing import pack
from benchmark.stage import Stage

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.store import Store


def collect(plan: "Plan", store: "Store", blocks: Blocks, grids: Sequence[GridOf] = ()) -> Content:
    """Return the description of a plan as the store stands now, and add the counts to the blocks.

    Raises BenchmarkError for damaged counts.
    """
    counts = _counts(plan, store, blocks)
    return Content(
        format=1,
        software=__version__,
        maker=maker(),
        evaluator=EVALUATOR_VERSION,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        dataset=plan.dataset,
        splits={name: SplitOf(novel=split.novel, base=split.base) for name, split in plan.splits.items()},
        profile=_profile(plan.profile),
        preset=plan.preset,
        overrides=plan.overrides,
        seeds=plan.seeds,
        tables=plan.tables,
        cells=_cells(plan),
        stages={stage.key: _stage(stage, store) for stage in plan.stages},
        counts=counts,
        grids=tuple(grids),
    )


def _counts(plan: "Plan", store: "Store", blocks: Blocks) -> dict[str, Packed]:
    finished = dict.fromkeys(cell.stage.key for cell in plan.cells if cell.stage and store.find(cell.stage))
    return {key: pack(Counts.load(store.folder(key) / COUNTS_FILE), blocks) for key in finished}


def _profile(profile: Profile) -> ProfileOf:
    return ProfileOf(
        name=profile.name,
        shipped=profile.path.resolve().parent == FOLDER.resolve(),
        description=profile.description,
        dataset=profile.dataset,
        sections=profile.sections,
        datasets=profile.datasets,
    )


def _cells(plan: "Plan") -> tuple[CellOf, ...]:
    return tuple(
        CellOf(
            table=cell.table,
            row=cell.row,
            column=cell.column,
            method=cell.method,
            variant=cell.variant,
            split=cell.split,
            seed=cell.seed,
            stage=cell.stage.key if cell.stage else None,
            reason=cell.reason,
        )
        for cell in plan.cells
    )


def _stage(stage: Stage, store: "Store") -> StageOf:
    state = store.state(stage.key)
    return StageOf(
        kind=stage.kind,
        name=stage.name,
        function=stage.function,
        version=stage.version,
        access=stage.access,
        params=stage.params,
        inputs={role: parent.key for role, parent in stage.inputs.items()},
        state=state,
        record=_record(stage.key, store) if state == "done" else None,
    )


def _record(key: str, store: "Store") -> Record:
    """Return what was written down about a result; where and by whom it was made is not for every reader."""
    result, spec = store.result(key), read_json(store.folder(key) / "stage.json")
    return Record(
        **{name: float(result.get(name) or 0) for name in ("started", "finished", "wall_seconds", "cpu_seconds")},
        inputs=spec.get("inputs", {}) if isinstance(spec, dict) else {},
        attempts=tuple(_attempt(one) for one in result.get("attempts", ())),
        provenance=result.get("provenance", {}),
    )


def _attempt(record: Mapping[str, Any]) -> Attempt:
    started, finished = record.get("started"), record.get("finished")
    return Attempt(
        number=record["number"],
        state=record["state"],
        seconds=float(finished - started) if started and finished else None,
    )
