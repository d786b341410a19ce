"""The protocol of executors, and what stops them."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Protocol

from benchmark.execute.messages import Event, Job

Emit = Callable[[Event], None]
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Launcher(Protocol):
    """Where stages are to be made, as the user chose it: what there is before there is an executor.

    Attributes:
        workers: stages side by side, for forecasts.
        remark: what the user should know of the choice, or empty.
        in_process: whether stages run in this very process, where only an exception ends one at once.
    """

    @property
    def workers(self) -> int: ...

    @property
    def remark(self) -> str: ...

    @property
    def in_process(self) -> bool: ...

    def start(self, emit: Emit, interrupts: "Interrupts") -> "Executor":
        """Return an executor, at work."""


class Executor(Protocol):
    """Makes jobs and tells of them through the ``emit`` it was built with; every job ends with one ``Finished``."""

    def idle(self) -> int:
        """Return how many jobs could be submitted now."""

    def submit(self, job: Job) -> None:
        """Begin a job. Its inputs are complete."""

    def wait(self, timeout: float) -> None:
        """Let events come in: at least one, or for ``timeout`` seconds."""

    def stop(self) -> None:
        """Ask all running stages to save their state and end."""

    def kill(self) -> None:
        """End all running stages at once."""

    def close(self) -> None:
        """Give back what is held; nothing is running."""


@dataclass
class Interrupts:
    """How often the user, or the system, asked to stop."""

    count: int = 0


@contextmanager
def counted_interrupts(*, raise_on_second: bool) -> Iterator[Interrupts]:
    """Count Ctrl-C, SIGTERM and a lost terminal instead of dying from them.

    With ``raise_on_second`` the second one raises KeyboardInterrupt: the only way to end a stage of this very process.
    """
    interrupts = Interrupts()

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - what signal calls it with
        interrupts.count += 1
        if raise_on_second and interrupts.count > 1:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
