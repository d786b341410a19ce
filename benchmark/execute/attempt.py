"""One attempt at a stage: lock, call, publish; every way it can end leaves a record."""

import shutil
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from benchmark.errors import BenchmarkError
from benchmark.execute.context import Capture, WorkContext
from benchmark.execute.faults import fault_of, last_line, lost_peer
from benchmark.execute.follow import call
from benchmark.execute.heartbeat import beating
from benchmark.execute.machine import one_thread
from benchmark.execute.messages import Event, Fault, Finished, Job, Progress, Started, State
from benchmark.execute.records import keep_attempts, mark_dead, new_record
from benchmark.files import FULL, naming, write_json, write_text
from benchmark.integrity import sealed
from benchmark.provenance import provenance
from benchmark.ranks import ALONE, ProcessRank
from benchmark.relocated import load_function
from benchmark.stage import StageContext, StageInterrupted
from benchmark.store import RESULT, WAY_OUT, Store


def make(
    job: Job, emit: Callable[[Event], None], stop: Callable[[], bool], capture: Capture, process: ProcessRank = ALONE
) -> Finished:
    """Make a stage unless it is made, or being made, and return how it went. Raises only what is no ``Exception``.

    Args:
        job: the stage.
        emit: is told of start and progress.
        stop: whether the stage should save its state and end.
        capture: sends what is printed meanwhile to a file.
        process: this one, the first of those that make the stage.
    """
    store = Store(Path(job.store))
    try:
        with store.writing(), _held(store, job.key) as held:
            if store.find(job.key):
                return Finished(job.key, "done", message="made by another run")
            if not held:
                return _busy(job, store, process)
            return _Attempt(job, store, process).run(emit, stop, capture)
    except BenchmarkError as error:  # the store cannot be written
        return Finished(job.key, "failed", message=str(error), fault="machine")


def _busy(job: Job, store: Store, process: ProcessRank) -> Finished:
    """Send the others of the team away, and say who makes the stage as far as that is known."""
    call(store, job.key, process, 0)
    attempts = store.attempts(job.key)
    last = attempts[-1] if attempts else {}
    by = f" (process {last['pid']} on {last['host']})" if last.get("state") == "running" and "pid" in last else ""
    return Finished(job.key, "busy", message=f"another run is making it{by}")


@contextmanager
def _dropped_on_failure(draft: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


@contextmanager
def _held(store: Store, key: str) -> Iterator[bool]:
    """Hold the lock of a stage; yield False where another process has it."""
    from filelock import Timeout

    if store.find(key):
        yield False
        return
    store.work(key).mkdir(parents=True, exist_ok=True)
    lock = store.lock(key)
    try:
        lock.acquire(blocking=False)
    except (Timeout, FileNotFoundError):  # held, or just published and its folder dropped
        yield False
        return
    try:  # the lock may be one that other machines do not see
        yield not (store.find_anew(key) or store.made_elsewhere(key))
    finally:
        lock.release()


class _Attempt:
    """An attempt with its number, folder and record."""

    def __init__(self, job: Job, store: Store, process: ProcessRank) -> None:
        self._job, self._store, self._process = job, store, process
        self._scratch = store.work(job.key) / "scratch"
        self._context: WorkContext | None = None
        folders = store.work(job.key).glob("attempts/[0-9]*")
        self._number = 1 + max((int(folder.name) for folder in folders), default=0)
        self._folder = store.attempt_folder(job.key, self._number)
        self._record = new_record(self._number, process, store.checkpoint_time(job.key))

    def run(self, emit: Callable[[Event], None], stop: Callable[[], bool], capture: Capture) -> Finished:
        job, began = self._job, time.monotonic()
        mark_dead(self._store, job.key)
        try:
            self._folder.mkdir(parents=True)
        except FileExistsError:  # begun at the same moment on a machine that does not see the lock
            return _busy(job, self._store, self._process)
        with beating(self._store.heartbeat(job.key, self._number)):
            return self._made(began, emit, stop, capture)

    def _made(
        self, began: float, emit: Callable[[Event], None], stop: Callable[[], bool], capture: Capture
    ) -> Finished:
        job = self._job
        self._scratch.mkdir(exist_ok=True)
        resumed = any(self._scratch.iterdir())
        write_json(self._store.work(job.key) / "stage.json", job.spec())
        write_json(self._folder / "attempt.json", self._record)
        emit(Started(job.key, self._number))
        call(self._store, job.key, self._process, self._number)
        try:
            with naming(self._store.root, WAY_OUT, FULL):
                self._compute(lambda done, total: emit(Progress(job.key, done, total)), stop, capture)
        except StageInterrupted:
            return self._ended("interrupted", began, "stopped; its state is kept")
        except (Exception, SystemExit) as error:
            fault = fault_of(error)
            remark = self._remark(last_line(error))
            if resumed and fault == "stage" and not isinstance(error, BenchmarkError):
                remark += self._set_checkpoint_aside()
            return self._ended("failed", began, last_line(error) + remark, traceback.format_exc(), fault)
        except BaseException:
            self._ended("interrupted", began, "stopped at once")
            raise
        return Finished(job.key, "done", time.monotonic() - began)

    def _compute(self, report: Callable[[int, int], None], stop: Callable[[], bool], capture: Capture) -> None:
        wall, cpu = time.monotonic(), time.process_time()
        draft = self._store.draft(self._job.key)
        with _dropped_on_failure(draft):
            summary, used = self._call(draft, report, stop, capture)
            seconds = {"wall_seconds": time.monotonic() - wall, "cpu_seconds": time.process_time() - cpu}
            self._publish(draft, summary, seconds, used)

    def _call(
        self, draft: Path, report: Callable[[int, int], None], stop: Callable[[], bool], capture: Capture
    ) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Return the stage's summary and the provenance of what it wrote into ``draft``."""
        with capture(self._folder / "log.txt"):
            function = load_function(self._job.function)
            one_thread()  # after the import, which may have loaded torch
            context = self._context = WorkContext(self._job, self._store, draft, report, stop, self._process)
            summary = function(cast("StageContext", context))
            return summary, provenance(context.device_used(), self._job.params.get("dataset", {}).get("digest"))

    def _remark(self, message: str) -> str:
        """Return where to look for the reason, if another process of the team has it."""
        if self._process.size == 1 or not lost_peer(message):
            return ""
        return f" (another process of this stage was lost; what the others said is in {self._folder}/rank-*.log)"

    def _set_checkpoint_aside(self) -> str:
        """Move away a checkpoint from which the stage did not get anywhere, so that it fails no attempt again."""
        if self._context is None or self._context.advanced:
            return ""
        with suppress(OSError):
            self._scratch.rename(self._folder / "scratch")
        return " (its checkpoint was set aside: the next run starts this stage afresh)"

    def _publish(
        self, draft: Path, summary: Mapping[str, Any], seconds: Mapping[str, float], used: Mapping[str, Any]
    ) -> None:
        curves = self._store.work(self._job.key) / "curves.jsonl"
        if curves.exists():
            shutil.copyfile(curves, draft / curves.name)
        write_json(draft / "stage.json", self._job.spec())
        self._record |= {"state": "done", "finished": time.time()}
        keep_attempts(self._store, self._job.key, self._record, draft)
        result = {
            "summary": dict(summary),
            "started": self._record["started"],
            "finished": self._record["finished"],
            **seconds,
            "provenance": used,
            "attempts": [*self._store.attempts(self._job.key)[:-1], self._record],
        }
        write_json(draft / RESULT, sealed(self._job.key, result, draft))
        self._store.publish(self._job.key, draft)

    def _ended(self, state: State, began: float, message: str, details: str = "", fault: Fault = "") -> Finished:
        """Record an attempt that made no result; a disk that takes no record does not hide the reason."""
        error = message if state == "failed" else ""
        self._record |= {"state": state, "finished": time.time(), "error": error, "fault": fault}
        seconds = time.monotonic() - began
        with suppress(OSError):
            if details:
                write_text(self._folder / "error.txt", details)
            write_json(self._folder / "attempt.json", self._record)
        log = self._folder / ("error.txt" if details else "log.txt")
        return Finished(self._job.key, state, seconds, message, str(log) if log.exists() else "", fault)
