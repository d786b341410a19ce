"""What ``measure`` has to do, and what becomes of it."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import NamedTuple

import click

from benchmark.costs.measurements import Measurement
from benchmark.costs.running import Limits, Timing, make_inputs, measure_stage
from benchmark.costs.workloads import in_precision, measurable, precision_of, representatives, signature
from benchmark.errors import unknown
from benchmark.plan import Plan
from benchmark.stage import Stage, closure
from benchmark.store import Store


class Task(NamedTuple):
    """A kind of work to measure: a stage of it on drawn photographs, and what such stages cost in the whole plan."""

    stage: Stage
    cost: float

    @property
    def title(self) -> str:
        """Return the stage with its precision, if it has a choice."""
        precision = precision_of(self.stage)
        return f"{self.stage.kind}: {self.stage.name}" + (f", {precision}" if precision else "")


class MeasuredTask(NamedTuple):
    """What became of a task: a measurement, or why there is none."""

    task: Task
    measurement: Measurement | None
    problem: str = ""


def tasks_of(plan: Plan, whole: Plan, precisions: tuple[str, ...] | None, *, gpu: bool) -> list[Task]:
    """Return what to measure: every kind in its own precision first, the costliest first, then the other precisions.

    Args:
        plan: of drawn photographs.
        whole: the same selection of the dataset itself.
        precisions: asked for; ``None`` is all that a stage offers on a GPU, and its own elsewhere.
        gpu: whether the device is one.

    Raises:
        BenchmarkError: no stage can compute in a precision that was asked for.
    """
    costs: dict[str, float] = {}
    for stage in whole.stages:
        costs[signature(stage)] = costs.get(signature(stage), 0.0) + stage.cost
    kinds = [(kind, stage) for kind, stage in representatives(plan.stages).items() if stage.cost]
    kinds.sort(key=lambda kind: -costs[kind[0]])
    offered = dict.fromkeys(name for _, stage in kinds for name in stage.work.precisions)
    for name in precisions or ():
        if name not in offered:
            raise unknown("precision", name, offered, "--precisions")
    ranked: list[tuple[int, Task]] = []
    for kind, stage in kinds:
        own = precision_of(stage)
        wanted = list(precisions or (offered if gpu else (own,))) if own else [own]
        own_first = sorted(wanted, key=own.__ne__)
        ranked += [(rank, Task(in_precision(stage, name), costs[kind])) for rank, name in enumerate(own_first)]
    return [task for _, task in sorted(ranked, key=itemgetter(0))]


def measure_tasks(
    tasks: Sequence[Task], plan: Plan, store: Store, limits: Limits, device: str, deadline: float
) -> Iterator[MeasuredTask]:
    """Yield what becomes of each task; none begins after ``deadline``, and no exception of a stage comes through."""
    from benchmark.costs.device import out_of_memory
    from benchmark.execute.faults import last_line

    for number, task in enumerate(tasks, start=1):
        head = f"[{number}/{len(tasks)}] {task.title}"
        if time.monotonic() > deadline:
            yield MeasuredTask(task, None, "not begun: the time is over (--minutes)")
            continue
        click.echo(f"{head} ...", err=True)
        stage = measurable(task.stage)
        broken = [one.name for one in closure(stage.inputs.values()) if store.state(one.key) == "failed"]
        if broken:
            yield MeasuredTask(task, None, f"needs {broken[0]!r}, which could not be made")
            continue
        try:
            make_inputs(plan, stage, store)
            timing = measure_stage(stage, plan, store, limits, device)
        except Exception as error:
            reason = "out of memory" if out_of_memory(error) else last_line(error)
            click.echo(f"{head}: not measured, {reason}", err=True)
            yield MeasuredTask(task, None, reason)
        else:
            click.echo(f"{head}: {timing.seconds:.3g} s a unit, {timing.measured} timed", err=True)
            yield MeasuredTask(task, _measurement(task.stage, timing, plan, device))


def _measurement(stage: Stage, timing: Timing, plan: Plan, device: str) -> Measurement:
    from benchmark.costs.device import device_name
    from benchmark.provenance import package_versions, source_revision

    return Measurement(
        signature=signature(stage),
        function=stage.function,
        precision=precision_of(stage),
        kind=stage.kind,
        stage=stage.name,
        dataset=plan.dataset.name,
        profile=plan.profile.name,
        device=device_name(device),
        gpu=device.startswith("cuda"),
        torch=str(package_versions()["torch"]),
        commit=source_revision().commit,
        date=datetime.now(UTC).date().isoformat(),
        hints=dict(stage.hints),
        seconds=timing.seconds,
        measured=timing.measured,
        units=timing.units,
        cost=stage.cost,
        images=stage.work.images,
        memory=timing.memory,
        flops=timing.flops,
    )
