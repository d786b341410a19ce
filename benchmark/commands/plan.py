"""``plan``: the cells of a selection, the stages that make them, and what they will cost."""

import json
from typing import TYPE_CHECKING, Any

import click

from benchmark.completion import values as offered
from benchmark.datasets.catalog import as_published, is_absent
from benchmark.errors import Exit
from benchmark.plan import Plan
from benchmark.selection.endings import nothing_selected
from benchmark.selection.options import Selection, selection_options
from benchmark.selection.overview import devices, listing
from benchmark.store import Store

if TYPE_CHECKING:
    from benchmark.costs.pace import Pace

NOT_HERE = "the data is not here: sizes as published"


@click.command()
@selection_options()
@click.option(
    "--workers", type=click.IntRange(min=1), help="Worker processes to assume.  [default: all cores or GPUs; 4 GPUs]"
)
@click.option(
    "--gpu",
    metavar="NAME",
    shell_complete=offered.one_of(offered.gpus),
    help="State the hours of this GPU, as in A100.  [default: what is known best]",
)
@click.option("--json", "as_json", is_flag=True, help="Print cells and stages as JSON.")
def command(selection: Selection, workers: int | None, gpu: str | None, as_json: bool) -> int:
    """Show the cells of a selection, the unique stages that make them, and what is left to do.

    Hours are those that `measure` has measured, else those that a GPU's peak figures promise; of a profile
    about which neither says anything the expected CPU time is shown. A published dataset need not be there.
    """
    from benchmark.costs.pace import find_pace

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
    from benchmark.costs.listing import remarks, total, wall

    pending = plan.pending(store)
    workers = workers or devices(pace)
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
