"""What Slurm tells a running job by signals: that its time is nearly over, and that it is being ended."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

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
def deaf_children(*signals: signal.Signals) -> Iterator[None]:
    """Start processes meanwhile that do not hear these signals: Slurm sends them to every process of a job.

    For this process they are only put off.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
