"""No fault of MLflow gets through."""

import shutil
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from typing import Any

import pytest

from benchmark.store import Store
from benchmark.tracking import Delivery, Mirror
from benchmark.tracking.mirror import FAILURES_IN_A_ROW
from tests.benchmark.tracking.support import KEY, Client, Made, all_runs, finish


def test_server_that_is_down_is_one_line_and_sync_makes_it_up(store: Store, client: Client) -> None:
    told: list[str] = []
    keys = [f"{number:064x}" for number in range(5)]
    for key in keys:
        finish(store, key)
    down = Mirror(store, "http://someone:secret@127.0.0.1:9", interval=0.01, warn=told.append)
    down.start()
    for key in keys:
        down.notify(key)
    down.close()
    assert len(told) == 1
    assert "python -m benchmark sync --store" in told[0]
    assert "secret" not in told[0]
    assert "secret" not in "".join(file.read_text() for file in (store.root / "mlflow").glob("*.json"))
    assert Mirror(store).sync() == {Delivery.SENT: 5}
    assert len(all_runs(client)) == 5


def test_sync_gives_up_on_a_server_that_is_down(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def refuse(uri: str) -> None:
        calls.append(uri)
        raise ConnectionError("refused")

    monkeypatch.setattr("benchmark.tracking.mirror.connect", refuse)
    for number in range(6):
        finish(store, f"{number:064x}")
    mirror = Mirror(store, warn=lambda _: None)
    assert not mirror.sync()
    assert len(calls) == 3
    assert len(mirror.failed) == 6


def test_connection_that_is_lost_once_costs_sync_nothing(
    store: Store, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        finish(store, f"{number:064x}")
    log_batch, calls = type(client).log_batch, count(1)

    def sometimes(*arguments: Any, **named: Any) -> None:
        if next(calls) in {3, 9}:
            raise ConnectionError("reset by peer")
        log_batch(*arguments, **named)

    monkeypatch.setattr(type(client), "log_batch", sometimes)
    mirror = Mirror(store, warn=lambda _: None)
    mirror.sync()
    assert not mirror.failed
    assert [run.info.status for run in all_runs(client)] == ["FINISHED"] * 3


def test_no_request_is_repeated_unseen(store: Store) -> None:
    """One that makes a run, and is answered too late, would make it twice."""
    seen: list[str] = []

    class Busy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.path)
            self.send_error(503)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the parent
            """Say nothing."""

    finish(store)
    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert Mirror(store, f"http://127.0.0.1:{server.server_port}", warn=lambda _: None).update(KEY) is None
        server.shutdown()
    assert len(seen) == 1


def test_end_of_a_run_asks_a_server_that_was_down_only_once_more(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not answer costs the time limit of every request."""
    asked: list[str] = []
    rested = threading.Event()

    def refuse(uri: str) -> None:
        asked.append(uri)
        if len(asked) == FAILURES_IN_A_ROW:
            rested.set()
        raise ConnectionError("refused")

    monkeypatch.setattr("benchmark.tracking.mirror.connect", refuse)
    mirror = Mirror(store, interval=0.01, warn=lambda _: None)
    for number in range(5):
        finish(store, f"{number:064x}")
        mirror.notify(f"{number:064x}")
    mirror.start()
    assert rested.wait(20)
    mirror.close()
    assert len(asked) == FAILURES_IN_A_ROW + 1


def test_one_stage_that_cannot_be_sent_does_not_keep_back_the_others(store: Store, client: Client) -> None:
    for number in range(3):
        finish(store, f"{number:064x}")
    (store.folder("0" * 64) / "stage.json").write_text("broken")
    mirror = Mirror(store, warn=lambda _: None)
    assert mirror.sync() == {Delivery.SENT: 2}
    assert list(mirror.failed) == ["0" * 64]


def test_folder_that_cannot_be_written_stops_nothing(store: Store) -> None:
    shutil.rmtree(store.root.parent / "mlflow")
    (store.root.parent / "mlflow").write_text("a file where the folder should be")
    told: list[str] = []
    mirror = Mirror(store, warn=told.append)
    assert not mirror.prepare()
    finish(store)
    assert mirror.update(KEY) is None
    assert len(told) == 1


def test_tables_are_made_by_one_of_two_processes_and_both_keep_quiet(made: Made) -> None:
    """Without the lock one of them crashes in MLflow's migration; unasked, MLflow, SQLAlchemy and Alembic talk."""
    assert made.said == [(0, "", "")] * 2
