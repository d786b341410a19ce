"""How every stage of a store stands, from its records and from what Slurm says of the jobs that are to make it.

Slurm is asked first and the store is read afterwards: a stage that is made in between is seen as done, never as lost.
"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from benchmark.execute.cluster.campaign import Campaign, owner
from benchmark.execute.cluster.history import last_error
from benchmark.execute.cluster.queue import Queue, QueuedJob, look, past
from benchmark.execute.cluster.queued import Queued, queued
from benchmark.files import read_json
from benchmark.store import Store

State = Literal["done", "running", "queued", "failed", "blocked", "cancelled", "interrupted", "lost", "missing"]

HOPELESS = frozenset({"failed", "blocked", "cancelled"})


class Standing(NamedTuple):
    """How a stage stands.

    Attributes:
        state: ``queued`` waits in Slurm's queue; ``blocked`` needs a stage that failed or was cancelled; ``lost`` was
            submitted, and its job ended before it had begun; ``missing`` was never begun nor submitted.
        job: Slurm's name of the job that makes it, or was last to.
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


class Survey(NamedTuple):
    """How stages stand, by key, and what Slurm said; ``queue`` is empty where it was not asked."""

    stages: Mapping[str, Standing]
    queue: Queue


def survey(store: Store, inputs: Mapping[str, Collection[str]], *, ask: bool = False) -> Survey:
    """Return how stages stand.

    Args:
        store: what is asked about.
        inputs: key of a stage -> keys of its inputs; inputs before users.
        ask: whether Slurm is asked even if no stage was submitted to it.
    """
    return _Survey(store, inputs, ask=ask).made()


def inputs_of(campaign: Campaign) -> dict[str, Collection[str]]:
    """Return the stages of a campaign with their inputs, as ``survey`` takes them."""
    return {key: campaign.job(key).inputs.values() for key in campaign.stages}


def attainable(
    inputs: Mapping[str, Collection[str]], stages: Mapping[str, Standing], accepted: Callable[[str, Standing], bool]
) -> list[str]:
    """Return the stages that nobody makes and that can be made, inputs before users.

    Args:
        inputs: as for ``survey``.
        stages: how they stand.
        accepted: whether a stage that is not complete may be made; what rests on one that may not cannot be made.
    """
    lost: set[str] = set()
    found = []
    for key, needed in inputs.items():
        if stages[key].state in {"done", "queued", "running"}:
            continue
        if accepted(key, stages[key]) and lost.isdisjoint(needed):
            found.append(key)
        else:
            lost.add(key)
    return found


def cancelled_mark(store: Store, key: str) -> Path:
    """Return the file that says that a stage was taken out of the queue on purpose."""
    return store.work(key) / "cancelled.json"


class _Survey:
    def __init__(self, store: Store, inputs: Mapping[str, Collection[str]], *, ask: bool) -> None:
        self._store, self._inputs = store, inputs
        self._found: dict[str, Standing] = {}
        entries = ((key, queued(store, key)) for key in inputs if not store.find(key))
        self._entries = {key: entry for key, entry in entries if entry}
        self._queue = look() if self._entries or ask else Queue()
        self._past = self._asked_of_accounting()

    def made(self) -> Survey:
        for key in self._inputs:
            self._found[key] = self._standing(key)
        return Survey(self._found, self._queue)

    def _asked_of_accounting(self) -> Mapping[str, QueuedJob]:
        """Return the jobs that Slurm's controller has forgotten, of stages that are not complete."""
        if self._queue.silence:
            return {}
        forgotten = (key for key, one in self._entries.items() if not _ours(self._queue.jobs.get(one.job), one))
        return past({self._entries[key].job for key in forgotten if not self._store.find(key)})

    def _standing(self, key: str) -> Standing:
        if self._store.find(key):
            return Standing("done")
        entry, job = self._entries.get(key), self._job(key)
        base = Standing("missing")
        if entry:
            base = base._replace(job=entry.job, campaign=entry.campaign)
        if job and job.alive:
            return base._replace(state="queued" if job.waiting else "running", detail=job.reason, node=job.node)
        state = self._store.state(key)
        if state in {"done", "running"}:
            return Standing("done") if state == "done" else Standing("running")
        newer = queued(self._store, key)
        if newer and newer != entry:  # submitted since Slurm was asked
            return Standing("queued", newer.job, campaign=newer.campaign)
        if entry and self._queue.silence:
            return base._replace(state="queued", detail=f"as far as is known: {self._queue.silence}")
        return self._idle(key, base, job, state)

    def _idle(self, key: str, base: Standing, job: QueuedJob | None, state: str) -> Standing:
        """Return how a stage stands that nobody makes or is about to make."""
        if self._cancelled(key, job):
            return base._replace(state="cancelled")
        if state == "failed":
            fault = self._store.attempts(key)[-1].get("fault")
            return base._replace(state="failed", detail=last_error(self._store, key), by_machine=fault == "machine")
        needed = next((one for one in self._inputs[key] if self._stands(one) in HOPELESS), None)
        if needed:
            return base._replace(state="blocked", detail=f"needs {needed[:8]}")
        if state == "interrupted":
            return base._replace(state="interrupted", detail=_end(job))
        return base._replace(state="lost", detail=_end(job)) if base.job else base

    def _stands(self, key: str) -> str:
        return self._found[key].state if key in self._found else "done" if self._store.find(key) else "missing"

    def _job(self, key: str) -> QueuedJob | None:
        """Return what Slurm says of the job that is to make a stage; nothing of another one with its number."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        known = (jobs.get(entry.job) for jobs in (self._queue.jobs, self._past))
        return next((job for job in known if _ours(job, entry)), None)

    def _cancelled(self, key: str, job: QueuedJob | None) -> bool:
        """Return whether its user took the stage out of the queue, with our command or with Slurm's."""
        if job and job.by_hand:
            return True
        mark = read_json(cancelled_mark(self._store, key))
        attempts = self._store.attempts(key)
        return bool(mark) and not (attempts and attempts[-1]["started"] > mark["time"])


def _ours(job: QueuedJob | None, entry: Queued) -> bool:
    return job is not None and owner(job.name) == entry.campaign


def _end(job: QueuedJob | None) -> str:
    return f"Slurm: {job.state}" + (f" ({job.reason})" if job.reason else "") if job else ""
