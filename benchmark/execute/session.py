"""Making stages from beginning to end: scheduler, executor, interrupts."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmark.execute.executor import Executor, Interrupts, counted_interrupts
from benchmark.execute.inline import InlineExecutor
from benchmark.execute.local import LocalExecutor
from benchmark.execute.messages import Finished, job_of
from benchmark.execute.scheduler import Observer, Scheduler
from benchmark.plan import Plan
from benchmark.stage import Stage
from benchmark.store import Store


class Session(NamedTuple):
    """What became of the stages: key -> end; those that were not reached are missing."""

    outcomes: Mapping[str, Finished]
    interrupted: bool


def make_stages(
    plan: Plan, stages: Sequence[Stage], store: Store, workers: int, observers: Sequence[Observer]
) -> Session:
    """Make stages of a plan, in topological order, with so many worker processes; 0 makes them in this one.

    Raises BenchmarkError where the store cannot be written; whatever a stage raises becomes its outcome.
    """
    store.check_writable()
    scheduler = Scheduler(stages, {stage.key: job_of(stage, plan, store) for stage in stages}, store, observers)
    with counted_interrupts(raise_on_second=workers == 0) as interrupts:
        executor = _executor(workers, scheduler, interrupts)
        try:
            scheduler.run(executor, interrupts)
        except KeyboardInterrupt:  # the second Ctrl-C, in the middle of a stage of this process
            interrupts.count += 1
        finally:
            executor.close()
    return Session(scheduler.outcomes, interrupted=interrupts.count > 0)


def _executor(workers: int, scheduler: Scheduler, interrupts: Interrupts) -> Executor:
    if workers:
        return LocalExecutor(workers, scheduler.event)
    return InlineExecutor(scheduler.event, interrupts)
