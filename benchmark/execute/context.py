"""What a stage function is given."""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from copy import deepcopy
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from benchmark.errors import BenchmarkError
from benchmark.execute.curves import Curves
from benchmark.execute.faults import LostInputError
from benchmark.execute.machine import choose_device, device_title
from benchmark.execute.messages import Job
from benchmark.files import write_text
from benchmark.integrity import check_input
from benchmark.ranks import ALONE, ProcessRank
from benchmark.stage import StageContext
from benchmark.store import Store

if TYPE_CHECKING:
    from benchmark.datasets import Dataset, TrainingView

PROGRESS_INTERVAL = 0.5  # seconds

Capture = Callable[[Path], AbstractContextManager[None]]  # sends what a stage prints to a file


class WorkContext:
    """The ``StageContext`` of an attempt.

    Args:
        job: the stage.
        store: has its inputs, and its work folder.
        out: empty folder that becomes the result.
        report: is given (done, total) at most twice a second.
        stop: whether the stage should save its state and end.
        process: this one, among those that make the stage.
    """

    def __init__(
        self,
        job: Job,
        store: Store,
        out: Path,
        report: Callable[[int, int], None],
        stop: Callable[[], bool],
        process: ProcessRank = ALONE,
    ) -> None:
        self.params: Mapping[str, Any] = MappingProxyType(deepcopy(dict(job.params)))  # what stands in it is a copy
        self.hints: Mapping[str, Any] = job.hints
        self.inputs: Mapping[str, Path] = {role: _input(store, role, key, process) for role, key in job.inputs.items()}
        self.out = out
        self.scratch = store.work(job.key) / "scratch"
        self.process = process
        self._job = job
        self._work = store.work(job.key)
        self._report = report
        self._stop = stop
        self._next_report = 0.0
        self.advanced = False  # whether the stage has logged anything or reported progress
        self._curves = Curves(self._work / "curves.jsonl")

    @cached_property
    def device(self) -> str:
        """``cpu`` or ``cuda``; asked for only by stages that compute with torch."""
        return choose_device()

    def device_used(self) -> str:
        """Return what provenance says of the device; a stage that never asked computed on the CPU."""
        return device_title(self.__dict__.get("device", "cpu"))

    def dataset(self) -> "Dataset":
        if self._job.access != "evaluation":
            raise BenchmarkError(
                f"stage {self._job.name!r} has access 'training' and must not read full ground truth; "
                f"use training_view(), or declare access='evaluation' in a stage that trains nothing."
            )
        return self._dataset

    def training_view(self) -> "TrainingView":
        from benchmark.datasets import TrainingView

        planned = self._job.params
        return TrainingView(self._dataset, planned["novel"], presence=planned.get("presence", "image"))

    def log(self, step: int, **metrics: float) -> None:
        self.advanced = True
        self._curves.add(step, {name: float(value) for name, value in metrics.items()})

    def progress(self, done: int, total: int) -> None:
        self.advanced = True
        now = time.monotonic()
        if now < self._next_report:
            return
        self._next_report = now + PROGRESS_INTERVAL
        text = json.dumps({"done": done, "total": total, "time": time.time()})
        with suppress(OSError):  # a full disk is met, and told, where something that matters is written
            write_text(self._work / "progress.json", text, durable=False)
        self._report(done, total)

    @property
    def stop_requested(self) -> bool:
        return self._stop()

    @cached_property
    def _dataset(self) -> "Dataset":
        from benchmark.datasets import load_dataset

        expected = self._job.params["dataset"]
        name = expected["name"]
        root = Path(self._job.data_root) if self._job.data_root and name in self._job.sources else None
        loaded = load_dataset(self._job.sources.get(name, name), root)
        if expected["digest"] not in {loaded.info.digest, *loaded.info.parts.values()}:
            raise BenchmarkError(
                f"dataset {name} has digest {loaded.info.digest}, but the stage was planned for {expected['digest']}: "
                f"the files changed in between. Run again to plan for the data as they are now."
            )
        return loaded


class Follower:
    """The context of a process other than the first: it reads what the first reads, and writes where nobody looks."""

    def __init__(self, context: StageContext, out: Path) -> None:
        self._context = context
        self.params, self.hints, self.inputs = context.params, context.hints, context.inputs
        self.scratch, self.process, self.out = context.scratch, context.process, out

    @property
    def device(self) -> str:
        return self._context.device

    def dataset(self) -> "Dataset":
        return self._context.dataset()

    def training_view(self) -> "TrainingView":
        return self._context.training_view()

    def log(self, step: int, **metrics: float) -> None:
        """Leave it to the first process."""

    def progress(self, done: int, total: int) -> None:
        """Leave it to the first process."""

    @property
    def stop_requested(self) -> bool:
        return self._context.stop_requested


def _input(store: Store, role: str, key: str, process: ProcessRank) -> Path:
    folder = store.find(key)
    if folder is None:
        raise LostInputError(f"the input {role!r} ({key[:12]}) is not in store {store.root} any more; run again.")
    if process.rank == 0:
        check_input(store, key, role)
    return folder
