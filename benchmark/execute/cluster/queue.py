"""What Slurm says of jobs: one question for all of them. Silence, errors and missing accounting are answers.

Slurm gives numbers out again, so whoever looks a job up compares its name as well.
"""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from benchmark.execute.cluster.slurm import ask

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
    answer = ask(*_SACCT, f"--jobs={','.join(sorted({one.partition('_')[0] for one in ids}))}")
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
