"""Twice is as good as once."""

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from benchmark.store import Store
from benchmark.tracking import Delivery, Mirror, connect, sqlite_file, tracking_uri
from tests.benchmark.tracking.support import (
    KEY,
    Client,
    all_runs,
    counts_of_mini,
    dump,
    finish,
    history,
)


def test_again_sends_nothing(store: Store, client: Client) -> None:
    finish(store, counts=counts_of_mini())
    Mirror(store).update(KEY)
    before = dump(store)
    update = Mirror(store).update(KEY)
    assert update is not None
    assert update.outcomes == (Delivery.PRESENT,)
    assert dump(store) == before


def test_lost_state_duplicates_nothing(store: Store) -> None:
    """A crash between making the run and writing the state leaves a run without state."""
    finish(store, counts=counts_of_mini())
    Mirror(store).update(KEY)
    before = dump(store)
    shutil.rmtree(store.root / "mlflow")
    assert Mirror(store).update(KEY) is not None
    assert dump(store) == before


def test_crash_before_the_state_is_written_is_made_up(
    store: Store, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(store)

    def crash(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("benchmark.tracking.state.State.save", crash)
        with pytest.raises(KeyboardInterrupt):
            Mirror(store).update(KEY)
    assert [run.info.status for run in all_runs(client)] == ["RUNNING"]
    Mirror(store).update(KEY)
    (run,) = all_runs(client)
    assert (run.info.status, len(history(client, run))) == ("FINISHED", 5)


def test_run_whose_answer_was_lost_is_found(store: Store, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server made the run and died before it could say so."""
    finish(store)
    create = type(client).create_run

    def lost(*arguments: Any, **named: Any) -> None:
        create(*arguments, **named)
        raise ConnectionError("reset by peer")

    with monkeypatch.context() as patched:
        patched.setattr(type(client), "create_run", lost)
        assert Mirror(store, warn=lambda _: None).update(KEY) is None
    assert Mirror(store).update(KEY) is not None
    (run,) = all_runs(client)
    assert (run.info.status, len(history(client, run))) == ("FINISHED", 5)


def test_run_that_a_slow_server_made_after_all_is_deleted_by_sync(store: Store, client: Client) -> None:
    """The client gave up on the request and made the run with another; then the server came to the first one."""
    finish(store)
    Mirror(store).update(KEY)
    (run,) = all_runs(client)
    for _ in range(9):  # whichever of their random names comes first
        client.create_run(run.info.experiment_id, start_time=run.info.start_time, tags=run.data.tags)
    assert Mirror(store).sync() == {Delivery.PRESENT: 1}
    assert [one.info.run_id for one in all_runs(client)] == [run.info.run_id]
    assert len(history(client, run)) == 5


def test_run_that_was_deleted_by_hand_does_not_come_back(store: Store, client: Client) -> None:
    finish(store)
    Mirror(store).update(KEY)
    client.delete_run(all_runs(client)[0].info.run_id)
    assert Mirror(store).sync() == {Delivery.PRESENT: 1}
    assert not all_runs(client)


def test_two_servers_are_kept_apart(store: Store, tables: Path, tmp_path: Path) -> None:
    finish(store)
    other = shutil.copy(tables, tmp_path / "other.db")
    for uri in (None, f"sqlite:///{other}"):
        update = Mirror(store, uri).update(KEY)
        assert update is not None
        assert update.outcomes == (Delivery.SENT,)
    assert len(json.loads((store.root / "mlflow" / f"{KEY}.json").read_text())) == 2
    assert len(all_runs(connect(f"sqlite:///{other}"))) == 1


def test_run_that_mlflow_lost_is_sent_again_by_sync(store: Store, tables: Path) -> None:
    finish(store)
    Mirror(store).update(KEY)
    shutil.copy(tables, sqlite_file(tracking_uri(store.root)) or "")
    assert Mirror(store).sync() == {Delivery.SENT: 1}
    assert len(all_runs(connect(tracking_uri(store.root)))) == 1


def test_many_at_once_make_one_run(store: Store, client: Client) -> None:
    finish(store)
    outcomes: list[Delivery] = []

    def mirror() -> None:
        update = Mirror(store).update(KEY)
        outcomes.extend(update.outcomes if update else ())

    threads = [threading.Thread(target=mirror) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [*[Delivery.PRESENT] * 3, Delivery.SENT]
    assert len(all_runs(client)) == 1
