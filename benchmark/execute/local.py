"""Making stages in worker processes on this machine."""

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from typing import IO, cast

from benchmark.execute.attempt import record_death
from benchmark.execute.executor import Emit
from benchmark.execute.machine import KEEP_MEMORY, ONE_THREAD
from benchmark.execute.messages import Event, Finished, Job, Started, State, decode

FAREWELL = 5.0  # seconds that an idle worker has to end


class LocalExecutor:
    """Up to ``workers`` processes, started when they are needed, kept, and replaced when one dies."""

    def __init__(self, workers: int, emit: Emit) -> None:
        self._limit = workers
        self._emit = emit
        self._inbox: queue.SimpleQueue[tuple[_Worker, Event | None]] = queue.SimpleQueue()
        self._workers: list[_Worker] = []
        self._killed = False

    def idle(self) -> int:
        return self._limit - sum(worker.job is not None for worker in self._workers)

    def submit(self, job: Job) -> None:
        free = next((worker for worker in self._workers if worker.job is None and not worker.dismissed), None)
        if free is None:
            free = _Worker(self._inbox)
            self._workers.append(free)
        free.give(job)

    def wait(self, timeout: float) -> None:
        with suppress(queue.Empty):
            self._handle(*self._inbox.get(timeout=timeout))
            while True:
                self._handle(*self._inbox.get_nowait())
        for worker in self._workers:
            worker.bury_children()

    def stop(self) -> None:
        for worker in self._workers:
            worker.terminate()

    def kill(self) -> None:
        self._killed = True
        for worker in self._workers:
            worker.kill()

    def close(self) -> None:
        for worker in self._workers:
            worker.dismiss()
        for worker in self._workers:
            worker.join()
        self._workers.clear()

    def _handle(self, worker: "_Worker", event: Event | None) -> None:
        if event is None:
            self._bury(worker)
            return
        if isinstance(event, Started):
            worker.attempt = event.attempt
        if isinstance(event, Finished):
            worker.job, worker.served = None, True
            if event.state == "interrupted":  # a signal reached it: it would interrupt the next job too
                worker.dismiss()
        self._emit(event)

    def _bury(self, worker: "_Worker") -> None:
        """Tell how a worker died, if that cost a job; ``submit`` starts another one."""
        reason = worker.death()
        if worker in self._workers:
            self._workers.remove(worker)
        job = worker.job
        if job is None:
            return
        if worker.served and not worker.attempt:  # it died between two jobs, which says nothing about this one
            self._emit(Finished(job.key, "busy", message="its worker process was gone"))
            return
        state: State = "interrupted" if self._killed else "failed"
        log = record_death(job, worker.attempt, state, reason) if worker.attempt else ""
        self._emit(Finished(job.key, state, message=reason, log=log))


class _Worker:
    """One process, in a session of its own: Ctrl-C in the terminal must not reach it."""

    def __init__(self, inbox: "queue.SimpleQueue[tuple[_Worker, Event | None]]") -> None:
        self.job: Job | None = None
        self.attempt = 0
        self.served = False
        self.dismissed = False
        self._buried = False
        self._inbox = inbox
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmark.execute.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=KEEP_MEMORY | os.environ | ONE_THREAD,
            encoding="utf-8",
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def _stdin(self) -> IO[str]:
        return cast("IO[str]", self._process.stdin)

    def give(self, job: Job) -> None:
        self.job, self.attempt = job, 0
        with suppress(OSError):  # it is dead: its end of stdout says so too, and is handled there
            self._stdin.write(job.encode() + "\n")
            self._stdin.flush()

    def terminate(self) -> None:
        """Ask the stage to save its state; processes that it started are its own business."""
        if self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """End the process and all that it has started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)

    def bury_children(self) -> None:
        """End what a dead worker has started: it would keep the stage's lock, and our end of stdout open."""
        if self._process.poll() is not None and not self._buried:
            self._buried = True
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def dismiss(self) -> None:
        """Take leave: a worker without work ends when its stdin closes."""
        self.dismissed = True
        with suppress(OSError):
            self._stdin.close()

    def join(self) -> None:
        try:
            self._process.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        self._errors.close()

    def death(self) -> str:
        """Return why the process ended, with the last line it wrote to stderr outside of any stage."""
        self.dismiss()
        code = self._process.wait()
        self._errors.seek(0)
        last = self._errors.read().decode(errors="replace").strip().rpartition("\n")[2]
        self._errors.close()
        return _reason(code) + (f": {last}" if last else "")

    def _read(self) -> None:
        for line in cast("IO[str]", self._process.stdout):
            with suppress(ValueError, KeyError, TypeError):  # half a line of a killed process
                self._inbox.put((self, decode(line)))
        cast("IO[str]", self._process.stdout).close()
        self._inbox.put((self, None))


def _reason(code: int) -> str:
    if code >= 0:
        return f"its worker process ended with exit code {code}"
    name = signal.Signals(-code).name
    hint = " (out of memory?)" if name == "SIGKILL" else ""
    return f"its worker process was killed by {name}{hint}"
