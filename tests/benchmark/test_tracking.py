"""The mirror: what MLflow holds after it, that twice is as good as once, and that no fault of MLflow gets through."""

import json
import math
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from benchmark.cli import main
from benchmark.metrics import Counts
from benchmark.splits import class_names, split
from benchmark.store import Store
from benchmark.tracking import Mirror, Outcome, connect, public, records, sqlite_file, tracking_uri

KEY = "ab" * 32
STARTED = 1_700_000_000.25
Client = Any  # mlflow.MlflowClient, which is not annotated


class Made(NamedTuple):
    """A new MLflow database and what the two processes that made it at once said: (exit code, stdout, stderr)."""

    file: Path
    said: list[tuple[int, str, str]]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Make MLflow's tables once for all tests; it takes seconds, a copy nothing."""
    file = tmp_path_factory.mktemp("mlflow") / "new folder" / "mlflow.db"
    command = [sys.executable, "-c", "import sys; from benchmark.tracking import connect; connect(sys.argv[1])"]
    both = [
        subprocess.Popen([*command, f"sqlite:///{file}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=300) for process in both]
    return Made(file, [(process.returncode, *output) for process, output in zip(both, outputs, strict=True)])


@pytest.fixture
def tables(made: Made) -> Path:
    return made.file


@pytest.fixture
def store(tmp_path: Path, tables: Path) -> Store:
    """An empty store with a fresh MLflow beside it, in a folder with an awkward name."""
    root = tmp_path / "it's my #1 folder" / "store"
    root.mkdir(parents=True)
    (root.parent / "mlflow").mkdir()
    shutil.copy(tables, root.parent / "mlflow" / "mlflow.db")
    return Store(root)


@pytest.fixture
def client(store: Store) -> Client:
    return connect(tracking_uri(store.root))


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


# --- what arrives -----------------------------------------------------------------------------------------------------


def test_complete_stage_arrives_with_times_parameters_curves_numbers_and_files(store: Store, client: Client) -> None:
    finish(store)
    update = Mirror(store).update(KEY)
    assert update is not None
    assert (update.outcomes, update.running) == ((Outcome.SENT,), False)
    (run,) = all_runs(client)
    assert client.get_experiment(run.info.experiment_id).name == "weak-shot segmentation, mini"
    assert (run.info.run_name, run.info.status) == ("simformer train S4 seed 0", "FINISHED")
    assert (run.info.start_time, run.info.end_time) == (1_700_000_000_250, 1_700_000_060_250)
    assert run.data.params == {
        "training.steps": "300",
        "training.rate": "0.0001",
        "novel": "[1, 2]",
        "inputs.pretrained": "cd" * 32,
    }
    assert {name: value for name, value in run.data.metrics.items() if name != "summary/undefined"} == {
        "loss": 0.2,
        "lr": 0.1,
        "summary/loss": 0.5,
        "summary/best.step": 4.0,
        "wall_seconds": 60.0,
        "cpu_seconds": 55.5,
    }
    assert math.isnan(run.data.metrics["summary/undefined"])
    assert history(client, run) == [(s, round(1000 * (STARTED + s / 10)), 1 / (1 + s)) for s in range(5)]
    assert files_of(client, run) == {"stage.json", "result.json", "curves.jsonl", "log.txt"}


def test_tags_say_what_the_run_belongs_to(store: Store, client: Client) -> None:
    cells = [
        {"dataset": "mini", "split": name, "method": "fully_oracle", "variant": "", "seed": 0} for name in ("S1", "S2")
    ]
    finish(store, cells=cells)
    Mirror(store).update(KEY)
    (run,) = all_runs(client)
    expected = {
        "dataset": "mini",
        "split": "S1, S2",
        "method": "fully_oracle",
        "seed": "0",
        "kind": "train",
        "stage_key": KEY,
        "attempt": "1",
        "git_commit": "f" * 40,
        "mlflow.source.git.commit": "f" * 40,
        "git_dirty": "False",
        "device": "cpu",
    }
    assert expected.items() <= run.data.tags.items()
    assert "variant" not in run.data.tags  # an empty one says nothing


def test_counts_arrive_as_iou_of_each_class_and_miou_of_each_split(store: Store, client: Client) -> None:
    cells = [{"dataset": "mini", "split": name, "method": "m", "variant": "", "seed": 0} for name in ("S4", "S9")]
    counts = counts_of_mini()
    finish(store, counts=counts, kind="evaluate", cells=cells)
    Mirror(store).update(KEY)
    (run,) = all_runs(client)
    found = run.data.metrics
    names = class_names("mini")
    ious = {name.removeprefix("iou/"): value for name, value in found.items() if name.startswith("iou/")}
    assert set(ious) == set(names[1:])  # class 0 is absent from the images
    assert ious[names[3]] == pytest.approx(30.0)
    for name in ("S4", "S9"):
        novel = [c for c in split("mini", name).novel if c != 0]
        assert found[f"novel_miou/{name}"] == pytest.approx(np.mean([ious[names[c]] for c in novel]))
    assert found["overall_miou"] == pytest.approx(np.mean(list(ious.values())))
    assert "counts.npz" in files_of(client, run)


def test_counts_without_known_classes_or_splits_still_arrive(store: Store, client: Client) -> None:
    cells = [{"dataset": "elsewhere", "split": "S4", "method": "m", "variant": "", "seed": 0}]
    finish(store, counts=counts_of_mini(), cells=cells)
    assert Mirror(store).update(KEY) is not None
    (run,) = all_runs(client)
    assert "iou/class 003" in run.data.metrics
    assert not any(name.startswith("novel_miou") for name in run.data.metrics)


def test_broken_counts_are_said_and_the_run_arrives_all_the_same(store: Store, client: Client) -> None:
    finish(store)
    (store.folder(KEY) / "counts.npz").write_bytes(b"no zip file")
    assert Mirror(store).update(KEY) is not None
    (run,) = all_runs(client)
    assert run.info.status == "FINISHED"
    assert "counts.npz" in run.data.tags["no_scores"]


def test_long_and_odd_parameters_are_made_to_fit(store: Store, client: Client) -> None:
    many = {f"p{number:03d}": number for number in range(250)}
    odd = {"a?": 1, "a!": 2, "../up": 3, "//": 4, "n" * 300: 5, "n" * 299 + "m": 6, "text": "x" * 9000, "none": None}
    finish(store, params={**many, **odd, "empty": {}})
    assert Mirror(store).update(KEY) is not None
    (run,) = all_runs(client)
    found = run.data.params
    assert (found["a_"], found["a__2"], found["up"], found["_"]) == ("1", "2", "3", "4")
    assert (found["none"], found["empty"]) == ("null", "{}")
    assert len(found["text"]) == records.VALUE_LIMIT
    assert found["text"].endswith("…")
    assert sum(value in {"5", "6"} for name, value in found.items() if name.startswith("nnn")) == 2
    assert len(found) == len(many) + len(odd) + 2


@pytest.mark.parametrize(
    "name", ["iou/wall-other(wood)", "iou/é", "..", "", "/a//b/", ". /x", "a/../b", "x" * 400, "…"]
)
def test_every_name_becomes_one_that_mlflow_takes(name: str) -> None:
    from mlflow.utils import validation

    check: Callable[..., None] = validation._validate_metric
    check(records.legal(name), 1.0, 0, 0)


# --- twice is as good as once -----------------------------------------------------------------------------------------


def test_again_sends_nothing(store: Store, client: Client) -> None:
    finish(store, counts=counts_of_mini())
    Mirror(store).update(KEY)
    before = dump(store)
    update = Mirror(store).update(KEY)
    assert update is not None
    assert update.outcomes == (Outcome.PRESENT,)
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


def test_two_servers_are_kept_apart(store: Store, tables: Path, tmp_path: Path) -> None:
    finish(store)
    other = shutil.copy(tables, tmp_path / "other.db")
    for uri in (None, f"sqlite:///{other}"):
        update = Mirror(store, uri).update(KEY)
        assert update is not None
        assert update.outcomes == (Outcome.SENT,)
    assert len(json.loads((store.root / "mlflow" / f"{KEY}.json").read_text())) == 2
    assert len(all_runs(connect(f"sqlite:///{other}"))) == 1


def test_run_that_mlflow_lost_is_sent_again_by_sync(store: Store, tables: Path) -> None:
    finish(store)
    Mirror(store).update(KEY)
    shutil.copy(tables, sqlite_file(tracking_uri(store.root)) or "")
    report = Mirror(store).sync()
    assert report.runs == {Outcome.SENT: 1}
    assert len(all_runs(connect(tracking_uri(store.root)))) == 1


def test_many_at_once_make_one_run(store: Store, client: Client) -> None:
    finish(store)
    outcomes: list[Outcome] = []

    def mirror() -> None:
        update = Mirror(store).update(KEY)
        outcomes.extend(update.outcomes if update else ())

    threads = [threading.Thread(target=mirror) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [*[Outcome.PRESENT] * 3, Outcome.SENT]
    assert len(all_runs(client)) == 1


# --- while it runs, and when it goes wrong ----------------------------------------------------------------------------


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
    assert outcomes == [(Outcome.SENT,), (Outcome.UPDATED,), (Outcome.UPDATED,), (Outcome.PRESENT,)]
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


# --- the thread -------------------------------------------------------------------------------------------------------


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


# --- faults of MLflow -------------------------------------------------------------------------------------------------


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
    assert Mirror(store).sync().runs == {Outcome.SENT: 5}
    assert len(all_runs(client)) == 5


def test_sync_gives_up_on_a_server_that_is_down(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def refuse(uri: str) -> None:
        calls.append(uri)
        raise ConnectionError("refused")

    monkeypatch.setattr("benchmark.tracking.mirror.connect", refuse)
    for number in range(6):
        finish(store, f"{number:064x}")
    report = Mirror(store, warn=lambda _: None).sync()
    assert len(calls) == 3
    assert len(report.failed) == 6
    assert not report.runs


def test_one_stage_that_cannot_be_sent_does_not_keep_back_the_others(store: Store, client: Client) -> None:
    for number in range(3):
        finish(store, f"{number:064x}")
    (store.folder("0" * 64) / "stage.json").write_text("broken")
    report = Mirror(store, warn=lambda _: None).sync()
    assert report.runs == {Outcome.SENT: 2}
    assert list(report.failed) == ["0" * 64]


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


# --- places -----------------------------------------------------------------------------------------------------------


def test_place_of_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracking_uri(tmp_path / "a" / "store") == f"sqlite:///{tmp_path / 'a' / 'mlflow' / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
    assert tracking_uri(tmp_path) == "http://host:5000"


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://me:pa@ss@host:5000/x", "http://host:5000/x"),
        ("http://host", "http://host"),
        ("sqlite:////a@b/mlflow.db", "sqlite:////a@b/mlflow.db"),
        ("postgresql+psycopg2://me:pass@host/db", "postgresql+psycopg2://host/db"),
    ],
)
def test_passwords_are_not_shown(uri: str, shown: str) -> None:
    assert public(uri) == shown


def test_artefacts_lie_beside_the_database(store: Store, client: Client) -> None:
    finish(store)
    Mirror(store).update(KEY)
    assert list((store.root.parent / "mlflow" / "artifacts").rglob("result.json"))


def test_telling_what_is_due_loads_no_mlflow() -> None:
    code = "import sys, benchmark.tracking, benchmark.commands.sync; sys.exit('mlflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- the command ------------------------------------------------------------------------------------------------------


def test_sync_says_what_it_did(store: Store, client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    finish(store)
    attempt(store, key="12" * 32, state="failed", error="no")
    assert main(["sync", "--store", str(store.root)]) == 0
    first = capsys.readouterr()
    assert first.out.startswith("runs: 2 sent, 0 updated, 0 already there; sqlite:///")
    assert not first.err
    assert main(["sync", "--store", str(store.root)]) == 0
    assert capsys.readouterr().out.startswith("runs: 0 sent, 0 updated, 2 already there")
    assert len(all_runs(client)) == 2


def test_sync_says_why_something_could_not_be_sent(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    finish(store)
    assert main(["sync", "--store", str(store.root), "--uri", "http://127.0.0.1:9"]) == 1
    assert "1 stage not sent: " in capsys.readouterr().err


def test_sync_of_an_empty_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync", "--store", str(tmp_path / "store")]) == 0
    assert capsys.readouterr().out.startswith("runs: 0 sent")
    assert not list(tmp_path.glob("*"))


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
