"""From a plan and a store to a description, without what is nobody else's business: where, and by whom."""

from collections.abc import Iterator, Mapping
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Any

from benchmark.config import FOLDER, Profile
from benchmark.files import read_json
from benchmark.sharing.description import AttemptOf, CellOf, Description, ProfileOf, Record, SplitOf, StageOf
from benchmark.stage import Stage
from benchmark.tables import Table

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.store import Store


def describe(plan: "Plan", store: "Store") -> Description:
    """Return the description of a plan as the store stands now."""
    return Description(
        dataset=plan.dataset,
        splits={name: SplitOf(novel=split.novel, base=split.base) for name, split in plan.splits.items()},
        profile=_profile(plan.profile),
        preset=plan.preset,
        overrides=_placeless(plan.overrides),
        seeds=plan.seeds,
        tables=tuple(map(_table, plan.tables)),
        cells=_cells(plan),
        stages={stage.key: _stage(stage, store) for stage in plan.stages},
    )


def _profile(profile: Profile) -> ProfileOf:
    return ProfileOf(
        name=profile.name,
        shipped=profile.path.resolve().parent == FOLDER.resolve(),
        description=profile.description,
        dataset=profile.dataset,
        sections=_placeless(profile.sections),
        datasets=_placeless(profile.datasets),
    )


def _table(table: Table) -> Table:
    rows, columns = (
        tuple(one.model_copy(update={"set": _placeless(one.set)}) for one in several)
        for several in (table.rows, table.columns)
    )
    return table.model_copy(update={"rows": rows, "columns": columns})


def _placeless(value: Any) -> Any:
    """Return settings in which every absolute path is the name of its file: folders tell whose machine it was."""
    if isinstance(value, Mapping):
        return {name: _placeless(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_placeless(one) for one in value]
    return PureWindowsPath(value).name if _is_place(value) else value


def _is_place(value: Any) -> bool:
    """Return whether a value is an absolute path, on this system or another one."""
    return isinstance(value, str) and (value.startswith(("/", "~")) or PureWindowsPath(value).is_absolute())


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


def _attempt(record: Mapping[str, Any]) -> AttemptOf:
    started, finished = record.get("started"), record.get("finished")
    return AttemptOf(
        number=record["number"],
        state=record["state"],
        seconds=float(finished - started) if started and finished else record.get("seconds"),
    )


def places(run: Description) -> tuple[str, ...]:
    """Return the absolute paths that a description cannot do without: parameters of stages, parts of their keys."""
    return tuple(dict.fromkeys(one for stage in run.stages.values() for one in _places(stage.params)))


def _places(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _places(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _places(one)
    elif _is_place(value):
        yield value
