"""A store by hand, and what MLflow says of it."""

import json
import math
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmark.metrics import Counts
from benchmark.splits import class_names
from benchmark.store import Store
from benchmark.tracking import sqlite_file, tracking_uri
from tests.benchmark.processes import family

KEY = "ab" * 32
STARTED = 1_700_000_000.25
Client = Any  # mlflow.MlflowClient, which is not annotated


class Made(NamedTuple):
    """A new MLflow database and what the two processes that made it at once said: (exit code, stdout, stderr)."""

    file: Path
    said: list[tuple[int, str, str]]


class ServerProcess:
    """A real ``mlflow-server`` over the database beside a store. Ends, if need be badly, with ``close``."""

    PATIENCE = 120.0

    def __init__(self, store: Store, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmark", "mlflow-server", "--store", str(store.root), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(self._process.communicate()[1])
        self.url = line.removeprefix("export MLFLOW_TRACKING_URI=").strip()
        self.port = int(self.url.rpartition(":")[2])
        self.pids = family(self._process.pid)

    def end(self, number: int) -> tuple[int, str]:
        """Send the process a signal; return its exit code and what it said on stderr."""
        self._process.send_signal(number)
        err = self._process.communicate(timeout=self.PATIENCE)[1]
        return self._process.returncode, err

    def kill(self) -> None:
        """Kill all processes at once, as the death of a machine does."""
        for pid in sorted(self.pids):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.communicate()

    def close(self) -> None:
        if self._process.poll() is None:
            self.kill()


def spec(key: str = KEY, **changes: Any) -> dict[str, Any]:
    cell = {"dataset": "mini", "split": "S4", "method": "simformer", "variant": "", "seed": 0}
    return {
        "key": key,
        "kind": "train",
        "name": "simformer train S4 seed 0",
        "function": "methods.simformer:train",
        "version": 1,
        "params": {"training": {"steps": 300, "rate": 1e-4}, "novel": [1, 2]},
        "inputs": {"pretrained": "cd" * 32},
        "access": "training",
        "cost": 1.0,
        "cells": [cell],
        **changes,
    }


def record(number: int = 1, state: str = "done", seconds: float = 60.0, **more: Any) -> dict[str, Any]:
    started = STARTED + 1000 * (number - 1)
    ended = None if state == "running" else started + seconds
    return {"number": number, "state": state, "started": started, "finished": ended, "host": "h", "pid": 1, **more}


def curve(steps: int, first: int = 0, started: float = STARTED) -> str:
    lines = ({"step": s, "time": started + s / 10, "loss": 1 / (1 + s), "lr": 0.1} for s in range(first, steps))
    return "".join(json.dumps(line) + "\n" for line in lines)


def finish(store: Store, key: str = KEY, counts: Counts | None = None, **changes: Any) -> None:
    """Put a complete stage into the store as the executor does."""
    attempts = changes.pop("attempts", [record()])
    curves = changes.pop("curves", curve(5))
    last = attempts[-1]
    provenance = {"git_commit": "f" * 40, "git_dirty": False, "python": "3.11", "device": "cpu", "threads": 1}
    result = {
        "summary": {"loss": 0.5, "best": {"step": 4}, "note": "text", "undefined": math.nan},
        "started": last["started"],
        "finished": last["finished"],
        "wall_seconds": 60.0,
        "cpu_seconds": 55.5,
        "provenance": {**provenance, "packages": {"torch": "2"}},
        "attempts": attempts,
    }
    draft = store.draft(key)
    (draft / "stage.json").write_text(json.dumps(spec(key, **changes)))
    (draft / "result.json").write_text(json.dumps(result))
    (draft / "curves.jsonl").write_text(curves)
    (draft / "log.txt").write_text("what the stage said\n")
    if counts is not None:
        counts.save(draft / "counts.npz")
    store.publish(key, draft)


def attempt(store: Store, number: int = 1, state: str = "running", key: str = KEY, **more: Any) -> Path:
    """Put an attempt of an unfinished stage into the store; return the folder of the work on it."""
    work = store.work(key)
    folder = store.attempt_folder(key, number)
    folder.mkdir(parents=True)
    (work / "stage.json").write_text(json.dumps(spec(key)))
    (folder / "attempt.json").write_text(json.dumps(record(number, state, **more)))
    (folder / "log.txt").write_text("what the attempt said\n")
    return work


def counts_of_mini() -> Counts:
    K = len(class_names("mini"))
    truth = np.full((2, K), 10, np.int32)
    truth[:, 0] = 0  # class 0 does not occur
    hit = np.minimum(np.arange(K, dtype=np.int32) % 7, truth)
    return Counts(("a", "b"), hit, hit, truth, np.zeros((2, K), np.int32))


def all_runs(client: Client) -> list[Any]:
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(experiments, order_by=["attributes.start_time ASC"]))


def files_of(client: Client, run: Any) -> set[str]:
    return {file.path for file in client.list_artifacts(run.info.run_id)}


def history(client: Client, run: Any, metric: str = "loss") -> list[tuple[int, int, float]]:
    return [(m.step, m.timestamp, m.value) for m in client.get_metric_history(run.info.run_id, metric)]


def dump(store: Store) -> str:
    """Return all rows of MLflow's database as text."""
    connection = sqlite3.connect(sqlite_file(tracking_uri(store.root)) or "")
    try:
        return "\n".join(line for line in connection.iterdump() if line.startswith("INSERT"))
    finally:
        connection.close()


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)
