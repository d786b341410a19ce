"""``plan``: the cells of a selection, the stages that make them, and what they will cost."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import click

from benchmark.commands.options import Selection, selection_options
from benchmark.errors import Exit
from benchmark.estimate import wall_seconds
from benchmark.execute.display import duration
from benchmark.execute.machine import default_workers
from benchmark.plan import Plan
from benchmark.store import Store


@click.command()
@selection_options()
@click.option("--workers", type=click.IntRange(min=1), help="Worker processes to assume.  [default: all cores]")
@click.option("--json", "as_json", is_flag=True, help="Print cells and stages as JSON.")
def command(selection: Selection, workers: int | None, as_json: bool) -> int:
    """Show the cells of a selection, the unique stages that make them, and what is left to do."""
    plan = selection.plan()
    if as_json:
        click.echo(json.dumps(as_data(plan, selection.store), indent=1))
    reason = nothing_selected(plan, selection)
    if reason:
        click.echo(reason, err=True)
        return Exit.NOTHING
    if not as_json:
        click.echo(listing(plan, selection.store, workers or default_workers()))
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


def listing(plan: Plan, store: Store, workers: int) -> str:
    """Return the plan for people."""
    seeds = ", ".join(map(str, plan.seeds))
    head = f"dataset {plan.dataset.name}, profile {plan.profile.name}, preset {plan.preset}, seeds {seeds}"
    return "\n".join(
        [head, *_cell_lines(plan, store), "", *_stage_lines(plan, store), "", _costs(plan, store, workers)]
    )


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


def _stage_lines(plan: Plan, store: Store) -> Iterator[str]:
    kinds = Counter(stage.kind for stage in plan.stages)
    cached = Counter(stage.kind for stage in plan.stages if store.find(stage))
    left = {kind: sum(one.cost for one in plan.stages if one.kind == kind and not store.find(one)) for kind in kinds}
    width = max(len("kind"), *(len(kind) for kind in kinds))
    yield f"{'kind':{width}}  stages  cached  CPU time left"
    for kind, count in kinds.items():
        yield f"{kind:{width}}  {count:6}  {cached[kind]:6}  {duration(left[kind]):>13}"


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
