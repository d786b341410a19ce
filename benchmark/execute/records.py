"""Records of attempts: where each ran, how it ended, and what is kept of all of them with the result."""

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmark.errors import BenchmarkError
from benchmark.execute.messages import Finished, Job
from benchmark.files import write_bytes, write_json, write_text
from benchmark.ranks import ProcessRank
from benchmark.store import Store

KEPT = 1_000_000  # bytes of a log that are kept with a result
JOB = "BENCHMARK_JOB"  # variable with the name of the job that this process is, from the executor that began it
UNHEARD = "its process died without a word"


def new_record(number: int, process: ProcessRank, checkpoint: float) -> dict[str, Any]:
    """Return the record of an attempt that begins.

    ``restart`` and ``node`` are Slurm's, and so is ``job`` unless an executor gave its name in ``JOB``;
    ``checkpoint`` is ``Store.checkpoint_time`` at the beginning;
    ``died`` says that a process ended without a word or by a signal, ``fault`` is as in ``Finished``.
    """
    return {
        "number": number,
        "state": "running",
        "started": time.time(),
        "finished": None,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "processes": process.size,
        **_job(os.environ),
        "checkpoint": checkpoint,
        "died": False,
        "fault": "",
        "error": "",
    }


def _job(environment: Mapping[str, str]) -> dict[str, Any]:
    array, task = (environment.get(f"SLURM_ARRAY_{name}_ID", "") for name in ("JOB", "TASK"))
    of_slurm = f"{array}_{task}" if array else environment.get("SLURM_JOB_ID", "")
    return {
        "node": environment.get("SLURMD_NODENAME", ""),
        "job": environment.get(JOB) or of_slurm,
        "restart": int(environment.get("SLURM_RESTART_COUNT") or 0),
    }


def mark_dead(store: Store, key: str) -> None:
    """Record the death of every attempt that could not do it itself. Call with the lock held."""
    for record in store.attempts(key):
        if record["state"] == "running":
            death = {"state": "interrupted", "died": True, "fault": "machine", "error": UNHEARD}
            ended = {"finished": store.last_sign(key, record["number"])}
            write_json(store.attempt_folder(key, record["number"]) / "attempt.json", record | death | ended)


def record_end(job: Job, number: int, end: Finished, *, died: bool) -> Finished:
    """Record from outside how an attempt ended, and return the end with its log.

    The processes of the attempt are gone, or were wrong about why it failed: what they said is kept below the reason.
    """
    store = Store(Path(job.store))
    folder = store.attempt_folder(job.key, number)
    with suppress(OSError, BenchmarkError):
        record = store.attempts(job.key)[-1]
        if record["number"] == number:
            ended = {"state": end.state, "finished": time.time(), "error": end.message}
            write_json(folder / "attempt.json", record | ended | {"fault": end.fault, "died": died})
            error = folder / "error.txt"
            said = error.read_text(encoding="utf-8", errors="replace") if error.exists() else ""
            write_text(error, f"{end.message}\n" + (f"\n{said}" if said else ""))
    return end._replace(log=end.log or str(folder / "log.txt"))


def attempt_line(attempt: Mapping[str, Any], *, dead: bool) -> str:
    """Return one attempt in words; one that says it runs is ``dead`` if nobody holds the lock of its stage."""
    state = "interrupted" if dead and attempt["state"] == "running" else attempt["state"]
    error = f": {attempt['error'].splitlines()[0]}" if attempt["error"] else ""
    return f"attempt {attempt['number']}, {_when(attempt['started'])}, {_where(attempt)}: {state}{error}"


def keep_attempts(store: Store, key: str, last: Mapping[str, Any], draft: Path) -> None:
    """Copy records, logs and errors of all attempts into the draft of the result.

    Args:
        store: has them, in the work folder of the stage.
        key: of the stage.
        last: record of the attempt that made the result.
        draft: gets ``attempts/<number>/`` and, from the last attempt, ``log.txt``.
    """
    for record in (*store.attempts(key)[:-1], last):
        source, target = store.attempt_folder(key, record["number"]), draft / "attempts" / str(record["number"])
        write_json(target / "attempt.json", record)
        for log in (*source.glob("*.txt"), *source.glob("*.log")):
            _copy_end(log, target / log.name)
    log = store.attempt_folder(key, last["number"]) / "log.txt"
    if log.exists():
        _copy_end(log, draft / "log.txt")


def _copy_end(source: Path, target: Path) -> None:
    """Copy the last ``KEPT`` bytes of a file, and say so where that is not all."""
    left_out = max(0, source.stat().st_size - KEPT)
    with source.open("rb") as stream:
        stream.seek(left_out)
        end = stream.read(KEPT)
    note = f"[the first {left_out} bytes were not kept]\n".encode() if left_out else b""
    write_bytes(target, note + end, durable=False)  # the result is flushed as a whole


def _when(seconds: float | None) -> str:
    if not seconds:  # of a result that was imported
        return "at an unknown time"
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _where(attempt: Mapping[str, Any]) -> str:
    host = attempt.get("node") or attempt["host"]
    if not host:
        return "elsewhere"
    return f"{host}{' job ' + attempt['job'] if attempt.get('job') else ''} pid {attempt['pid']}"
