"""``status``: how the cells of a selection stand, and what became of every attempt."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click

from benchmark.commands.options import Selection, selection_options
from benchmark.errors import Exit
from benchmark.files import read_json
from benchmark.plan import Plan, PlannedCell
from benchmark.stage import closure
from benchmark.store import Store

STATES = ("done", "running", "failed", "interrupted", "missing", "not available")


@click.command()
@selection_options()
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(selection: Selection, as_json: bool) -> int:
    """Show per table how many cells are done, running, failed or missing, and where failures left their logs."""
    plan, store = selection.plan(), selection.store
    states = {stage.key: store.state(stage.key) for stage in plan.stages}
    content = as_data(plan, store, states)
    click.echo(json.dumps(content, indent=1) if as_json else "\n".join(_lines(content)))
    return Exit.OK if plan.cells else Exit.NOTHING


def cell_state(cell: PlannedCell, states: dict[str, Any]) -> str:
    """Return how a cell stands: as its worst stage does, unless it is done."""
    if cell.stage is None:
        return "not available"
    if states[cell.stage.key] == "done":
        return "done"
    needed = {states[stage.key] for stage in closure([cell.stage])}
    return next((state for state in ("failed", "running", "interrupted") if state in needed), "missing")


def as_data(plan: Plan, store: Store, states: dict[str, Any]) -> dict[str, Any]:
    """Return the counts of every table, and every stage that was attempted and is not complete, as JSON values."""
    counts = {table.name: Counter(cell_state(cell, states) for cell in plan.of(table.name)) for table in plan.tables}
    attempted = [stage for stage in plan.stages if states[stage.key] in {"running", "failed", "interrupted"}]
    return {
        "tables": [
            {"table": name, "cells": {state: found[state] for state in STATES}} for name, found in counts.items()
        ],
        "stages": [
            {
                "key": stage.key,
                "name": stage.name,
                "state": states[stage.key],
                "progress": read_json(store.work(stage.key) / "progress.json"),
                "attempts": store.attempts(stage.key),
                "log": _log(store, stage.key),
            }
            for stage in attempted
        ],
    }


def _log(store: Store, key: str) -> str | None:
    """Return the file that tells most about the last attempt."""
    attempts = store.attempts(key)
    folder = store.attempt_folder(key, attempts[-1]["number"]) if attempts else store.work(key)
    return next((str(folder / name) for name in ("error.txt", "log.txt") if (folder / name).is_file()), None)


def _lines(content: dict[str, Any]) -> Iterator[str]:
    yield "table  " + "  ".join(f"{state:>13}" for state in STATES)
    for table in content["tables"]:
        yield f"{table['table']:5}  " + "  ".join(f"{table['cells'][state]:13}" for state in STATES)
    for stage in content["stages"]:
        progress = stage["progress"] if stage["state"] == "running" else None
        share = f" {progress['done']}/{progress['total']}" if progress else ""
        yield f"\n{stage['state']}{share}: {stage['name']} [{stage['key'][:8]}]"
        for attempt in stage["attempts"]:
            yield f"  {_attempt_line(attempt, dead=stage['state'] != 'running')}"
        if stage["log"]:
            yield f"  log: {stage['log']}"


def _attempt_line(attempt: dict[str, Any], *, dead: bool) -> str:
    state = "interrupted" if dead and attempt["state"] == "running" else attempt["state"]
    started = datetime.fromtimestamp(attempt["started"], UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    error = f": {attempt['error'].splitlines()[0]}" if attempt["error"] else ""
    return f"attempt {attempt['number']}, {started}, {attempt['host']} pid {attempt['pid']}: {state}{error}"
