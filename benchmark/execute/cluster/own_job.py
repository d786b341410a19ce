"""A job and Slurm about each other: signals that its time is nearly over or that it is ended; start me again, later."""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from benchmark.execute.cluster.queue import Answer, ask

WARNING = signal.SIGUSR2  # what jobs are submitted to get before their time limit
ENDING = signal.SIGTERM


class Notice:
    """Whether, and when, Slurm told this process to come to an end."""

    def __init__(self) -> None:
        self._came: dict[int, float] = {}

    @property
    def given(self) -> bool:
        return bool(self._came)

    @property
    def warned(self) -> bool:
        """Whether the time limit comes near, or the job is to make room for another; it may start again."""
        return WARNING in self._came

    def age(self) -> float:
        """Return the seconds since the first signal; 0 without one."""
        return time.monotonic() - min(self._came.values()) if self._came else 0.0

    def came(self, number: int, frame: FrameType | None = None) -> None:  # noqa: ARG002 - what signal calls it with
        self._came.setdefault(number, time.monotonic())


@contextmanager
def noticing() -> Iterator[Notice]:
    """Take Slurm's signals as a notice instead of dying from them."""
    notice = Notice()
    before = {number: signal.signal(number, notice.came) for number in (WARNING, ENDING)}
    try:
        yield notice
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def block_signals(*signals: signal.Signals) -> Iterator[None]:
    """Start processes meanwhile that do not hear these signals: Slurm sends them to every process of a job.

    For this process they are only put off.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


PERSISTENCE = 60.0  # seconds that a controller which is away has to come back
PAUSE = 2.0  # seconds between two questions


class OwnJob(NamedTuple):
    """The job of this process.

    Attributes:
        id: ``123_4`` for an element of an array, ``123`` for a single job.
        array: number of the array, or of the single job.
        node: Slurm's name of the node of this process.
        nodes: number of nodes of the job.
        member: 0 for the process on the job's first node, which speaks for all.
        restart: how often the job has been started before.
        began: when it started this time, in seconds since the epoch.
    """

    id: str
    array: str
    node: str
    nodes: int
    member: int
    restart: int
    began: float

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "OwnJob":
        """Return the job that Slurm's variables describe."""
        array, task = (environment.get(f"SLURM_ARRAY_{name}_ID", "") for name in ("JOB", "TASK"))
        single = environment["SLURM_JOB_ID"]
        return cls(
            id=f"{array}_{task}" if array else single,
            array=array or single,
            node=environment.get("SLURMD_NODENAME", ""),
            nodes=int(environment.get("SLURM_JOB_NUM_NODES", "1")),
            member=int(environment.get("SLURM_PROCID", "0")),
            restart=int(environment.get("SLURM_RESTART_COUNT") or 0),
            began=float(environment.get("SLURM_JOB_START_TIME") or time.time()),
        )

    def goes_on(self) -> bool | None:
        """Return whether Slurm lets the job run; ``None`` if it does not say."""
        answer = _ask("squeue", "--noheader", f"--jobs={self.id}", "--format=%T")
        return None if answer.error else answer.text.strip() == "RUNNING"

    def start_again(self, delay: float = 0.0, *, elsewhere: Path | None = None) -> str:
        """Ask Slurm to end this run of the job and to queue the job again; return why not, or nothing.

        Args:
            delay: seconds that it is to wait at least.
            elsewhere: the script it was submitted with, if it is to avoid this node; a wish that is dropped where no
                other node that is up could take the job.
        """
        if not self._awaited():
            return "Slurm ends this run of the job, or does not answer"
        avoided = self._avoidable(elsewhere) if elsewhere else ""
        answer = _ask("scontrol", "requeue", self.id)
        if answer.error:
            return answer.error
        if avoided:
            _ask("scontrol", "update", f"JobId={self.id}", f"ExcNodeList={avoided}")
        if delay:
            _ask("scontrol", "update", f"JobId={self.id}", f"StartTime=now+{delay:.0f}")
        return ""

    def _awaited(self) -> bool:
        """Wait for a controller that is away; return whether it is there and lets the job run.

        A job that has been cancelled must not be asked for again: Slurm would start it.
        """
        end = time.monotonic() + PERSISTENCE
        while self.goes_on() is None and time.monotonic() < end:
            time.sleep(PAUSE)
        return bool(self.goes_on())

    def _avoidable(self, script: Path) -> str:
        """Return the nodes to be left out if this one is too; nothing where the job could not run without them.

        Of several nodes nobody knows which one was at fault.
        """
        if self.nodes > 1 or not self.node:
            return ""
        found = _ask("squeue", "--noheader", f"--jobs={self.id}", "--format=%x").text.strip()
        nodes = ",".join([found, self.node] if found not in {"", "(null)"} else [self.node])
        possible = _ask("sbatch", "--test-only", f"--exclude={nodes}", str(script))
        return "" if possible.error else nodes


def _ask(*command: str) -> Answer:
    """Ask in a way that the end of this very job does not cut off."""
    with block_signals(WARNING, ENDING):
        return ask(*command)
