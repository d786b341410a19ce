"""Making stages in this process: for debugging, and where processes are not wanted."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import TextIOBase
from pathlib import Path
from typing import TextIO

from benchmark.execute.attempt import make
from benchmark.execute.executor import Emit, Interrupts
from benchmark.execute.machine import one_thread
from benchmark.execute.messages import Job


@dataclass(frozen=True)
class Inline:
    """The choice to make stages in this process, one after the other."""

    workers: int = 1
    remark: str = ""
    in_process: bool = True

    def start(self, emit: Emit, interrupts: Interrupts) -> "InlineExecutor":
        """Return an executor."""
        return InlineExecutor(emit, interrupts)


class InlineExecutor:
    """Makes a job while it is submitted. What a stage prints goes to stderr and to the attempt's log."""

    def __init__(self, emit: Emit, interrupts: Interrupts) -> None:
        self._emit = emit
        self._interrupts = interrupts
        one_thread()

    def idle(self) -> int:
        return 1

    def submit(self, job: Job) -> None:
        self._emit(make(job, self._emit, lambda: self._interrupts.count > 0, copied_to))

    def wait(self, timeout: float) -> None:
        """Return at once: everything has happened while it was submitted."""

    def stop(self) -> None:
        """Do nothing: the running stage sees the interrupts itself."""

    def kill(self) -> None:
        """Do nothing: a second interrupt is raised within the stage."""

    def close(self) -> None:
        """Hold nothing."""


@contextmanager
def copied_to(log: Path) -> Iterator[None]:
    """Copy what Python code prints to a file; stdout is for data, so both streams go to stderr."""
    with log.open("w", encoding="utf-8") as stream:
        both = _Tee(sys.stderr, stream)
        with redirect_stdout(both), redirect_stderr(both):
            yield


class _Tee(TextIOBase):
    def __init__(self, *streams: TextIO) -> None:
        self._streams = streams

    def write(self, text: str) -> int:
        for stream in self._streams:
            stream.write(text)
        return len(text)

    def flush(self) -> None:
        for stream in self._streams:
            stream.flush()

    def isatty(self) -> bool:
        return False
