"""What a round would be made of, before anything is submitted."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from benchmark.errors import BenchmarkError
from benchmark.execute.cluster.arrange import Batch, arrange
from benchmark.execute.cluster.campaign import Campaign, owner
from benchmark.execute.cluster.queue import Queue
from benchmark.execute.cluster.queued import living
from benchmark.execute.cluster.slurm import ask
from benchmark.execute.messages import Job

_LARGEST = re.compile(r"^MaxArraySize\s*=\s*(\d+)", re.MULTILINE)


class Outlook(NamedTuple):
    """What a round is made of.

    Attributes:
        batches: arrays to submit, in order.
        left: stages for which there is no room in the queue.
        relied: stage -> job of an earlier submission that makes it.
    """

    batches: tuple[Batch, ...]
    left: tuple[str, ...]
    relied: Mapping[str, str]


def outlook(campaign: Campaign, jobs: Mapping[str, Job], queue: Queue, largest: int) -> Outlook:
    """Return what a round for some stages of a campaign would be made of.

    Args:
        campaign: need not be written yet.
        jobs: the wanted stages by key.
        queue: what Slurm has in its queue.
        largest: elements of an array.
    """
    store = campaign.store
    relied = {key: job for key in campaign.stages if (job := living(store, key, queue))}
    wanted = [key for key in campaign.stages if key in jobs and key not in relied and not store.find(key)]
    room = _room(campaign.preset.max_submitted, queue, len(wanted))
    batches = arrange([jobs[key] for key in wanted[:room]], campaign.preset, largest, relied)
    return Outlook(batches, tuple(wanted[room:]), relied)


def ours(queue: Queue) -> list[str]:
    """Return the jobs of campaigns, of any store, that run or wait."""
    return [job.id for job in queue.jobs.values() if job.alive and owner(job.name)]


def largest_array() -> int:
    """Return how many elements an array may have in this cluster. Raises BenchmarkError where Slurm does not say."""
    answer = ask("scontrol", "show", "config")
    found = _LARGEST.search(answer.text)
    if found is None:
        reason = answer.error or "there is no MaxArraySize in its configuration"
        raise BenchmarkError(
            f"Slurm does not say how large an array may be ({reason}); give max_array_size in the cluster file."
        )
    return max(1, int(found[1]))  # 0 switches arrays off


def _room(limit: int | None, queue: Queue, wanted: int) -> int:
    """Return how many of the wanted stages fit into the queue, beside what is there and the keeper."""
    return wanted if limit is None else max(0, limit - len(ours(queue)) - 1)
