"""While a stage runs, and when it goes wrong."""

import json
import os
from typing import Any

import pytest

from benchmark.store import Store
from benchmark.tracking import Delivery, Mirror
from tests.benchmark.tracking.support import (
    KEY,
    STARTED,
    Client,
    all_runs,
    attempt,
    curve,
    files_of,
    finish,
    history,
    record,
)


def test_curves_grow_while_the_stage_runs(store: Store, client: Client) -> None:
    work = attempt(store)
    curves = work / "curves.jsonl"
    mirror = Mirror(store)
    with store.lock(KEY):
        first = mirror.update(KEY)
        (run,) = all_runs(client)
        assert run.data.params["training.steps"] == "300"  # to be seen from the start
        curves.write_text(curve(3) + '{"step": 3, "time": 17000')  # the last line is being written
        second = mirror.update(KEY)
        assert [step for step, _, _ in history(client, run)] == [0, 1, 2]
        curves.write_text(curve(5))
        third = mirror.update(KEY)
        fourth = mirror.update(KEY)
        assert [step for step, _, _ in history(client, run)] == [0, 1, 2, 3, 4]
        assert client.get_run(run.info.run_id).info.status == "RUNNING"
    updates = [first, second, third, fourth]
    assert all(update is not None and update.running for update in updates)
    outcomes = [update.outcomes for update in updates if update]
    assert outcomes == [(Delivery.SENT,), (Delivery.UPDATED,), (Delivery.UPDATED,), (Delivery.PRESENT,)]
    finish(store)
    mirror.update(KEY)
    (run,) = all_runs(client)
    assert (run.info.status, len(history(client, run))) == ("FINISHED", 5)


def test_resumed_attempt_continues_the_curve_of_the_one_before(store: Store, client: Client) -> None:
    work = attempt(store, state="interrupted")
    (work / "curves.jsonl").write_text(curve(6))  # the checkpoint is at step 3
    attempt(store, number=2)
    mirror = Mirror(store)
    with store.lock(KEY):
        mirror.update(KEY)
        first, second = all_runs(client)
        assert len(history(client, first)) == 6
        assert not history(client, second)  # steps 3, 4 and 5 are about to be dropped
        resumed = curve(3) + curve(9, first=3, started=record(2)["started"])
        (work / "curves.jsonl").write_text(resumed)
        mirror.update(KEY)
    finish(store, attempts=[record(1, "interrupted"), record(2)], curves=resumed)
    mirror.update(KEY)
    first, second = all_runs(client)
    assert [(run.info.status) for run in (first, second)] == ["KILLED", "FINISHED"]
    assert [step for step, _, _ in history(client, first)] == [0, 1, 2, 3, 4, 5]
    assert [step for step, _, _ in history(client, second)] == [0, 1, 2, 3, 4, 5, 6, 7, 8]


def test_curve_that_was_written_anew_is_sent_anew(store: Store, client: Client) -> None:
    work = attempt(store)
    mirror = Mirror(store)
    with store.lock(KEY):
        for text in (curve(6), curve(3) + curve(5, first=3, started=STARTED + 9)):
            (work / "curves.jsonl").write_text(text)
            mirror.update(KEY)
    (run,) = all_runs(client)
    assert sorted(step for step, _, _ in history(client, run)) == [0, 1, 2, 3, 3, 4, 4, 5]


def test_broken_lines_of_curves_are_skipped(store: Store, client: Client) -> None:
    text = curve(1) + 'no json\n[1]\n{"step": 1}\n{"step": 2, "time": 1e9, "loss": "high", "flag": true, "lr": 2}\n'
    finish(store, curves=text)
    Mirror(store).update(KEY)
    (run,) = all_runs(client)
    assert [step for step, _, _ in history(client, run)] == [0]
    assert sorted(step for step, _, _ in history(client, run, "lr")) == [0, 2]
    assert "flag" not in run.data.metrics


def test_failure_arrives_with_its_log_and_reason(store: Store, client: Client) -> None:
    attempt(store, state="failed", error="ValueError: no")
    (store.attempt_folder(KEY, 1) / "error.txt").write_text("Traceback ...\nValueError: no\n")
    update = Mirror(store).update(KEY)
    assert update is not None
    assert not update.running
    (run,) = all_runs(client)
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "ValueError: no")
    assert files_of(client, run) == {"stage.json", "log.txt", "error.txt"}


def test_attempt_that_died_unheard_is_killed_and_ends_at_its_last_sign_of_life(store: Store, client: Client) -> None:
    attempt(store)
    with store.lock(KEY):
        Mirror(store).update(KEY)
        assert [run.info.status for run in all_runs(client)] == ["RUNNING"]
    Mirror(store).update(KEY)  # nobody holds the lock any more
    (run,) = all_runs(client)
    log = store.attempt_folder(KEY, 1) / "log.txt"
    assert run.info.status == "KILLED"
    assert run.info.end_time == pytest.approx(1000 * log.stat().st_mtime, abs=1000)


def test_attempt_that_seemed_dead_and_succeeds_is_put_right(store: Store, client: Client) -> None:
    """Who may not open the lock, as on another user's store, takes it to be free."""
    attempt(store)
    Mirror(store).update(KEY)
    assert [run.info.status for run in all_runs(client)] == ["KILLED"]
    finish(store)
    Mirror(store).update(KEY)
    (run,) = all_runs(client)
    assert (run.info.status, run.data.metrics["summary/loss"]) == ("FINISHED", 0.5)


def test_each_attempt_is_a_run(store: Store, client: Client) -> None:
    failed, done = record(1, "failed", error="out of memory"), record(2)
    finish(store, attempts=[failed, done], curves=curve(3) + curve(5, first=3, started=done["started"]))
    Mirror(store).update(KEY)
    first, second = all_runs(client)
    assert (first.info.run_name, first.info.status) == ("simformer train S4 seed 0", "FAILED")
    assert (second.info.run_name, second.info.status) == ("simformer train S4 seed 0 (attempt 2)", "FINISHED")
    assert (len(history(client, first)), len(history(client, second))) == (3, 5)
    assert "summary/loss" not in first.data.metrics
    assert first.data.tags["error"] == "out of memory"


def test_failure_before_a_success_keeps_its_log(store: Store, client: Client) -> None:
    finish(store, attempts=[record(1, "failed", error="no"), record(2)])
    folder = store.attempt_folder(KEY, 1)
    folder.mkdir(parents=True)
    for name in ("log.txt", "error.txt"):
        (folder / name).write_text("what the first attempt said\n")
    Mirror(store).update(KEY)
    first, second = all_runs(client)
    assert files_of(client, first) == {"stage.json", "log.txt", "error.txt"}
    assert "error.txt" not in files_of(client, second)


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("succeeded", [False, True])
def test_last_point_of_an_attempt_that_died_arrives_whatever_the_clock_of_the_disk(
    store: Store, client: Client, *, recorded: bool, succeeded: bool
) -> None:
    """A file can be older than the time its last line tells: by a tick here, by seconds on another machine's disk."""
    first = {**record(1, "interrupted", seconds=0.0), "died": True} if recorded else record(1, "running")
    curves = curve(4) + curve(6, first=4, started=record(2)["started"])
    if succeeded:
        finish(store, attempts=[first, record(2)], curves=curves)
    else:
        work = attempt(store)
        (store.attempt_folder(KEY, 1) / "attempt.json").write_text(json.dumps(first))
        attempt(store, number=2)
        (work / "curves.jsonl").write_text(curves)
        for path in (path for path in work.rglob("*") if path.is_file()):
            os.utime(path, (STARTED - 3, STARTED - 3))
    Mirror(store).update(KEY)
    one, two = all_runs(client)
    assert (len(history(client, one)), len(history(client, two))) == (4, 6)


def test_attempt_that_died_before_another_succeeded_is_killed(store: Store, client: Client) -> None:
    finish(store, attempts=[record(1, "running"), record(2)])
    update = Mirror(store).update(KEY)
    assert update is not None
    assert not update.running
    assert [run.info.status for run in all_runs(client)] == ["KILLED", "FINISHED"]


@pytest.mark.parametrize("end", ["done", "failed"])
def test_end_while_the_work_is_read_is_no_death(
    store: Store, client: Client, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """The record is read as running; then the attempt ends, and frees its lock before that is looked at."""
    attempt(store)
    locked = Store.locked

    def end_first(store: Store, key: str) -> bool:
        if end == "done":
            finish(store)
        else:
            (store.attempt_folder(key, 1) / "attempt.json").write_text(json.dumps(record(1, "failed")))
        return locked(store, key)

    monkeypatch.setattr(Store, "locked", end_first)
    assert Mirror(store).update(KEY) is not None
    assert [run.info.status for run in all_runs(client)] == ["FINISHED" if end == "done" else "FAILED"]


def test_start_while_the_work_is_read_is_no_death(
    store: Store, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attempt died; while that is looked at, another begins."""
    attempt(store)

    def start_next(store: Store, _: str) -> bool:
        attempt(store, number=2)
        return False

    monkeypatch.setattr(Store, "locked", start_next)
    assert Mirror(store).update(KEY) is not None
    assert [run.info.status for run in all_runs(client)] == ["KILLED", "RUNNING"]


def test_stage_that_was_never_begun_is_nothing_to_send(store: Store) -> None:
    """The executor also tells of stages whose inputs failed."""
    told: list[str] = []
    assert Mirror(store, warn=told.append).update(KEY) == ((), False)
    assert not told


def test_of_an_imported_result_the_attempt_that_made_it_is_sent(store: Store, client: Client) -> None:
    nowhere: Any = {"host": "", "pid": None}
    finish(store, attempts=[record(1, "failed", started=None, **nowhere), record(2, **nowhere)])
    update = Mirror(store).update(KEY)
    assert update is not None
    assert update.outcomes == (Delivery.SENT,)
    (run,) = all_runs(client)
    assert (run.info.status, run.data.tags["attempt"]) == ("FINISHED", "2")
    assert "host" not in run.data.tags
