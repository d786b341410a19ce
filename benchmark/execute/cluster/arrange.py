"""Which stages go into which job array, and which arrays wait for which."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmark.execute.cluster.presets import Preset, ResourceClass
from benchmark.execute.messages import Job


class Layout(NamedTuple):
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
    layout: Layout
    jobs: tuple[Job, ...]
    parallel: int | None = None
    after: tuple[int, ...] = ()
    after_jobs: tuple[str, ...] = ()


def arrange(
    jobs: Sequence[Job], preset: Preset, largest: int, queued: Mapping[str, str] | None = None
) -> tuple[Batch, ...]:
    """Return the arrays that make some stages, in an order in which they can be submitted.

    An array holds stages of one class that are equally far from those that need nothing. It waits for the arrays that
    make an input of one of its stages, and for no others, but where the class has a limit: Slurm limits the elements of
    one array, so the arrays of such a class form lanes whose limits add up to that of the class.

    Args:
        jobs: in topological order; inputs outside of it are complete or queued.
        preset: the cluster file, for its classes.
        largest: elements of an array.
        queued: stage -> job that makes it already.
    """
    return _Arranger(jobs, preset, largest, queued or {}).batches()


def layout_of(resources: ResourceClass, shares: int) -> Layout:
    """Return the largest team that the class allows and that can divide a stage of so many equal shares."""
    possible = (
        Layout(nodes, processes)
        for nodes in range(1, resources.nodes + 1)
        for processes in range(1, resources.processes + 1)
        if shares % (nodes * processes) == 0
    )
    return max(possible, key=lambda one: (one.nodes * one.processes, -one.nodes))


class _Arranger:
    def __init__(self, jobs: Sequence[Job], preset: Preset, largest: int, queued: Mapping[str, str]) -> None:
        self._jobs, self._preset, self._largest, self._queued = jobs, preset, largest, queued
        self._made: list[Batch] = []
        self._place: dict[str, int] = {}  # stage -> position of its batch
        self._ends: dict[str, tuple[int, ...]] = {}  # class with a limit -> last batch of each of its lanes

    def batches(self) -> tuple[Batch, ...]:
        for level in _levels(self._jobs):
            for resources in dict.fromkeys(self._preset.class_of(job.kind) for job in level):
                own = [job for job in level if self._preset.class_of(job.kind) == resources]
                self._append(resources, [self._batch(resources, *chunk) for chunk in self._chunks(resources, own)])
        return tuple(self._made)

    def _chunks(self, resources: str, jobs: Sequence[Job]) -> Iterator[tuple[Layout, Sequence[Job]]]:
        """Yield jobs in almost equal pieces that fit an array; those that can start early, and long ones, first."""
        layouts = {job.key: layout_of(self._preset.resources[resources], job.shares) for job in jobs}
        for layout in dict.fromkeys(layouts.values()):
            own = [job for job in jobs if layouts[job.key] == layout]
            own.sort(key=lambda job: (max(self._parents(job), default=-1), -job.cost))
            count = math.ceil(len(own) / self._largest)
            for i in range(count):
                yield layout, own[i * len(own) // count : (i + 1) * len(own) // count]

    def _parents(self, job: Job) -> list[int]:
        return [self._place[key] for key in job.inputs.values() if key in self._place]

    def _batch(self, resources: str, layout: Layout, jobs: Sequence[Job]) -> Batch:
        after = {place for job in jobs for place in self._parents(job)}
        elsewhere = {self._queued[key]: None for job in jobs for key in job.inputs.values() if key in self._queued}
        return Batch(resources, layout, tuple(jobs), after=tuple(sorted(after)), after_jobs=tuple(elsewhere))

    def _append(self, resources: str, batches: Sequence[Batch]) -> None:
        limit, first = self._preset.resources[resources].max_running, len(self._made)
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
