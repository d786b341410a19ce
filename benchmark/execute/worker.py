"""A worker process: jobs come in on stdin, events go out on stdout, one line of JSON each.

It stops when it is told to (SIGTERM), and when its stdin closes: the process that gave it work is gone. Its exit code
is 1 if its last job failed, by which a launcher, as ``srun --kill-on-bad-exit``, knows to end the others of a team.

Where the environment says that it is one of several (``find_process_rank``), every process gets the same jobs, and
each says how its part ended: the first makes a stage, with the others where the stage has ``shares``.
"""

import faulthandler
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TextIO

from benchmark import arithmetic
from benchmark.execute.attempt import make
from benchmark.execute.follow import follow
from benchmark.execute.machine import one_thread
from benchmark.execute.messages import Event, Finished, Job, encode
from benchmark.ranks import ProcessRank, find_process_rank

GRACE = 20.0  # seconds that a stage has to save its state once nobody waits for it


class Worker:
    """Makes one job after the other.

    Args:
        jobs: lines with jobs.
        events: where events are written.
        process: this one, among those that get the same jobs.
    """

    def __init__(self, jobs: TextIO, events: TextIO, process: ProcessRank) -> None:
        self._jobs, self._events, self._process = jobs, events, process
        self._inbox: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._stop = threading.Event()

    def run(self) -> bool:
        """Work until there is none; return whether the last job was done, or at least did not fail."""
        fine = True
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        threading.Thread(target=self._read, daemon=True).start()
        for turn, job in enumerate(iter(self._inbox.get, None)):
            end = self._make(job, self._process._replace(team=f"{self._process.team}.{turn}").among(job.shares))
            fine = end.state != "failed"
            self._send(end)
        return fine

    def _make(self, job: Job, process: ProcessRank) -> Finished:
        if process.rank == 0:
            return make(job, self._send, self._stop.is_set, printed_to, process)
        if process.rank < process.size:
            return follow(job, process, self._stop.is_set, printed_to)
        return Finished(job.key, "done", message="made without this process")

    def _read(self) -> None:
        for line in self._jobs:
            self._inbox.put(Job.decode(line))
        self._stop.set()
        self._inbox.put(None)
        ending = threading.Timer(GRACE, end_now)
        ending.daemon = True
        ending.start()

    def _send(self, event: Event) -> None:
        try:
            self._events.write(encode(event) + "\n")
            self._events.flush()
        except OSError:  # nobody listens any more
            self._stop.set()


def end_now() -> None:
    """End this process with all that it has started."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


def leave(code: int) -> NoReturn:
    """End a process that has met others: a thread which their library left may abort the interpreter's clean-up."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@contextmanager
def printed_to(log: Path) -> Iterator[None]:
    """Send stdout and stderr, of compiled code and child processes too, to a file."""
    before = os.dup(1), os.dup(2)
    try:
        with log.open("wb") as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, descriptor in zip((1, 2), before, strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)


def main() -> None:
    """Take over stdin and stdout for messages; what stages read and print must not get between them."""
    jobs, events = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    faulthandler.enable()
    one_thread()
    arithmetic.apply()
    process = find_process_rank()
    code = 0 if Worker(jobs, events, process).run() else 1
    if process.size > 1:
        leave(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
