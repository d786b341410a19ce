"""A stage at work for a few units, timed by the progress that it tells, and then ended."""

import shutil
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from benchmark.costs.device import clock_of, forget_peak, peak_bytes, wait_for
from benchmark.datasets import Dataset
from benchmark.errors import BenchmarkError
from benchmark.execute.context import WorkContext
from benchmark.execute.machine import one_thread
from benchmark.execute.messages import Job
from benchmark.execute.session import job_of
from benchmark.plan import Plan
from benchmark.relocated import load_function
from benchmark.stage import Stage, StageContext, StageInterrupted, closure
from benchmark.store import Store

if TYPE_CHECKING:
    from benchmark.costs.flops import Operations

WARM_UP = 3  # units before the measurement: kernels are chosen, memory is taken


class Limits(NamedTuple):
    """How long a stage is measured.

    Attributes:
        units: at most so many, after the warm-up.
        seconds: or no new unit after so many; the warm-up ends after so many too.
        flops: count the floating-point operations of one more unit, which takes longer; on a CPU.
    """

    units: int
    seconds: float
    flops: bool = False

    @property
    def images(self) -> int:
        """How many images give a stage of one image a unit something to do up to the end."""
        return WARM_UP + self.units + 1 + self.flops


class Timing(NamedTuple):
    """What was measured.

    Attributes:
        seconds: of a unit; on a processor the time that it spends on it.
        measured: units, after the warm-up if the stage is long enough.
        units: of the whole stage.
        memory: peak, in bytes.
        flops: of a unit; ``None`` where they were not counted.
    """

    seconds: float
    measured: int
    units: int
    memory: int = 0
    flops: float | None = None


class Stopwatch:
    """Is told of a stage's progress, and ends the stage when enough was seen.

    Args:
        limits: when that is.
        settle: returns when the device has nothing left to do.
        clock: in seconds.
    """

    def __init__(self, limits: Limits, settle: Callable[[], None], clock: Callable[[], float]) -> None:
        self._limits, self._settle, self._clock = limits, settle, clock
        self._ticks: list[tuple[float, int]] = [(clock(), 0)]
        self._first: int | None = None  # of the ticks, the one after the warm-up
        self._units = 0
        self._counter: Operations | None = None
        self._flops: float | None = None

    def progress(self, done: int, units: int) -> None:
        """Take note. Raises StageInterrupted when enough was seen."""
        if self._counter:
            self._flops = self._counter.total
            raise StageInterrupted
        self._settle()
        self._ticks.append((self._clock(), done))
        self._units = units
        if self._first is None:
            self._first = len(self._ticks) - 1 if self._warm() else None
        elif self._enough(self._first):
            self._count()

    def close(self) -> None:
        """Leave the stage alone."""
        if self._counter:
            self._counter.__exit__(None, None, None)  # type: ignore[no-untyped-call]

    def timing(self) -> Timing:
        """Return what is known of a stage that has ended, be it before the warm-up did, or without a word."""
        if not self._units:
            return Timing(self._clock() - self._ticks[0][0], 1, 1)
        ended, after = self._ticks[-1]
        starts = (self._ticks[tick] for tick in (self._first, 1, 0) if tick is not None)
        began, before = next(start for start in starts if start[1] < after)
        return Timing((ended - began) / (after - before), after - before, self._units, flops=self._flops)

    def _warm(self) -> bool:
        return len(self._ticks) > WARM_UP or self._ticks[-1][0] - self._ticks[0][0] >= self._limits.seconds

    def _enough(self, first: int) -> bool:
        (began, before), (now, done) = self._ticks[first], self._ticks[-1]
        return done - before >= self._limits.units or now - began >= self._limits.seconds

    def _count(self) -> None:
        """Count the operations of the next unit, or end the stage."""
        if not self._limits.flops:
            raise StageInterrupted
        from benchmark.costs.flops import Operations

        self._counter = Operations()
        self._counter.__enter__()  # type: ignore[no-untyped-call]


class _Context(WorkContext):
    """The context of a stage whose progress a stopwatch sees."""

    def __init__(self, job: Job, store: Store, stopwatch: Stopwatch) -> None:
        super().__init__(job, store, store.draft(job.key), lambda _done, _total: None, lambda: False)
        self._stopwatch = stopwatch

    def progress(self, done: int, total: int) -> None:
        self._stopwatch.progress(done, total)

    @cached_property
    def _dataset(self) -> Dataset:
        """The photographs are read anew each time: those of a large dataset do not stay in memory."""
        from benchmark.datasets.files import FileDataset

        loaded = super()._dataset
        return FileDataset(loaded.layout, held=0) if isinstance(loaded, FileDataset) else loaded


def measure_stage(stage: Stage, plan: Plan, store: Store, limits: Limits, device: str) -> Timing:
    """Run a stage, whose inputs are in the store, until enough was measured; its result is not kept."""
    one_thread()
    stopwatch = Stopwatch(limits, lambda: wait_for(device), clock_of(device))
    function: Callable[[Any], Any] = load_function(stage.function)
    context = _Context(job_of(stage, plan, store), store, stopwatch)
    context.scratch.mkdir(parents=True)
    forget_peak(device)
    try:
        function(cast("StageContext", context))
    except StageInterrupted:
        pass
    finally:
        stopwatch.close()
        shutil.rmtree(context.out, ignore_errors=True)
        shutil.rmtree(store.work(stage.key), ignore_errors=True)
    wait_for(device)
    return stopwatch.timing()._replace(memory=peak_bytes(device))


def make_inputs(plan: Plan, stage: Stage, store: Store) -> None:
    """Make what the stage reads, in this process, unless it is there; raises as ``make_stages_here`` does."""
    try:
        make_stages_here(plan, closure(stage.inputs.values()), store)
    except BenchmarkError as error:
        raise BenchmarkError(f"what stage {stage.name!r} needs could not be made: {error}") from error


def make_stages_here(plan: Plan, stages: Iterable[Stage], store: Store) -> None:
    """Make stages, inputs before users, in this process, unless they are there.

    Raises:
        BenchmarkError: some of them could not be made.
        KeyboardInterrupt: the user asked to stop.
    """
    from benchmark.execute.display import display
    from benchmark.execute.inline import Inline
    from benchmark.execute.session import make_stages

    missing = [stage for stage in stages if not store.find(stage)]
    if not missing:
        return
    shown = display(missing, 0, quiet=False)
    try:
        session = make_stages(plan, missing, store, Inline(), [shown])
    finally:
        shown.close()
    if session.interrupted:
        raise KeyboardInterrupt
    failed = [end.message for end in session.outcomes.values() if end.state != "done"]
    if failed:
        raise BenchmarkError("; ".join(failed))
