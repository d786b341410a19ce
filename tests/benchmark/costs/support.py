"""Stages with work, and measurements of them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from benchmark import registry
from benchmark.costs.measurements import Measurement
from benchmark.costs.workloads import precision_of, signature
from benchmark.registry import Cell
from benchmark.stage import Stage, Work
from tests.benchmark import toy

TRAINING = Work(
    images=4,
    speed_neutral={"weights": None},
    shortened={"steps": 1},
    precisions={"fp32": {"rounding": 0}, "bf16": {"rounding": 8}},
)


class Working(toy.Toy):
    """The toy, whose training says what it does: four images a step, in one of two precisions."""

    settings: Mapping[str, type] = {"toy": toy.ToySettings}

    def plan(self, cell: Cell) -> Stage:
        evaluation = super().plan(cell)
        training = evaluation.inputs["model"]
        params = {**training.params, "rounding": 0, "weights": "a file that is not here"}
        told = replace(training, params=params, work=TRAINING, cost=training.params["steps"] * 2.0)
        return replace(evaluation, inputs={"model": told})


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it the only method there is, on a processor."""
    monkeypatch.setattr(registry, "methods", lambda: {"toy": Working()})
    monkeypatch.setenv("BENCHMARK_DEVICE", "cpu")


def training(params: Mapping[str, Any] | None = None, **changes: Any) -> Stage:
    known = {"dataset": {"name": "d"}, "novel": [1], "seed": 0, "rounding": 0, "size": 640, **(params or {})}
    return replace(Stage("train", "training", "m:train", 1, known, work=TRAINING, cost=200.0), **changes)


def measured(stage: Stage, **changes: Any) -> Measurement:
    """Return the measurement of a stage that takes as long as expected, in units of two seconds."""
    one = Measurement(
        signature=signature(stage),
        function=stage.function,
        precision=precision_of(stage),
        kind=stage.kind,
        stage=stage.name,
        dataset="d",
        profile="p",
        device="NVIDIA Test 9000",
        gpu=True,
        torch="2.0",
        date="2026-02-28",
        seconds=2.0,
        measured=5,
        units=round(stage.cost / 2),
        cost=stage.cost,
        images=stage.work.images,
    )
    return replace(one, **changes)
