"""A stage context without a store, for tests of stage functions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.datasets import Dataset, TrainingView, load_dataset


@dataclass
class FakeContext:
    """Runs a stage function in a folder; asks it to stop after ``stop_after`` reports of progress."""

    folder: Path
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Path] = field(default_factory=dict)
    hints: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
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
