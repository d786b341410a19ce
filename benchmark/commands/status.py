"""``status``: how the cells of a selection stand, in the store and in queues, and what became of attempts."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from benchmark.errors import BenchmarkError, Exit
from benchmark.execute.campaigns import CampaignStatus, QueueAnswer, told
from benchmark.execute.executors import managers
from benchmark.execute.records import attempt_line
from benchmark.execute.stage_status import StageStatus, stage_statuses
from benchmark.files import read_json
from benchmark.plan import Plan, PlannedCell
from benchmark.program import program
from benchmark.selection.options import Selection, selection_options
from benchmark.stage import closure
from benchmark.store import Store
from benchmark.wording import plural

STATES = ("done", "running", "queued", "failed", "cancelled", "interrupted", "missing", "not available")
WORST_FIRST = ("failed", "cancelled", "running", "queued", "interrupted", "lost")
ONE_BY_ONE = frozenset({"running", "failed", "cancelled", "interrupted", "lost", "done"})  # the rest are only counted


@click.command()
@selection_options()
@click.option("--attempts", "every", is_flag=True, help="Show the attempts at complete stages, too.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(selection: Selection, every: bool, as_json: bool) -> int:
    """Show per table how many cells are done, running, queued, failed or missing, and where failures left their logs.

    For stages that were submitted to a queue it is asked once, whoever submitted them and wherever this runs.
    """
    plan, store = selection.plan(), selection.store
    content = as_data(plan, store, every=every)
    titles = {name: manager.title for name, manager in managers(store).items()}
    click.echo(json.dumps(content, indent=1) if as_json else "\n".join(_lines(content, titles)))
    return Exit.OK if plan.cells else Exit.NOTHING


def cell_state(cell: PlannedCell, states: Mapping[str, str]) -> str:
    """Return how a cell stands: as its worst stage does, unless it is done."""
    if cell.stage is None:
        return "not available"
    if states[cell.stage.key] == "done":
        return "done"
    needed = {states[stage.key] for stage in closure([cell.stage])}
    worst = next((state for state in WORST_FIRST if state in needed), "missing")
    return "interrupted" if worst == "lost" else worst


def as_data(plan: Plan, store: Store, *, every: bool = False) -> dict[str, Any]:
    """Return as JSON values the counts of every table, the campaigns at work, and the stages of which there is news.

    Under the name of an executor that submits stands why its queue does not answer, if it does not.

    These are the ones that were begun or submitted and are not complete, or needed more than one attempt; with
    ``every`` all that were ever attempted.
    """
    inputs = {stage.key: [parent.key for parent in stage.inputs.values()] for stage in plan.stages}
    answers = {name: manager.ask(inputs) for name, manager in managers(store).items()}
    stages = stage_statuses(store, inputs, told(answers.values()))
    states = {key: stage.state for key, stage in stages.items()}
    counts = {table.name: Counter(cell_state(cell, states) for cell in plan.of(table.name)) for table in plan.tables}
    return {
        **{name: answer.silence for name, answer in answers.items()},
        "tables": [
            {"table": name, "cells": {state: found[state] for state in STATES}} for name, found in counts.items()
        ],
        "campaigns": list(_campaigns(store, stages, answers)),
        "stages": list(_stages(plan, store, stages, every=every)),
    }


def _campaigns(
    store: Store, stages: Mapping[str, StageStatus], answers: Mapping[str, QueueAnswer]
) -> Iterator[dict[str, Any]]:
    """Yield the campaigns of stages that are not complete."""
    open_stages = [stage for stage in stages.values() if stage.campaign and stage.state != "done"]
    for name, manager in managers(store).items():
        for campaign in answers[name].campaigns():
            states = Counter(stage.state for stage in open_stages if stage.campaign == campaign.id)
            if states:
                yield {"queue": manager.title, **_described(campaign), "stages": states}


def _described(campaign: CampaignStatus) -> dict[str, Any]:
    return campaign._asdict() | {"command": list(campaign.command)}


def _stages(plan: Plan, store: Store, statuses: Mapping[str, StageStatus], *, every: bool) -> Iterator[dict[str, Any]]:
    for stage in plan.stages:
        status = statuses[stage.key]
        attempts = store.attempts(stage.key) if status.state != "missing" else []
        if status.state == "missing" or (status.state == "done" and len(attempts) < (1 if every else 2)):
            continue
        yield {
            "key": stage.key,
            "name": stage.name,
            "state": status.state,
            "detail": status.detail,
            "job": status.job,
            "node": status.node,
            "campaign": status.campaign,
            "progress": read_json(store.work(stage.key) / "progress.json"),
            "attempts": attempts,
            "log": _log(store, stage.key, attempts) or _job_log(store, stage.key, status),
        }


def _log(store: Store, key: str, attempts: Sequence[dict[str, Any]]) -> str | None:
    """Return the file that tells most about the last attempt that made no result; old results lack it."""
    numbers = [one["number"] for one in attempts if one["state"] != "done"]
    files = (store.attempt_folder(key, numbers[-1]) / name for name in ("error.txt", "log.txt")) if numbers else ()
    return next((str(path) for path in files if path.is_file()), None)


def _job_log(store: Store, key: str, status: StageStatus) -> str | None:
    """Return what the job of a stage said that was lost before it began."""
    if status.state != "lost":
        return None
    try:
        logs = [path for manager in managers(store).values() for path in manager.logs(key)]
    except BenchmarkError:  # the record of a campaign is damaged
        return None
    return str(logs[-1]) if logs else None


def _lines(content: dict[str, Any], titles: Mapping[str, str]) -> Iterator[str]:
    yield "table  " + "  ".join(f"{state:>13}" for state in STATES)
    for table in content["tables"]:
        yield f"{table['table']:5}  " + "  ".join(f"{table['cells'][state]:13}" for state in STATES)
    for name, title in titles.items():
        if content[name]:
            yield f"\n{title} does not say what is in its queue: {content[name]}"
    for campaign in content["campaigns"]:
        yield from _campaign_lines(campaign)
    for state in ("queued", "blocked"):
        counted = [stage for stage in content["stages"] if stage["state"] == state]
        if counted:
            yield f"\n{state}: {_reasons(counted)}"
    for stage in content["stages"]:
        if stage["state"] in ONE_BY_ONE:
            yield from _stage_lines(stage)


def _campaign_lines(campaign: dict[str, Any]) -> Iterator[str]:
    states = ", ".join(f"{count} {state}" for state, count in campaign["stages"].items())
    user = f" of {campaign['user']}@{campaign['host']}, round {campaign['rounds']}" if campaign["host"] else ""
    yield f"\ncampaign {campaign['id']}{user}: {states}"
    if campaign["error"]:
        yield f"  {campaign['error']}"
    if campaign["stuck"]:
        held = f"{campaign['queue']} holds jobs that a node failed to start"
        yield f"  {held}; {program()} retry {campaign['id']} lets them go"
    if campaign["at_work"] is False:
        yield f"  none of its jobs is in the queue; {program()} retry {campaign['id']} submits what is missing"


def _reasons(stages: Sequence[dict[str, Any]]) -> str:
    counts = Counter(stage["detail"] or "about to start" for stage in stages)
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
    return f"{plural(len(stages), 'stage')} ({reasons})"


def _stage_lines(stage: dict[str, Any]) -> Iterator[str]:
    progress = stage["progress"] if stage["state"] == "running" else None
    share = f" {progress['done']}/{progress['total']}" if progress else ""
    job = f", job {stage['job']}" + (f" on {stage['node']}" if stage["node"] else "") if stage["job"] else ""
    yield f"\n{stage['state']}{share}: {stage['name']} [{stage['key'][:8]}]{job}"
    if stage["detail"] and stage["state"] == "lost":
        yield f"  {stage['detail']}"
    for attempt in stage["attempts"]:
        yield f"  {attempt_line(attempt, dead=stage['state'] != 'running')}"
    if stage["log"]:
        yield f"  log: {stage['log']}"
