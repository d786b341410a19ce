"""Making stages in worker processes on this machine."""

import os
import queue
import socket
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle, islice

from benchmark.errors import BenchmarkError
from benchmark.execute.executor import Emit, Interrupts
from benchmark.execute.machine import KEEP_MEMORY, ONE_THREAD
from benchmark.execute.messages import Event, Job
from benchmark.execute.team import Team
from benchmark.ranks import team_size
from benchmark.wording import plural


@dataclass(frozen=True)
class Local:
    """The choice to make stages in worker processes on this machine; the fields are those of ``LocalExecutor``."""

    workers: int
    processes: int = 1
    gpus: tuple[str, ...] = ()
    in_process: bool = False

    def __post_init__(self) -> None:
        """Raise BenchmarkError where processes of one stage would have to share a GPU, which NCCL refuses."""
        if 0 < len(self.gpus) < self.processes:
            raise BenchmarkError(
                f"{self.processes} processes for a stage need as many GPUs; here are {len(self.gpus)} "
                f"({', '.join(self.gpus)}). Lower --processes, or set BENCHMARK_DEVICE=cpu."
            )

    @property
    def remark(self) -> str:
        """Say which processes share a GPU; empty where none have to."""
        count = self.workers * self.processes
        if not 0 < len(self.gpus) < count:
            return ""
        return f"{count} processes share {plural(len(self.gpus), 'GPU')}: {', '.join(self.gpus)}"

    def start(self, emit: Emit, interrupts: Interrupts) -> "LocalExecutor":  # noqa: ARG002 - of the protocol
        """Return an executor; processes are started when there is work."""
        return LocalExecutor(self.workers, emit, self.processes, self.gpus)


@dataclass
class _Slot:
    """Room for one stage at a time: the GPU of each of its processes, if any, and who works there."""

    gpus: Sequence[str]
    team: Team | None = None

    @property
    def busy(self) -> bool:
        return self.team is not None and self.team.job is not None

    @property
    def warm(self) -> bool:
        return self.team is not None and self.team.reusable


class LocalExecutor:
    """Makes several stages side by side, each by one process or by a team.

    Processes are started when they are needed, kept, and replaced when one dies; a team works for a single stage.

    Args:
        workers: stages side by side.
        emit: is told of everything.
        processes: for each stage that can share its work, at most.
        gpus: one for each process, round and round where there are more processes.
        as_launched: whether a process takes the rank that srun or torchrun gave this one; else it is alone, or in a
            team of this executor.
    """

    def __init__(
        self, workers: int, emit: Emit, processes: int = 1, gpus: Sequence[str] = (), *, as_launched: bool = False
    ) -> None:
        self._emit = emit
        self._processes = processes
        self._as_launched = as_launched
        self._inbox: queue.SimpleQueue[tuple[Team, int, Event | None]] = queue.SimpleQueue()
        round_and_round = cycle(gpus)
        self._slots = [_Slot(tuple(islice(round_and_round, processes))) for _ in range(workers)]
        self._leaving: list[Team] = []

    def idle(self) -> int:
        return sum(not slot.busy for slot in self._slots)

    def submit(self, job: Job) -> None:
        size = team_size(self._processes, job.shares)
        free = [slot for slot in self._slots if not slot.busy]
        slot = next((slot for slot in free if slot.warm == (size == 1)), free[0])
        if slot.team is None or not (slot.warm and size == 1):
            self._dismiss(slot)
            slot.team = Team(self._environments(size, slot.gpus), lambda *told: self._inbox.put(told))
        slot.team.give(job)

    def wait(self, timeout: float) -> None:
        with suppress(queue.Empty):
            self._handle(*self._inbox.get(timeout=timeout))
            while True:
                self._handle(*self._inbox.get_nowait())
        for slot in self._slots:
            if slot.team is not None:
                self._tell(slot.team.tick())

    def stop(self) -> None:
        for slot in self._slots:
            if slot.team is not None:
                slot.team.terminate()

    def kill(self) -> None:
        for slot in self._slots:
            if slot.team is not None:
                slot.team.kill()

    def close(self) -> None:
        for slot in self._slots:
            self._dismiss(slot)
        for team in self._leaving:
            team.join()
        self._leaving.clear()

    def _environments(self, size: int, gpus: Sequence[str]) -> list[Mapping[str, str]]:
        """Return the variables of the processes of a team, by rank."""
        common = KEEP_MEMORY | os.environ | ONE_THREAD
        if gpus and "BENCHMARK_DEVICE" in common:
            common["BENCHMARK_DEVICE"] = "cuda"  # a number would be one of those that the process does not see
        return [
            common | own | ({"CUDA_VISIBLE_DEVICES": gpus[rank]} if gpus else {})
            for rank, own in enumerate([{}] if self._as_launched else _rank_variables(size))
        ]

    def _dismiss(self, slot: _Slot) -> None:
        if slot.team is not None:
            slot.team.dismiss()
            self._leaving.append(slot.team)
            slot.team = None

    def _handle(self, team: Team, rank: int, event: Event | None) -> None:
        self._tell(team.handle(rank, event))

    def _tell(self, event: Event | None) -> None:
        if event is not None:
            self._emit(event)


def _rank_variables(size: int) -> list[dict[str, str]]:
    """Return the variables that give the processes of a team their ranks, in this order."""
    common = {"WORLD_SIZE": str(size)}
    if size > 1:
        common |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "BENCHMARK_TEAM": uuid.uuid4().hex}
    return [common | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(size)]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
