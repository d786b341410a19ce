"""Kinds of work: stages that are as fast as each other, unit by unit, and how one of them is measured."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from benchmark.errors import unknown
from benchmark.files import canonical_json
from benchmark.stage import Change, Stage, closure

ELSEWHERE = frozenset({"dataset", "novel", "seed"})  # parameters that say on what a stage works, and not how


def signature(stage: Stage) -> str:
    """Return 16 hexadecimal digits that stages of one kind share, whatever their data, split, seed and precision."""
    plain = changed(stage, stage.work.speed_neutral, *list(stage.work.precisions.values())[:1])
    how = {name: value for name, value in plain.params.items() if name not in ELSEWHERE}
    known = {"function": stage.function, "network": stage.work.network, "params": how}
    return hashlib.sha256(canonical_json(known).encode()).hexdigest()[:16]


def representatives(stages: Iterable[Stage]) -> dict[str, Stage]:
    """Return signature -> the stage of that kind which needs the fewest others to be made before."""
    found: dict[str, tuple[int, Stage]] = {}
    for stage in stages:
        needed, kind = sum(1 for _ in closure([stage])), signature(stage)
        if kind not in found or needed < found[kind][0]:
            found[kind] = needed, stage
    return {kind: stage for kind, (_, stage) in found.items()}


def precision_of(stage: Stage) -> str:
    """Return the name of the precision that a stage computes in; empty where it has no choice."""
    fits = (name for name, change in stage.work.precisions.items() if changed(stage, change).params == stage.params)
    return next(fits, "")


def in_precision(stage: Stage, name: str) -> Stage:
    """Return the stage in another precision, or itself where it has no choice. Raises BenchmarkError for its name."""
    if not stage.work.precisions:
        return stage
    if name not in stage.work.precisions:
        raise unknown("precision", name, stage.work.precisions, f"stage {stage.name!r}")
    return changed(stage, stage.work.precisions[name])


def measurable(stage: Stage) -> Stage:
    """Return a stage of the same kind that needs nothing from outside, on inputs that are soon made.

    What these cost has nothing to do with what they were expected to; their forecast takes them all as equal.
    """
    return replace(changed(stage, stage.work.speed_neutral), inputs=_soon(stage.inputs))


def changed(stage: Stage, *changes: Change) -> Stage:
    """Return the stage with its parameters changed, those of a later change last."""
    params: dict[str, Any] = dict(stage.params)
    for change in changes:
        params = _merged(params, change)
    return replace(stage, params=params)


def _soon(inputs: Mapping[str, Stage]) -> dict[str, Stage]:
    soon = {role: changed(stage, stage.work.speed_neutral, stage.work.shortened) for role, stage in inputs.items()}
    return {role: replace(stage, inputs=_soon(stage.inputs), cost=1.0) for role, stage in soon.items()}


def _merged(params: Mapping[str, Any], change: Change) -> dict[str, Any]:
    merged = dict(params)
    for name, value in change.items():
        inner = merged.get(name)
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(inner, Mapping):
            merged[name] = _merged(inner, value)
        else:
            merged[name] = value
    return merged
