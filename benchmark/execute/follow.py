"""The part of a team's other processes in an attempt: they wait for the call of the first, and follow it.

The first process holds the lock, numbers the attempt and publishes the result; only then do the others begin, so that
none of them meets a group that never forms because somebody else makes the stage. The call is a small file in the work
folder of the stage, which all of them see.
"""

import re
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import cast

from benchmark.execute.context import Capture, Follower, WorkContext
from benchmark.execute.faults import fault_of, last_line
from benchmark.execute.machine import one_thread
from benchmark.execute.messages import Finished, Job
from benchmark.files import read_json, write_json
from benchmark.ranks import ProcessRank
from benchmark.relocated import load_function
from benchmark.stage import StageContext, StageInterrupted
from benchmark.store import Store

PATIENCE = 600.0  # seconds in which the first process has to call
POLL = 0.1


def call(store: Store, key: str, process: ProcessRank, attempt: int) -> None:
    """Tell the others of the team, if there are any, which attempt begins; 0 sends them away."""
    if process.size > 1:
        write_json(_file(store, key, process), {"attempt": attempt})


def follow(job: Job, process: ProcessRank, stop: Callable[[], bool], capture: Capture) -> Finished:
    """Do this process' part of a stage and return how it went: no lock, no record, no result.

    A request to stop is left to the stage, whose processes stop together.

    Args:
        job: the stage.
        process: this one; not the first.
        stop: as for the first.
        capture: sends what is printed to ``rank-<rank>.log`` of the attempt.
    """
    store, began = Store(Path(job.store)), time.monotonic()
    attempt = _awaited_call(store, job.key, process)
    if attempt is None:
        message = f"the first process of its team did not begin within {PATIENCE / 60:.0f} minutes"
        return Finished(job.key, "failed", time.monotonic() - began, message, fault="machine")
    if not attempt:
        made = store.find(job.key) is not None
        return Finished(job.key, "done" if made else "busy", message="another run makes it")
    log = store.attempt_folder(job.key, attempt) / f"rank-{process.rank}.log"
    try:
        with capture(log):
            _compute(job, store, process, stop)
    except StageInterrupted:
        return Finished(job.key, "interrupted", time.monotonic() - began, "stopped with the first process", str(log))
    except (Exception, SystemExit) as error:
        return Finished(job.key, "failed", time.monotonic() - began, last_line(error), str(log), fault_of(error))
    return Finished(job.key, "done", time.monotonic() - began, log=str(log))


def _compute(job: Job, store: Store, process: ProcessRank, stop: Callable[[], bool]) -> None:
    """Call the stage function, whose files nobody looks at; its traceback goes where the rest of it is printed."""
    with tempfile.TemporaryDirectory(prefix="weakshot-process-") as folder:
        try:
            function = load_function(job.function)
            one_thread()
            context = WorkContext(job, store, Path(folder), lambda _done, _total: None, stop, process)
            function(cast("StageContext", Follower(cast("StageContext", context), Path(folder))))
        except Exception:
            traceback.print_exc()
            raise


def _awaited_call(store: Store, key: str, process: ProcessRank) -> int | None:
    """Return the attempt that the first process calls, 0 for none, ``None`` if it does not call.

    A result that is there needs no call.
    """
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        content = read_json(_file(store, key, process))
        if content:
            return int(content["attempt"])
        if store.find(key):
            return 0
        time.sleep(POLL)
    return None


def _file(store: Store, key: str, process: ProcessRank) -> Path:
    return store.work(key) / "teams" / f"{re.sub(r'[^A-Za-z0-9.-]', '_', process.team)}.json"
