"""``plan``: the cells of a selection, the stages that make them, and what they will cost."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from benchmark.commands.options import Selection, selection_options
from benchmark.datasets.catalog import as_published, is_absent
from benchmark.errors import Exit
from benchmark.estimate import wall_seconds
from benchmark.execute.display import duration
from benchmark.execute.machine import default_workers
from benchmark.plan import Plan
from benchmark.store import Store

if TYPE_CHECKING:
    from benchmark.speed.pace import Pace

GPUS = 4  # as the paper had; assumed where a machine has none to count
NOT_HERE = "the data is not here: sizes as published"


@click.command()
@selection_options()
@click.option(
    "--workers", type=click.IntRange(min=1), help="Worker processes to assume.  [default: all cores or GPUs; 4 GPUs]"
)
@click.option("--gpu", metavar="NAME", help="State the hours of this GPU, as in A100.  [default: what is known best]")
@click.option("--json", "as_json", is_flag=True, help="Print cells and stages as JSON.")
def command(selection: Selection, workers: int | None, gpu: str | None, as_json: bool) -> int:
    """Show the cells of a selection, the unique stages that make them, and what is left to do.

    Hours are those that `doctor --measure` has measured, else those that a GPU's peak figures promise; of a profile
    about which neither says anything the expected CPU time is shown. A published dataset need not be there.
    """
    from benchmark.speed.pace import find_pace

    absent = is_absent(selection.dataset, selection.data_root)
    plan = selection.plan(as_published(selection.dataset) if absent else None)
    pace = find_pace(plan.stages, plan.profile.name, selection.store, gpu) if plan.stages else None
    if as_json:
        remark = {"data": NOT_HERE} if absent else {}
        estimate = {"estimate": costs_as_data(plan, selection.store, pace, workers)} if pace else {}
        click.echo(json.dumps(as_data(plan, selection.store) | remark | estimate, indent=1))
    reason = nothing_selected(plan, selection)
    if reason:
        click.echo(reason, err=True)
        return Exit.NOTHING
    if not as_json:
        if absent:
            click.echo(f"{NOT_HERE}: {plan.dataset.train} training and {plan.dataset.test} test images")
        click.echo(listing(plan, selection.store, workers, pace))
    return Exit.OK


def nothing_selected(plan: Plan, selection: Selection) -> str:
    """Return in one sentence what was selected and why nothing of it can be made; empty where something can."""
    if any(cell.stage for cell in plan.cells):
        return ""
    if plan.cells:
        reasons = sorted({f"{cell.method}: {cell.reason}" for cell in plan.cells})
        return f"Nothing to make for {selection}: {'; '.join(reasons)}."
    rows = sorted({row.method for table in plan.tables for row in table.rows})
    columns = sorted({column.split for table in plan.tables for column in table.columns})
    return (
        f"Nothing matches {selection}: these tables have the methods {', '.join(rows)} "
        f"and the splits {', '.join(columns)}."
    )


def as_data(plan: Plan, store: Store) -> dict[str, Any]:
    """Return cells and stages as JSON values."""
    names = ("table", "row", "column", "method", "variant", "split", "seed", "printed", "reason")
    return {
        "cells": [
            {name: getattr(cell, name) for name in names} | {"stage": cell.stage.key if cell.stage else None}
            for cell in plan.cells
        ],
        "stages": [
            {
                "key": stage.key,
                "kind": stage.kind,
                "name": stage.name,
                "params": dict(stage.params),
                "inputs": {role: parent.key for role, parent in stage.inputs.items()},
                "cached": store.find(stage) is not None,
                "cost": stage.cost,
            }
            for stage in plan.stages
        ],
    }


def costs_as_data(plan: Plan, store: Store, pace: "Pace", workers: int | None) -> dict[str, Any]:
    """Return what is left to do in seconds of a device, and where that comes from, as JSON values."""
    from benchmark.speed.wording import remarks, total, wall

    pending = plan.pending(store)
    workers = workers or _devices(pace)
    return {
        "device": pace.device,
        "gpu": pace.gpu,
        "source": pace.source,
        "remarks": list(remarks(pending, pace)),
        "seconds": total(pending, pace),
        "workers": workers,
        "wall_seconds": wall(pending, pace, workers),
        "stages": {stage.key: pace.estimate(stage)._asdict() for stage in pending},
    }


def listing(plan: Plan, store: Store, workers: int | None = None, pace: "Pace | None" = None) -> str:
    """Return the plan for people: hours at a pace, else expected CPU time."""
    seeds = ", ".join(map(str, plan.seeds))
    head = f"dataset {plan.dataset.name}, profile {plan.profile.name}, preset {plan.preset}, seeds {seeds}"
    costs = _hours(plan, store, pace, workers) if pace else [_costs(plan, store, workers or default_workers())]
    return "\n".join([head, *_cell_lines(plan, store), "", *_stage_lines(plan, store, pace), "", *costs])


def _cell_lines(plan: Plan, store: Store) -> Iterator[str]:
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
            yield f"  {row:{width}}  {len(own):3} cells, {done:3} done  {splits}" + (
                f"  ({reasons})" if reasons else ""
            )


def _stage_lines(plan: Plan, store: Store, pace: "Pace | None") -> Iterator[str]:
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


def _hours(plan: Plan, store: Store, pace: "Pace", workers: int | None) -> Iterator[str]:
    from benchmark.speed.wording import cost_line, remarks

    pending = plan.pending(store)
    if not pending:
        yield "nothing left to make"
        return
    cells = sum(cell.stage is not None for cell in plan.cells)
    left = "" if len(pending) == len(plan.stages) else f", {len(pending)} of them to make"
    costs = cost_line(pending, pace, workers or _devices(pace))
    yield f"{cells} cells -> {len(plan.stages)} unique stages{left} -> {costs}"
    yield from remarks(pending, pace)


def _devices(pace: "Pace") -> int:
    """Return how many devices to assume: those of this machine, for GPUs that are not here the paper's number."""
    from benchmark.speed.device import gpu_names

    return (len(gpu_names()) or GPUS) if pace.gpu else default_workers()


def _costs(plan: Plan, store: Store, workers: int) -> str:
    pending = plan.pending(store)
    if not pending:
        return "nothing left to make"
    cpu, wall = sum(stage.cost for stage in pending), wall_seconds(pending, workers)
    plural = "" if workers == 1 else "s"
    return (
        f"{len(pending)} stages to make: about {duration(cpu)} of CPU time, "
        f"{duration(wall)} with {workers} worker{plural}"
    )
