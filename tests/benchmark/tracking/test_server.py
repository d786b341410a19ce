"""A real server over the database beside a store."""

import hashlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from benchmark.store import Store
from benchmark.tracking import Delivery, Mirror, connect
from benchmark.tracking.address import free_address
from benchmark.tracking.server import own_database, sqlite_file, sqlite_uri
from tests.benchmark.processes import alive
from tests.benchmark.tracking.support import (
    Client,
    ServerProcess,
    all_runs,
    attempt,
    counts_of_mini,
    finish,
    history,
    spec,
)

FILES = {"stage.json", "result.json", "curves.jsonl", "log.txt", "counts.npz"}


class Place(NamedTuple):
    """A store, and a server over the database beside it."""

    store: Store
    server: ServerProcess
    url: str
    client: Client

    def runs(self, *keys: str) -> list[Any]:
        return [run for run in all_runs(self.client) if run.data.tags["stage_key"] in keys]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tables: Path) -> Iterator[Place]:
    store = Store(tmp_path_factory.mktemp("it's my #1 folder") / "store")
    own_database(store.root).parent.mkdir()
    shutil.copy(tables, own_database(store.root))
    server = ServerProcess(store, "--host", "0.0.0.0", "--port", "0")
    url = f"http://127.0.0.1:{server.port}"
    yield Place(store, server, url, connect(url))
    server.close()


@pytest.fixture
def keys(request: pytest.FixtureRequest) -> list[str]:
    """Keys that no other test uses."""
    return [hashlib.sha256(f"{request.node.name} {number}".encode()).hexdigest() for number in range(5)]


def asked(url: str, **headers: str) -> int:
    """Return the status of an answer."""
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return int(error.code)


def served_files(url: str, run: Any) -> set[str]:
    """Return the files of a run that the server itself sees, as it shows them in a browser."""
    return {name for name in FILES if asked(f"{url}/get-artifact?path={quote(name)}&run_id={run.info.run_id}") == 200}


def test_jobs_reach_it_by_name_and_it_ends_with_all_its_processes(store: Store) -> None:
    server = ServerProcess(store, "--host", "0.0.0.0", "--port", "0")
    try:
        name = socket.gethostname()
        assert server.url == f"http://{name}:{server.port}"
        search = f"http://127.0.0.1:{server.port}/api/2.0/mlflow/experiments/search?max_results=1"
        assert asked(search, Host=f"{name}:{server.port}") == 200
        assert asked(search, Host=f"elsewhere.example.org:{server.port}") == 403
        code, err = server.end(signal.SIGINT)
    finally:
        server.close()
    assert code == 0
    assert err.count("warning: no password") == 1
    assert not [pid for pid in server.pids if alive(pid)]
    free_address("0.0.0.0", server.port)


def test_files_are_kept_beside_the_database(place: Place, keys: list[str]) -> None:
    finish(place.store, keys[0], counts=counts_of_mini())
    assert Mirror(place.store, place.url, warn=pytest.fail).update(keys[0]) is not None
    (run,) = place.runs(keys[0])
    assert served_files(place.url, run) == FILES
    kept = own_database(place.store.root).parent / "artifacts"
    assert {path.name for path in kept.rglob(f"{run.info.run_id}/artifacts/*")} == FILES


def test_database_that_is_written_to_directly_and_through_its_server(place: Place, keys: list[str]) -> None:
    """Who makes an experiment decides where its files are said to be; the other must put them there too."""
    direct, served = (Mirror(place.store, uri, warn=pytest.fail) for uri in (None, place.url))
    for number, (mirror, dataset) in enumerate(
        ((direct, "one"), (served, "one"), (served, "other"), (direct, "other"))
    ):
        cells = [{**spec()["cells"][0], "dataset": dataset}]
        finish(place.store, keys[number], counts=counts_of_mini(), cells=cells)
        assert mirror.update(keys[number]) is not None
    runs = place.runs(*keys)
    assert len({run.info.experiment_id for run in runs}) == 2
    assert [served_files(place.url, run) for run in runs] == [FILES] * 4


def test_the_same_run_whether_it_was_sent_directly_or_through_the_server(place: Place, keys: list[str]) -> None:
    finish(place.store, keys[0])
    for uri in (place.url, None):
        update = Mirror(place.store, uri, warn=pytest.fail).update(keys[0])
        assert update is not None
        assert update.outcomes == (Delivery.SENT,)
    (run,) = place.runs(keys[0])
    assert len(history(place.client, run)) == 5


def test_several_machines_mirror_one_store(place: Place, keys: list[str]) -> None:
    for key in keys[1:]:
        finish(place.store, key)
    attempt(place.store, key=keys[0], state="failed", error="no")
    command = [sys.executable, "-m", "benchmark", "sync", "--store", str(place.store.root), "--uri", place.url]
    at_once = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [(process.communicate()[0], process.returncode) for process in at_once]
    assert [code for _, code in said] == [0] * 3, said
    runs = place.runs(*keys)
    assert sorted(run.data.tags["stage_key"] for run in runs) == sorted(keys)
    assert sum(int(line.split()[1]) for line, _ in said) >= len(keys)


def test_many_jobs_end_at_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """With MLflow's own number of connections its threads wait for each other until the server gives up, after 30 s."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "300")  # on a machine that is busy, too
    burst = [hashlib.sha256(f"burst {number}".encode()).hexdigest() for number in range(40)]
    told: list[str] = []
    for key in burst:
        finish(place.store, key)
    mirrors = [Mirror(place.store, place.url, warn=told.append) for _ in burst]
    jobs = [threading.Thread(target=mirror.update, args=(key,)) for mirror, key in zip(mirrors, burst, strict=True)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert told == []
    assert len(place.runs(*burst)) == len(burst)


@pytest.mark.slow
def test_a_path_with_signs_of_addresses_holds_its_database(tmp_path: Path) -> None:
    folder = tmp_path / "my%20runs?#1 %41"
    database = own_database(folder / "store")
    assert sqlite_file(sqlite_uri(database)) == database
    connect(sqlite_uri(database))
    assert database.is_file()
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
