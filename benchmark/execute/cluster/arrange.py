"""What a round is made of: which stages go into which job array, and which arrays wait for which."""

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmark.errors import BenchmarkError
from benchmark.execute.cluster.campaign import Campaign, owner
from benchmark.execute.cluster.cluster_file import ClusterFile, ResourceClass
from benchmark.execute.cluster.queue import Queue, ask, living
from benchmark.execute.messages import Job


class TeamLayout(NamedTuple):
    """Processes that make a stage together."""

    nodes: int
    processes: int  # on each node


@dataclass(frozen=True)
class Batch:
    """Stages that become one array.

    Attributes:
        resources: name of their class.
        layout: what each of them runs on.
        jobs: one for each element.
        parallel: elements that may run side by side; ``None`` is all.
        after: positions of the batches that must have ended before.
        after_jobs: jobs of earlier submissions, by Slurm's names, that must have ended before.
    """

    resources: str
    layout: TeamLayout
    jobs: tuple[Job, ...]
    parallel: int | None = None
    after: tuple[int, ...] = ()
    after_jobs: tuple[str, ...] = ()


def arrange(
    jobs: Sequence[Job], cluster: ClusterFile, largest: int, queued: Mapping[str, str] | None = None
) -> tuple[Batch, ...]:
    """Return the arrays that make some stages, in an order in which they can be submitted.

    An array holds stages of one class that are equally far from those that need nothing. It waits for the arrays that
    make an input of one of its stages, and for no others, but where the class has a limit: Slurm limits the elements of
    one array, so the arrays of such a class form lanes whose limits add up to that of the class.

    Args:
        jobs: in topological order; inputs outside of it are complete or queued.
        cluster: the cluster file, for its classes.
        largest: elements of an array.
        queued: stage -> job that makes it already.
    """
    return _Arranger(jobs, cluster, largest, queued or {}).batches()


def layout_of(resources: ResourceClass, shares: int) -> TeamLayout:
    """Return the largest team that the class allows and that can divide a stage of so many equal shares."""
    possible = (
        TeamLayout(nodes, processes)
        for nodes in range(1, resources.nodes + 1)
        for processes in range(1, resources.processes + 1)
        if shares % (nodes * processes) == 0
    )
    return max(possible, key=lambda layout: (layout.nodes * layout.processes, -layout.nodes))


class _Arranger:
    def __init__(self, jobs: Sequence[Job], cluster: ClusterFile, largest: int, queued: Mapping[str, str]) -> None:
        self._jobs, self._cluster, self._largest, self._queued = jobs, cluster, largest, queued
        self._made: list[Batch] = []
        self._place: dict[str, int] = {}  # stage -> position of its batch
        self._ends: dict[str, tuple[int, ...]] = {}  # class with a limit -> last batch of each of its lanes

    def batches(self) -> tuple[Batch, ...]:
        for level in _levels(self._jobs):
            for resources in dict.fromkeys(self._cluster.class_of(job.kind) for job in level):
                own = [job for job in level if self._cluster.class_of(job.kind) == resources]
                self._append(resources, [self._batch(resources, *chunk) for chunk in self._chunks(resources, own)])
        return tuple(self._made)

    def _chunks(self, resources: str, jobs: Sequence[Job]) -> Iterator[tuple[TeamLayout, Sequence[Job]]]:
        """Yield jobs in almost equal pieces that fit an array; those that can start early, and long ones, first."""
        layouts = {job.key: layout_of(self._cluster.resources[resources], job.shares) for job in jobs}
        for layout in dict.fromkeys(layouts.values()):
            own = [job for job in jobs if layouts[job.key] == layout]
            own.sort(key=lambda job: (max(self._parents(job), default=-1), -job.cost))
            count = math.ceil(len(own) / self._largest)
            for i in range(count):
                yield layout, own[i * len(own) // count : (i + 1) * len(own) // count]

    def _parents(self, job: Job) -> list[int]:
        return [self._place[key] for key in job.inputs.values() if key in self._place]

    def _batch(self, resources: str, layout: TeamLayout, jobs: Sequence[Job]) -> Batch:
        after = {place for job in jobs for place in self._parents(job)}
        elsewhere = {self._queued[key]: None for job in jobs for key in job.inputs.values() if key in self._queued}
        return Batch(resources, layout, tuple(jobs), after=tuple(sorted(after)), after_jobs=tuple(elsewhere))

    def _append(self, resources: str, batches: Sequence[Batch]) -> None:
        limit, first = self._cluster.resources[resources].max_running, len(self._made)
        for position, batch in enumerate(batches):
            limited = batch if limit is None else self._in_lane(resources, batch, position, len(batches), limit)
            self._place |= dict.fromkeys((job.key for job in batch.jobs), len(self._made))
            self._made.append(limited)
        if limit is not None:
            self._ends[resources] = tuple(range(first, len(self._made)))[-limit:]

    def _in_lane(self, resources: str, batch: Batch, position: int, count: int, limit: int) -> Batch:
        """Return a batch of a class with a limit, behind the one before it in its lane or behind an earlier level."""
        lanes = min(limit, count)
        before = (len(self._made) - lanes,) if position >= lanes else self._ends.get(resources, ())
        share = limit // lanes + (position % lanes < limit % lanes)
        return dataclasses.replace(batch, parallel=share, after=tuple(sorted({*batch.after, *before})))


def _levels(jobs: Sequence[Job]) -> list[list[Job]]:
    """Return the stages by the length of the longest chain of inputs before them."""
    depth: dict[str, int] = {}
    levels: list[list[Job]] = []
    for job in jobs:
        depth[job.key] = max((depth[key] + 1 for key in job.inputs.values() if key in depth), default=0)
        if depth[job.key] == len(levels):
            levels.append([])
        levels[depth[job.key]].append(job)
    return levels


_LARGEST = re.compile(r"^MaxArraySize\s*=\s*(\d+)", re.MULTILINE)


class SubmissionPlan(NamedTuple):
    """What a round is made of.

    Attributes:
        batches: arrays to submit, in order.
        left: stages for which there is no room in the queue.
        relied: stage -> job of an earlier submission that makes it.
    """

    batches: tuple[Batch, ...]
    left: tuple[str, ...]
    relied: Mapping[str, str]


def submission_plan(campaign: Campaign, jobs: Mapping[str, Job], queue: Queue, largest: int) -> SubmissionPlan:
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
    room = _room(campaign.cluster.max_submitted, queue, len(wanted))
    batches = arrange([jobs[key] for key in wanted[:room]], campaign.cluster, largest, relied)
    return SubmissionPlan(batches, tuple(wanted[room:]), relied)


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
    """Return how many of the wanted stages fit into the queue, beside what is there and the monitor."""
    return wanted if limit is None else max(0, limit - len(ours(queue)) - 1)
