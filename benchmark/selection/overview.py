"""What a plan comes to, for people: its cells, its stages, and what is left to do."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmark.execute.machine import default_workers
from benchmark.makespan import wall_seconds
from benchmark.wording import duration, enumerated, form, plural

if TYPE_CHECKING:
    from benchmark.costs.pace import Pace
    from benchmark.plan import Plan
    from benchmark.store import Store

GPUS = 4  # as the paper had; assumed where a machine has none to count


def listing(plan: "Plan", store: "Store", workers: int | None = None, pace: "Pace | None" = None) -> str:
    """Return the plan for people: hours at a pace, else expected CPU time."""
    asked = f"dataset {plan.dataset.name}, profile {plan.profile.name}, preset {plan.preset}"
    head = f"{asked}, {enumerated('seed', plan.seeds)}"
    costs = _hours(plan, store, pace, workers) if pace else [_costs(plan, store, workers or default_workers())]
    return "\n".join([head, *_cell_lines(plan, store), "", *_stage_lines(plan, store, pace), "", *costs])


def _cell_lines(plan: "Plan", store: "Store") -> Iterator[str]:
    for table in plan.tables:
        cells = plan.of(table.name)
        if not cells:
            continue
        yield f"\ntable {table.name}: {table.title}"
        width = max(len(cell.row) for cell in cells)
        for row in dict.fromkeys(cell.row for cell in cells):
            own = [cell for cell in cells if cell.row == row]
            done = sum(cell.stage is not None and store.find(cell.stage) is not None for cell in own)
            reasons = ", ".join(sorted({cell.reason for cell in own if cell.reason}))
            splits = " ".join(dict.fromkeys(cell.split for cell in own))
            count = f"{len(own):3} {form(len(own), 'cell') + ',':6}"
            yield f"  {row:{width}}  {count} {done:3} done  {splits}" + (f"  ({reasons})" if reasons else "")


def _stage_lines(plan: "Plan", store: "Store", pace: "Pace | None") -> Iterator[str]:
    kinds = Counter(stage.kind for stage in plan.stages)
    cached = Counter(stage.kind for stage in plan.stages if store.find(stage))
    left = dict.fromkeys(kinds, 0.0)
    for stage in plan.pending(store):
        left[stage.kind] += pace.estimate(stage).seconds if pace else stage.cost
    title = f"{'GPU' if pace and pace.gpu else 'CPU'} time left"
    width = max(len("kind"), *(len(kind) for kind in kinds))
    yield f"{'kind':{width}}  stages  cached  {title}"
    for kind, count in kinds.items():
        yield f"{kind:{width}}  {count:6}  {cached[kind]:6}  {duration(left[kind]):>13}"


def _hours(plan: "Plan", store: "Store", pace: "Pace", workers: int | None) -> Iterator[str]:
    from benchmark.costs.listing import cost_line, remarks

    pending = plan.pending(store)
    if not pending:
        yield "nothing left to make"
        return
    cells = sum(cell.stage is not None for cell in plan.cells)
    left = "" if len(pending) == len(plan.stages) else f", {len(pending)} of them to make"
    costs = cost_line(pending, pace, workers or devices(pace))
    yield f"{plural(cells, 'cell')} -> {plural(len(plan.stages), 'unique stage')}{left} -> {costs}"
    yield from remarks(pending, pace)


def devices(pace: "Pace") -> int:
    """Return how many devices to assume: those of this machine, for GPUs that are not here the paper's number."""
    from benchmark.costs.device import gpu_names

    return (len(gpu_names()) or GPUS) if pace.gpu else default_workers()


def _costs(plan: "Plan", store: "Store", workers: int) -> str:
    pending = plan.pending(store)
    if not pending:
        return "nothing left to make"
    cpu, wall = sum(stage.cost for stage in pending), wall_seconds(pending, workers)
    return (
        f"{plural(len(pending), 'stage')} to make: about {duration(cpu)} of CPU time, "
        f"{duration(wall)} with {plural(workers, 'worker')}"
    )
