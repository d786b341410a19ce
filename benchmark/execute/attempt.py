"""One attempt at a stage: lock, call, publish; every way it can end leaves a record."""

import importlib
import os
import shutil
import socket
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from benchmark.errors import BenchmarkError
from benchmark.execute.context import WorkContext
from benchmark.execute.machine import one_thread
from benchmark.execute.messages import Event, Finished, Job, Progress, Started, State
from benchmark.files import FULL, naming, write_json, write_text
from benchmark.provenance import provenance
from benchmark.stage import StageContext, StageFunction, StageInterrupted
from benchmark.store import WAY_OUT, Store

Capture = Callable[[Path], AbstractContextManager[None]]


def make(job: Job, emit: Callable[[Event], None], stop: Callable[[], bool], capture: Capture) -> Finished:
    """Make a stage unless it is made, or being made, and return how it went. Raises only what is no ``Exception``.

    Args:
        job: the stage.
        emit: is told of start and progress.
        stop: whether the stage should save its state and end.
        capture: sends what is printed meanwhile to a file.
    """
    store = Store(Path(job.store))
    try:
        with store.writing(), _held(store, job.key) as held:
            if store.find(job.key):
                return Finished(job.key, "done", message="made by another run")
            if not held:
                return Finished(job.key, "busy", message="another run is making it")
            return _Attempt(job, store).run(emit, stop, capture)
    except BenchmarkError as error:  # the store cannot be written
        return Finished(job.key, "failed", message=str(error))


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
    try:
        yield True
    finally:
        lock.release()


class _Attempt:
    """An attempt with its number, folder and record."""

    def __init__(self, job: Job, store: Store) -> None:
        self._job, self._store = job, store
        self._scratch = store.work(job.key) / "scratch"
        self._context: WorkContext | None = None
        folders = store.work(job.key).glob("attempts/[0-9]*")
        self._number = 1 + max((int(folder.name) for folder in folders), default=0)
        self._folder = store.attempt_folder(job.key, self._number)
        self._record: dict[str, Any] = {
            "number": self._number,
            "state": "running",
            "started": time.time(),
            "finished": None,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "error": "",
        }

    def run(self, emit: Callable[[Event], None], stop: Callable[[], bool], capture: Capture) -> Finished:
        job, began = self._job, time.monotonic()
        self._folder.mkdir(parents=True)
        self._scratch.mkdir(exist_ok=True)
        resumed = any(self._scratch.iterdir())
        write_json(self._store.work(job.key) / "stage.json", job.spec())
        write_json(self._folder / "attempt.json", self._record)
        emit(Started(job.key, self._number))
        try:
            with naming(self._store.root, WAY_OUT, FULL):
                self._compute(lambda done, total: emit(Progress(job.key, done, total)), stop, capture)
        except StageInterrupted:
            return self._ended("interrupted", began, "stopped; its state is kept")
        except (Exception, SystemExit) as error:
            remark = self._set_checkpoint_aside() if resumed and not isinstance(error, BenchmarkError) else ""
            return self._ended("failed", began, last_line(error) + remark, traceback.format_exc())
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
            context = self._context = WorkContext(self._job, self._store, draft, report, stop)
            summary = function(cast("StageContext", context))
            return summary, provenance(context.device_used(), self._job.params.get("dataset", {}).get("digest"))

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
        work = self._store.work(self._job.key)
        for source in (work / "curves.jsonl", self._folder / "log.txt"):
            if source.exists():
                write_text(draft / source.name, source.read_text(encoding="utf-8", errors="replace"))
        write_json(draft / "stage.json", self._job.spec())
        self._record |= {"state": "done", "finished": time.time()}
        result = {
            "summary": dict(summary),
            "started": self._record["started"],
            "finished": self._record["finished"],
            **seconds,
            "provenance": used,
            "attempts": [*self._store.attempts(self._job.key)[:-1], self._record],
        }
        write_json(draft / "result.json", result)
        self._store.publish(self._job.key, draft)

    def _ended(self, state: State, began: float, message: str, details: str = "") -> Finished:
        """Record an attempt that made no result; a disk that takes no record does not hide the reason."""
        self._record |= {"state": state, "finished": time.time(), "error": message if state == "failed" else ""}
        seconds = time.monotonic() - began
        with suppress(OSError):
            if details:
                write_text(self._folder / "error.txt", details)
            write_json(self._folder / "attempt.json", self._record)
        log = self._folder / ("error.txt" if details else "log.txt")
        return Finished(self._job.key, state, seconds, message, str(log) if log.exists() else "")


def record_death(job: Job, number: int, state: State, message: str) -> str:
    """Record an attempt whose process died before it could; return the path of its log."""
    store = Store(Path(job.store))
    folder = store.attempt_folder(job.key, number)
    with suppress(OSError, BenchmarkError):
        record = store.attempts(job.key)[-1]
        if record["number"] == number:
            write_json(folder / "attempt.json", record | {"state": state, "finished": time.time(), "error": message})
            write_text(folder / "error.txt", message + "\n")
    return str(folder / "log.txt")


def load_function(path: str) -> StageFunction:
    """Return the function that ``package.module:name`` names."""
    module, _, name = path.partition(":")
    return cast("StageFunction", getattr(importlib.import_module(module), name))


def last_line(error: BaseException) -> str:
    """Return what a traceback ends with, the message of a user's mistake without its type."""
    if isinstance(error, BenchmarkError):
        return str(error)
    return traceback.format_exception_only(error)[-1].strip()
