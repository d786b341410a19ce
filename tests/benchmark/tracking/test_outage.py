"""A server that dies, or never answers, in the middle of a sweep: the sweep goes on and nothing is lost."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.files import read_json
from benchmark.store import Store
from benchmark.tracking import connect, records
from benchmark.tracking.attempts import attempts, executed
from benchmark.tracking.server import own_database, sqlite_uri
from tests.benchmark import toy
from tests.benchmark.processes import alive
from tests.benchmark.tracking.support import Client, ServerProcess, all_runs, files_of, history, wait_for

ROOT = Path(__file__).parents[3]
PATIENCE = 120.0


class Sweep:
    """``run`` of the toys in a real process that mirrors to a server."""

    def __init__(self, store: Store, url: str, *, steps: int, **environment: str) -> None:
        folder = store.root.parent
        arguments = ["--profile", toy.profile(folder), "--store", str(store.root), "--table", toy.table(folder)]
        settings = ["--set", f"toy.steps={steps}", "--set", "toy.pause=0.02", "--workers", "1", "--quiet"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmark.toy_cli", "run", *arguments, *settings],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env=os.environ | {"TOY_CALLS": str(folder / "calls"), "MLFLOW_TRACKING_URI": url} | environment,
        )

    def end(self) -> tuple[int, str]:
        err = self.process.communicate(timeout=PATIENCE)[1]
        return self.process.returncode, err


@pytest.fixture
def server(store: Store) -> Iterator[ServerProcess]:
    process = ServerProcess(store, "--port", "0")
    yield process
    process.close()


def sync(store: Store, url: str) -> str:
    command = [sys.executable, "-m", "benchmark", "sync", "--store", str(store.root), "--uri", url]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def points_sent(store: Store) -> int:
    """Return how many lines of curves the mirror has sent so far."""
    states = [read_json(file) or {} for file in (store.root / "mlflow").glob("*.json")]
    return sum(sent["lines"] for state in states for server in state.values() for sent in server.values())


def assert_mirrored(store: Store, client: Client) -> None:
    """Check that MLflow has every attempt of the store once, with every point, parameter and file."""
    runs = {(run.data.tags["stage_key"], run.data.tags["attempt"]): run for run in all_runs(client)}
    assert len(all_runs(client)) == len(runs)
    expected = [attempt for key in executed(store) for attempt in attempts(store, key)]
    assert set(runs) == {(attempt.key, attempt.number) for attempt in expected}
    for attempt in expected:
        run = runs[attempt.key, attempt.number]
        assert run.info.status == attempt.status
        assert run.data.params == records.parameters(attempt.spec)
        assert files_of(client, run) == {file.name for file in attempt.files}
        points = (point for line in records.points(attempt.curves) for point in line if point.name == "loss")
        assert sorted(history(client, run)) == sorted((point.step, point.time, point.value) for point in points)


def test_server_that_is_killed_in_the_middle_of_a_sweep(store: Store, server: ServerProcess) -> None:
    sweep = Sweep(store, server.url, steps=300)
    before = connect(server.url)
    wait_for(lambda: any(run.info.status == "RUNNING" and history(before, run) for run in all_runs(before)), PATIENCE)
    server.kill()
    code, err = sweep.end()
    assert code == 0
    assert err.count("warning: MLflow at") == 1
    again = ServerProcess(store, "--port", str(server.port))
    try:
        client = connect(again.url)
        assert any(run.info.status == "RUNNING" for run in all_runs(client))
        sync(store, again.url)
        assert_mirrored(store, client)
        assert any("counts.npz" in files_of(client, run) for run in all_runs(client))
        assert "0 sent, 0 updated, 5 already there" in sync(store, again.url)
    finally:
        again.close()


def test_run_that_is_killed_does_not_stay_running(store: Store, server: ServerProcess) -> None:
    sweep = Sweep(store, server.url, steps=3000)
    wait_for(lambda: points_sent(store) > 0, PATIENCE)
    client = connect(server.url)
    # The end of the stage before may not have been told yet.
    running = next(run for run in all_runs(client) if run.info.status == "RUNNING" and history(client, run))
    worker = int(store.attempts(running.data.tags["stage_key"])[-1]["pid"])
    sweep.process.kill()
    os.kill(worker, signal.SIGKILL)
    sweep.end()
    wait_for(lambda: not alive(worker))
    sync(store, server.url)
    assert client.get_run(running.info.run_id).info.status == "KILLED"
    assert_mirrored(store, client)


def test_server_that_never_answers(store: Store, client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        code, err = Sweep(store, url, steps=100, MLFLOW_HTTP_REQUEST_TIMEOUT="1").end()
    assert code == 0
    assert err.count("warning: MLflow at") == 1
    assert "Read timed out" in err
    sync(store, sqlite_uri(own_database(store.root)))
    assert_mirrored(store, client)
