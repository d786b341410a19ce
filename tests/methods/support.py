"""Stages of the methods at smoke size, and a context to run their functions without a store."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.config import load_profile, resolve
from benchmark.datasets import Dataset, TrainingView, load_dataset
from benchmark.ranks import ALONE, ProcessRank
from benchmark.registry import Cell, methods
from benchmark.relocated import load_function
from benchmark.splits import splits
from benchmark.stage import Stage, closure


@dataclass
class FakeContext:
    """Runs a stage function in a folder; asks it to stop after ``stop_after`` reports of progress."""

    folder: Path
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Path] = field(default_factory=dict)
    hints: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    process: ProcessRank = ALONE
    stop_after: int | None = None
    data: Dataset | None = None
    curves: dict[int, dict[str, float]] = field(default_factory=dict)
    reports: int = 0

    def __post_init__(self) -> None:
        self.out, self.scratch = self.folder / "out", self.folder / "scratch"
        self.out.mkdir(parents=True, exist_ok=True)
        self.scratch.mkdir(exist_ok=True)

    def dataset(self) -> Dataset:
        return self.data or load_dataset(self.params["dataset"]["name"])

    def training_view(self) -> TrainingView:
        return TrainingView(self.dataset(), self.params["novel"], self.params.get("presence", "image"))

    def log(self, step: int, **metrics: float) -> None:
        self.curves[step] = metrics

    def progress(self, done: int, total: int) -> None:
        assert done <= total
        self.reports += 1

    @property
    def stop_requested(self) -> bool:
        return self.stop_after is not None and self.reports >= self.stop_after


class Few:
    """The first images of a dataset: enough to run everything."""

    def __init__(self, whole: Dataset, count: int) -> None:
        self.whole, self.count = whole, count
        self.info, self.ignore = whole.info, whole.ignore
        self.image, self.mask = whole.image, whole.mask

    def ids(self, part: Any) -> tuple[str, ...]:
        return self.whole.ids(part)[: self.count]


def plan(method: str, variant: str = "", overrides: Mapping[str, Any] | None = None, preset: str = "paper") -> Stage:
    settings = resolve(methods()[method], load_profile("smoke"), "mini", "S9", preset, {"test": overrides or {}})
    return methods()[method].plan(Cell(load_dataset("mini").info, splits("mini")["S9"], variant, 0, settings))


def context_for(stage: Stage, root: Path, few: Few, **extra: Any) -> FakeContext:
    inputs = {role: root / parent.key / "out" for role, parent in stage.inputs.items()}
    params = json.loads(json.dumps(dict(stage.params)))
    return FakeContext(root / stage.key, params=params, inputs=inputs, data=few, **extra)


def run(stage: Stage, root: Path, few: Few, **extra: Any) -> FakeContext:
    context = context_for(stage, root, few, **extra)
    load_function(stage.function)(context)
    return context


def run_all(last: Stage, root: Path, few: Few) -> FakeContext:
    contexts = [run(stage, root, few) for stage in closure([last])]
    return contexts[-1]
