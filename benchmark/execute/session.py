"""Making stages from beginning to end: scheduler, executor, interrupts."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmark.execute.executor import Launcher, counted_interrupts
from benchmark.execute.messages import Finished, Job
from benchmark.execute.scheduler import Observer, Scheduler
from benchmark.plan import Plan
from benchmark.stage import Stage
from benchmark.store import Store


class Session(NamedTuple):
    """What became of the stages: key -> end; those that were not reached are missing."""

    outcomes: Mapping[str, Finished]
    interrupted: bool


def make_stages(
    plan: Plan, stages: Sequence[Stage], store: Store, launcher: Launcher, observers: Sequence[Observer]
) -> Session:
    """Make stages of a plan, in topological order, where ``launcher`` says.

    Raises BenchmarkError where the store cannot be written; whatever a stage raises becomes its outcome.
    """
    store.check_writable()
    scheduler = Scheduler(stages, {stage.key: job_of(stage, plan, store) for stage in stages}, store, observers)
    with counted_interrupts(raise_on_second=launcher.in_process) as interrupts:
        executor = launcher.start(scheduler.event, interrupts)
        try:
            scheduler.run(executor, interrupts)
        except KeyboardInterrupt:  # the second Ctrl-C, in the middle of a stage of this process
            interrupts.count += 1
        finally:
            executor.close()
    return Session(scheduler.outcomes, interrupted=interrupts.count > 0)


def job_of(stage: Stage, plan: Plan, store: Store) -> Job:
    """Return what a worker needs to make a stage of a plan."""
    return Job(
        key=stage.key,
        kind=stage.kind,
        name=stage.name,
        function=stage.function,
        version=stage.version,
        params=stage.params,
        inputs={role: parent.key for role, parent in stage.inputs.items()},
        access=stage.access,
        cost=stage.cost,
        cells=list(plan.uses.get(stage.key, [])),
        store=str(store.root.absolute()),
        sources={plan.dataset.name: plan.source},
        data_root=str(plan.data_root) if plan.data_root else None,
        hints=stage.hints,
        shares=stage.shares,
    )
