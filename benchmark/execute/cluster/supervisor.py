"""Making one stage in a child process, which may be killed, hang or be told to stop: this process outlives it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmark.execute.cluster.own_job import WARNING, Notice, block_signals
from benchmark.execute.local import LocalExecutor
from benchmark.execute.messages import Event, Finished, Job, Started
from benchmark.execute.records import record_end
from benchmark.execute.scheduler import Observer
from benchmark.store import Store

POLL = 0.2  # seconds
OTHERS_POLL = 2.0  # seconds between two looks at what another process is making
LATE = 3.0  # seconds by which a signal may reach this process later than its child


class Supervisor:
    """Makes a stage as ``LocalExecutor`` does, and stops it when Slurm says so.

    Args:
        notice: what Slurm has said.
        observers: are told of every event.
        patience: seconds that a stage which was told to stop has to save its state; then it is killed.
    """

    def __init__(self, notice: Notice, observers: Sequence[Observer], patience: float) -> None:
        self._notice, self._observers, self._patience = notice, observers, patience
        self._end: Finished | None = None
        self._job: Job | None = None
        self._attempt = 0
        self._killed = False

    def make(self, job: Job) -> Finished:
        """Make a stage, or wait for the process that does, and return how it went; ``busy`` only if told to stop."""
        with self._executor() as executor:
            while True:
                end = self._tried(executor, job)
                if end.state != "busy" or not self._free(job):
                    return end

    @contextmanager
    def _executor(self) -> Iterator[LocalExecutor]:
        executor = LocalExecutor(1, self._event, as_launched=True)
        try:
            yield executor
        finally:
            executor.close()

    def _tried(self, executor: LocalExecutor, job: Job) -> Finished:
        self._end, self._job = None, job
        asked = False
        with block_signals(WARNING):
            executor.submit(job)
        while self._end is None:
            if self._notice.given and not asked:
                asked = True
                executor.stop()
            if self._notice.age() > self._patience:
                self._killed = True
                executor.kill()
            executor.wait(POLL)
            for observer in self._observers:
                observer.tick()
        if self._end.state == "interrupted":
            self._await_notice()
        return self._end

    def _await_notice(self) -> None:
        """Wait for the signal that has stopped the child: Slurm sends it to every process, one after the other."""
        end = time.monotonic() + LATE
        while not self._notice.given and time.monotonic() < end:
            time.sleep(POLL)

    def _free(self, job: Job) -> bool:
        """Wait until nobody else makes the stage; return False if told to stop meanwhile."""
        store = Store(Path(job.store))
        while not self._notice.given:
            if store.find(job.key) or not store.locked(job.key):
                return True
            time.sleep(OTHERS_POLL)
        return False

    def _event(self, event: Event) -> None:
        if isinstance(event, Started):
            self._attempt = event.attempt
        elif isinstance(event, Finished):
            event = self._end = self._in_words(event)
        for observer in self._observers:
            observer.event(event)

    def _in_words(self, end: Finished) -> Finished:
        """Return an end with the reason, if that was this process; the record of the attempt gets it, too."""
        if not self._killed or end.state != "interrupted" or self._job is None:
            return end
        message = f"killed, as it had not saved its state {self._patience:.0f} s after it was told to stop"
        return record_end(self._job, self._attempt, end._replace(message=message), died=False)
