"""What Slurm says of jobs: one question for all of them; and which of them is to make a stage.

Every command gets an answer in time, be it that there is none: silence, errors and missing accounting are answers.
Slurm gives numbers out again, so whoever looks a job up compares its name as well. The job of a stage is noted in
``work/<key>/queued.json``, so that runs that share a store submit no stage twice.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from benchmark.execute.cluster.campaign import owner
from benchmark.files import canonical_json, read_json, write_text
from benchmark.store import Store

PATIENCE = 20.0  # seconds
_FORMATS = ("SQUEUE_", "SACCT_")  # a user's own habits: other columns, fewer partitions


class Answer(NamedTuple):
    """What a command printed, or in one line why it could not be had."""

    text: str
    error: str = ""


def ask(*command: str, patience: float = PATIENCE) -> Answer:
    """Run a command of Slurm and return its answer; never raises.

    Args:
        command: program and arguments.
        patience: seconds after which a controller that is busy or away counts as silent.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_FORMATS)}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=patience,
            check=False,
        )
    except FileNotFoundError:
        return Answer("", f"{command[0]} is not installed here")
    except subprocess.TimeoutExpired:
        return Answer("", f"{command[0]} did not answer within {patience:.0f} s")
    except OSError as error:
        return Answer("", f"{command[0]} cannot be run: {error.strerror}")
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return Answer(done.stdout, f"{command[0]}: {lines[-1]}")
    return Answer(done.stdout)


ENDED = frozenset(
    {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "LAUNCH_FAILED", "NODE_FAIL", "OUT_OF_MEMORY"}
    | {"PREEMPTED", "RECONFIG_FAIL", "REVOKED", "TIMEOUT"}
)
WAITING = frozenset({"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"})

_SQUEUE = ("squeue", "--me", "--noheader", "--array", "--states=all", "--format=%i|%T|%r|%N|%j")
_SACCT = ("sacct", "--noheader", "--parsable2", "--allocations", "--format=JobID,State,NodeList,JobName")
_RANGES = re.compile(r"(\d+)_\[([\d,:-]+)(?:%\d+)?\]")


class QueuedJob(NamedTuple):
    """A job as Slurm sees it.

    Attributes:
        id: ``123_4`` for an element of an array, ``123`` for a single job.
        state: Slurm's word, as in ``PENDING``.
        reason: why it waits, or is no more.
        node: where it runs or ran.
        name: as it was submitted.
        by_hand: whether its user cancelled it, with whatever command.
    """

    id: str
    state: str
    reason: str
    node: str
    name: str
    by_hand: bool = False

    @property
    def alive(self) -> bool:
        """Whether it runs, or will."""
        return self.state not in ENDED

    @property
    def waiting(self) -> bool:
        """Whether it is in the queue and does not run."""
        return self.state in WAITING

    @property
    def stuck(self) -> bool:
        """Whether Slurm holds it after a node could not start it: it waits until somebody lets it go."""
        return self.waiting and "requeued" in self.reason and "held" in self.reason


@dataclass(frozen=True)
class Queue:
    """This user's jobs: all that wait or run, and those that ended in the last minutes.

    Attributes:
        jobs: id -> job.
        silence: why nothing is known; empty where Slurm answered.
    """

    jobs: Mapping[str, QueuedJob] = field(default_factory=dict)
    silence: str = ""


def look() -> Queue:
    """Ask Slurm for the jobs of this user."""
    answer = ask(*_SQUEUE)
    if answer.error:
        return Queue(silence=answer.error)
    lines = (line.split("|", maxsplit=4) for line in answer.text.splitlines())
    jobs = (_listed(*(part.strip() for part in parts)) for parts in lines if len(parts) == 5)
    return Queue({job.id: job for job in jobs})


def past(ids: Collection[str]) -> Mapping[str, QueuedJob]:
    """Ask the accounting for jobs that have left the queue; it may be switched off, or lag behind."""
    if not ids:
        return {}
    answer = ask(*_SACCT, f"--jobs={','.join(sorted({name.partition('_')[0] for name in ids}))}")
    lines = (line.split("|", maxsplit=3) for line in answer.text.splitlines())
    jobs = (_accounted(*parts) for parts in lines if len(parts) == 4)
    return {job_id: job._replace(id=job_id) for job in jobs for job_id in expanded(job.id) if job_id in ids}


def expanded(job_id: str) -> Iterator[str]:
    """Yield the elements that Slurm writes in one: ``7_0``, ``7_1``, ``7_4`` for ``7_[0-1,4%2]``."""
    ranges = _RANGES.fullmatch(job_id)
    if ranges is None:
        yield job_id
        return
    for part in ranges[2].split(","):
        borders, _, step = part.partition(":")
        first, _, last = borders.partition("-")
        for index in range(int(first), int(last or first) + 1, int(step or 1)):
            yield f"{ranges[1]}_{index}"


def _listed(job_id: str, state: str, reason: str, node: str, name: str) -> QueuedJob:
    by_hand = state == "CANCELLED" and reason != "DependencyNeverSatisfied"
    return QueuedJob(job_id, state, "" if reason == "None" else reason, node, name, by_hand)


def _accounted(job_id: str, state: str, node: str, name: str) -> QueuedJob:
    word, _, canceller = state.partition(" by ")
    by_hand = canceller == str(os.getuid())
    return QueuedJob(job_id, word, "", "" if node == "None assigned" else node, name, by_hand)


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
