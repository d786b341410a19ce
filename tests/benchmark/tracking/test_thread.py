"""The thread that mirrors beside a run."""

import threading
import time

import pytest

from benchmark.store import Store
from benchmark.tracking import Mirror
from tests.benchmark.tracking.support import KEY, Client, all_runs, attempt, curve, finish, history, wait_for


def test_thread_mirrors_what_it_is_told_until_it_ends(store: Store, client: Client) -> None:
    work = attempt(store)
    mirror = Mirror(store, interval=0.01)
    mirror.start()
    with store.lock(KEY):
        mirror.notify(KEY)
        wait_for(lambda: len(all_runs(client)) == 1)
        (work / "curves.jsonl").write_text(curve(4))
        (run,) = all_runs(client)
        wait_for(lambda: len(history(client, run)) == 4)
        finish(store)
    mirror.close()
    (run,) = all_runs(client)
    assert (run.info.status, len(history(client, run))) == ("FINISHED", 5)
    assert not any(thread.name == "mlflow-mirror" for thread in threading.enumerate())


def test_close_sends_what_was_told_last(store: Store, client: Client) -> None:
    finish(store)
    mirror = Mirror(store, interval=3600.0)
    mirror.start()
    mirror.notify(KEY)
    mirror.close()
    assert len(all_runs(client)) == 1


def test_close_does_not_wait_for_ever(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr("benchmark.tracking.mirror.connect", lambda _: released.wait(30))
    finish(store)
    told: list[str] = []
    mirror = Mirror(store, warn=told.append)
    mirror.start()
    mirror.notify(KEY)
    started = time.monotonic()
    mirror.close(timeout=0.1)
    assert time.monotonic() - started < 5
    assert "not done after" in told[0]
    released.set()


def test_mirror_that_was_never_started_closes(store: Store) -> None:
    Mirror(store).close()
