"""Where the costliest stage of a cell spends its time: ``measure --breakdown``."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from benchmark.errors import BenchmarkError, unknown
from benchmark.plan import Plan
from benchmark.relocated import load_function
from benchmark.stage import Stage, StageContext, StageInterrupted, closure
from benchmark.store import Store
from benchmark.wording import plural

if TYPE_CHECKING:
    from torch.profiler import profile

WARM_UP = 5  # iterations before the measurement
SECTION = "step: "  # what the methods' record_function labels start with


class Breakdown(NamedTuple):
    """What was measured.

    Attributes:
        stage: name of the stage.
        device: it ran on.
        iterations: that were measured.
        wall_ms: per iteration.
        sections: label -> CPU milliseconds per iteration; on a GPU its own time of the section, if that is longer.
    """

    stage: str
    device: str
    iterations: int
    wall_ms: float
    sections: dict[str, float]

    def as_text(self) -> str:
        """Return a table, the largest part first."""
        rest = {"(rest)": max(0.0, self.wall_ms - sum(self.sections.values()))}
        rows = sorted(self.sections.items(), key=lambda item: -item[1]) + list(rest.items())
        width = max(len(label) for label, _ in rows)
        lines = [f"{label:<{width}}  {ms:8.2f} ms  {100 * ms / self.wall_ms:5.1f} %" for label, ms in rows]
        head = f"{self.stage}, {self.device}, mean of {plural(self.iterations, 'iteration')}"
        return "\n".join([head, *lines, f"{'iteration':<{width}}  {self.wall_ms:8.2f} ms"])


def costliest(plan: Plan, row: str | None) -> Stage:
    """Return the stage with the highest estimated cost among those of the row's first cell."""
    rows = {cell.row: cell.stage for cell in reversed(plan.cells) if cell.stage}
    if row is not None and row not in rows:
        raise unknown("row", row, rows, "the selected tables")
    chosen = rows[row] if row is not None else next(cell.stage for cell in plan.cells if cell.stage)
    return max(closure([chosen]), key=lambda stage: stage.cost)


def break_down(plan: Plan, stage: Stage, store: Store, iterations: int, trace: Path | None) -> Breakdown:
    """Run the stage in a temporary store that borrows its inputs, until so many iterations are measured.

    Raises:
        BenchmarkError: the stage ends before.
    """
    import torch
    from torch.profiler import ProfilerActivity, profile

    from benchmark.costs.running import make_inputs
    from benchmark.execute.context import WorkContext
    from benchmark.execute.machine import one_thread
    from benchmark.execute.session import job_of

    make_inputs(plan, stage, store)
    one_thread()
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * torch.cuda.is_available()
    with profile(activities=activities):
        pass  # the first use of the profiler takes a second
    with borrowed(stage, store) as sandbox:
        profiler = profile(activities=activities)
        stopwatch = _Stopwatch(profiler, iterations)
        job = job_of(stage, plan, sandbox)
        context = WorkContext(job, sandbox, sandbox.draft(stage.key), lambda _done, _total: None, stopwatch.stop)
        context.scratch.mkdir(parents=True)
        try:
            load_function(stage.function)(cast("StageContext", context))
        except StageInterrupted:
            pass
        else:
            raise BenchmarkError(
                f"stage {stage.name!r} ended before {WARM_UP + iterations} iterations, {WARM_UP} of them to warm up; "
                f"lower --iterations or take a profile with longer training."
            )
        if trace:
            profiler.export_chrome_trace(str(trace))
        return Breakdown(
            stage=stage.name,
            device=context.device_used(),
            iterations=iterations,
            wall_ms=1000 * stopwatch.seconds / iterations,
            sections={label: ms / iterations for label, ms in _sections(profiler).items()},
        )


@contextmanager
def borrowed(stage: Stage, store: Store) -> Iterator[Store]:
    """Yield a temporary store in which the inputs of the stage are links to those of another."""
    with tempfile.TemporaryDirectory(prefix="weakshot-breakdown-") as folder:
        sandbox = Store(Path(folder))
        for parent in stage.inputs.values():
            link = sandbox.folder(parent.key)
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.symlink_to(store.folder(parent.key).resolve(), target_is_directory=True)
        yield sandbox


class _Stopwatch:
    """Starts the profiler after the warm-up and says when enough was measured; a stage asks before each iteration."""

    def __init__(self, profiler: "profile", iterations: int) -> None:
        self._profiler, self._iterations = profiler, iterations
        self._asked, self._began = 0, 0.0
        self.seconds = 0.0

    def stop(self) -> bool:
        self._asked += 1
        if self._asked == WARM_UP + 1:
            self._profiler.start()
            self._began = time.perf_counter()
        if self._asked <= WARM_UP + self._iterations:
            return False
        if not self.seconds:
            self.seconds = time.perf_counter() - self._began
            self._profiler.stop()
        return True


def _sections(profiler: "profile") -> dict[str, float]:
    """Return label -> milliseconds over the whole measurement."""
    events: Any = profiler.key_averages()
    return {
        event.key.removeprefix(SECTION): max(event.cpu_time_total, event.device_time_total) / 1000
        for event in events
        if event.key.startswith(SECTION)
    }
