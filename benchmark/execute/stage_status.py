"""How every stage of a store stands, from its records there and from what executors say of the job that is to make it.

Queues are asked first and the store is read afterwards: a stage that is made in between is seen as done, never as lost.
"""

import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from benchmark.files import read_json, write_json
from benchmark.store import Store

State = Literal["done", "running", "queued", "failed", "blocked", "cancelled", "interrupted", "lost", "missing"]

HOPELESS = frozenset({"failed", "blocked", "cancelled"})


class StageStatus(NamedTuple):
    """How a stage status.

    Attributes:
        state: ``queued`` waits in the queue of an executor; ``blocked`` needs a stage that failed or was cancelled;
            ``lost`` was submitted, and its job ended before it had begun; ``missing`` was never begun nor submitted.
        job: name of the job that makes it, or was last to.
        node: where that job runs.
        campaign: whose job it is.
        detail: in one line why it waits, failed or is blocked.
        by_machine: of a failed stage: a machine was at fault, not the stage.
    """

    state: State
    job: str = ""
    node: str = ""
    campaign: str = ""
    detail: str = ""
    by_machine: bool = False


Told = Callable[[str], StageStatus | None]


def stage_statuses(store: Store, inputs: Mapping[str, Collection[str]], told: Told) -> dict[str, StageStatus]:
    """Return how stages stand.

    Args:
        store: what is asked about.
        inputs: key of a stage -> keys of its inputs; inputs before users.
        told: what an executor says of a stage that it was handed and that is not complete, by the job that is to make
            it: ``running`` or ``queued``; ``cancelled`` by its user; ``lost`` where the job has ended, with the reason.
    """
    found: dict[str, StageStatus] = {}
    for key, needed in inputs.items():
        status = _own_status(store, key, told)
        if status.state in {"missing", "lost", "interrupted"}:
            status = _blocked(store, status, needed, found)
        found[key] = status
    return found


def cancelled_mark(store: Store, key: str) -> Path:
    """Return the file that says that a stage was taken out of a queue on purpose; the next attempt makes it void."""
    return store.work(key) / "cancelled.json"


def mark_cancelled(store: Store, key: str) -> None:
    """Note that a stage was taken out of a queue on purpose."""
    write_json(cancelled_mark(store, key), {"time": time.time()})


def _own_status(store: Store, key: str, told: Told) -> StageStatus:
    """Return how a stage stands by itself, whatever became of its inputs."""
    state = store.state(key)
    if state == "done":
        return StageStatus("done")
    said = told(key)
    if said and said.state == "running":
        return said
    if state == "running":
        return StageStatus("running")
    if said and said.state == "queued":
        return said
    base = StageStatus("missing", said.job, campaign=said.campaign) if said else StageStatus("missing")
    if (said and said.state == "cancelled") or _marked(store, key):
        return base._replace(state="cancelled")
    if state == "failed":
        last = store.attempts(key)[-1]
        detail = str(last["error"]).partition("\n")[0]
        return base._replace(state="failed", detail=detail, by_machine=last.get("fault") == "machine")
    if state == "interrupted":
        return base._replace(state="interrupted", detail=said.detail if said else "")
    return base._replace(state="lost", detail=said.detail) if said else base


def _blocked(
    store: Store, status: StageStatus, needed: Collection[str], found: Mapping[str, StageStatus]
) -> StageStatus:
    """Return how a stage stands that nobody makes, once it is known how its inputs do."""
    states = {key: found[key].state if key in found else "done" if store.find(key) else "missing" for key in needed}
    obstacle = next((key for key, state in states.items() if state in HOPELESS), None)
    return status._replace(state="blocked", detail=f"needs {obstacle[:8]}") if obstacle else status


def _marked(store: Store, key: str) -> bool:
    mark = read_json(cancelled_mark(store, key))
    attempts = store.attempts(key)
    marked = mark.get("time") if isinstance(mark, dict) else None
    return isinstance(marked, int | float) and not (attempts and attempts[-1]["started"] > marked)
