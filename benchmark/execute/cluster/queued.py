"""Which job makes a stage: ``work/<key>/queued.json``, so that runs that share a store submit no stage twice."""

import shutil
from typing import NamedTuple

from benchmark.execute.cluster.campaign import owner
from benchmark.execute.cluster.queue import Queue
from benchmark.files import canonical_json, read_json, write_text
from benchmark.store import Store


class Queued(NamedTuple):
    """A job that is to make a stage: its campaign, the round, Slurm's name for it, when it was submitted."""

    campaign: str
    round: int
    job: str
    submitted: float


def queued(store: Store, key: str) -> Queued | None:
    """Return the job that was last submitted for a stage that is not complete; it may have ended since."""
    content = read_json(store.work(key) / "queued.json")
    return Queued(**content) if isinstance(content, dict) and set(content) == set(Queued._fields) else None


def note(store: Store, key: str, entry: Queued) -> None:
    """Write down which job makes a stage."""
    write_text(store.work(key) / "queued.json", canonical_json(entry._asdict()), durable=False)
    if store.find(key):  # it was fast: its work folder has gone, and should not come back
        shutil.rmtree(store.work(key), ignore_errors=True)


def living(store: Store, key: str, queue: Queue) -> str | None:
    """Return the job that makes a stage, or will. Slurm gives numbers out again, so its name must be right as well."""
    entry = None if store.find(key) else queued(store, key)
    job = queue.jobs.get(entry.job) if entry else None
    return job.id if job and entry and job.alive and owner(job.name) == entry.campaign else None
