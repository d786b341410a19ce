"""Every attempt is recorded and kept: where it ran, how it ended, what it said."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from benchmark.execute import records
from benchmark.execute.attempt import make
from benchmark.execute.inline import Inline, copied_to
from benchmark.execute.local import Local
from benchmark.execute.messages import Finished
from benchmark.execute.records import UNHEARD
from benchmark.stage import Stage
from benchmark.store import Store
from tests.benchmark.execute import support
from tests.benchmark.execute.support import job, run, stage, wait_for

ROOT = Path(__file__).parents[3]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def attempt(wanted: Stage, store: Store) -> Finished:
    return make(job(wanted, store), lambda _: None, lambda: False, copied_to)


def test_a_result_keeps_what_failed_attempts_left(store: Store) -> None:
    wanted = stage("fails_first", 1, failures=2)
    ends = [attempt(wanted, store) for _ in range(3)]
    assert [end.state for end in ends] == ["failed", "failed", "done"]
    assert not store.work(wanted.key).exists()
    for number, state in enumerate(("failed", "failed", "done"), start=1):
        folder = store.attempt_folder(wanted.key, number)
        assert folder.is_relative_to(store.folder(wanted.key))
        assert json.loads((folder / "attempt.json").read_text()) == store.attempts(wanted.key)[number - 1]
        assert store.attempts(wanted.key)[number - 1]["state"] == state
        assert f"the end of attempt {number}" in (folder / "log.txt").read_text()
        error = folder / "error.txt"
        assert error.exists() == (state == "failed")
        assert state == "done" or f"ValueError: failure {number}" in error.read_text()


@pytest.mark.parametrize("launcher", [Inline(), Local(1)], ids=["inline", "local"])
def test_of_a_long_log_the_end_is_kept(store: Store, launcher: Inline | Local, monkeypatch: pytest.MonkeyPatch) -> None:
    if isinstance(launcher, Inline):
        monkeypatch.setattr(records, "KEPT", 50)
    wanted = stage("fails_first", 1, failures=0, talk=records.KEPT)
    run([wanted], store, launcher)
    end = "\nthe end of attempt 1\n"
    for log in (store.folder(wanted.key) / "log.txt", store.attempt_folder(wanted.key, 1) / "log.txt"):
        first, _, rest = log.read_text().partition("\n")
        assert first == f"[the first {len(end)} bytes were not kept]"
        assert rest == "x" * (records.KEPT - len(end)) + end


def test_an_attempt_says_where_it_ran(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SLURM")]:
        monkeypatch.delenv(name)
    wanted = stage("fails_first", 1, failures=3)
    attempt(wanted, store)
    slurm = {"SLURM_JOB_ID": "81", "SLURMD_NODENAME": "n7", "SLURM_RESTART_COUNT": "2"}
    for name, value in slurm.items():
        monkeypatch.setenv(name, value)
    attempt(wanted, store)
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "80")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    attempt(wanted, store)
    found = [(one["job"], one["node"], one["restart"], one["pid"]) for one in store.attempts(wanted.key)]
    assert found == [(job, node, n, os.getpid()) for job, node, n in [("", "", 0), ("81", "n7", 2), ("80_3", "n7", 2)]]


@pytest.mark.parametrize(
    ("error", "fault"), [(ValueError("no"), "stage"), (MemoryError(), "machine"), (OSError(28, "full"), "machine")]
)
def test_whose_fault_a_failure_is_stands_in_record_and_message(
    store: Store, error: Exception, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise error

    monkeypatch.setattr(support, "alone", broken)
    wanted = stage("alone", 1)
    end = attempt(wanted, store)
    assert (end.state, end.fault, store.attempts(wanted.key)[0]["fault"]) == ("failed", fault, fault)
    assert store.attempts(wanted.key)[0]["error"] == end.message


def test_an_input_that_is_gone_is_no_fault_of_the_stage(store: Store) -> None:
    parent = stage("alone", 1)
    wanted = Stage("train", "", parent.function, 1, {}, {"model": parent})
    assert attempt(wanted, store).fault == "machine"


@pytest.mark.parametrize(("error", "kept"), [(MemoryError(), True), (ValueError("torn"), False)])
def test_a_checkpoint_is_set_aside_only_where_it_may_be_at_fault(
    store: Store, error: Exception, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise error

    monkeypatch.setattr(support, "alone", broken)
    wanted = stage("alone", 1)
    checkpoint = store.work(wanted.key) / "scratch" / "step.json"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_text("7")
    attempt(wanted, store)
    assert checkpoint.exists() == kept


DYING = """
import sys
from benchmark.execute.attempt import make
from benchmark.execute.messages import Job
from contextlib import nullcontext
make(Job.decode(sys.stdin.read()), lambda _: None, lambda: False, lambda _: nullcontext())
"""


def die(wanted: Stage, store: Store, when: Callable[[], object]) -> None:
    """Make a stage in a process of its own and kill that, as a node that goes down would."""
    process = subprocess.Popen([sys.executable, "-c", DYING], stdin=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdin
    process.stdin.write(job(wanted, store).encode())
    process.stdin.close()
    wait_for(when)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_the_next_attempt_records_the_death_of_one_that_could_not(store: Store) -> None:
    wanted = stage("stoppable", 1, steps=100_000)
    progress = store.work(wanted.key) / "progress.json"
    die(wanted, store, progress.exists)
    assert store.attempts(wanted.key)[0]["state"] == "running"
    last = max(path.stat().st_mtime for path in (progress, progress.parent / "attempts" / "1" / "attempt.json"))
    make(job(wanted, store), lambda _: None, lambda: True, lambda _: nullcontext())
    dead, stopped = store.attempts(wanted.key)
    assert (dead["state"], dead["died"], dead["fault"], dead["error"]) == ("interrupted", True, "machine", UNHEARD)
    assert dead["finished"] == pytest.approx(last, abs=0.01)
    assert (stopped["state"], stopped["died"], stopped["fault"]) == ("interrupted", False, "")


def test_a_worker_killed_by_a_signal_is_a_death_and_an_exception_is_none(store: Store) -> None:
    killed, raised = stage("killed", 1), stage("fails_first", 1, failures=9)
    run([killed, raised], store, Local(1))
    assert (store.attempts(killed.key)[0]["died"], store.attempts(raised.key)[0]["died"]) == (True, False)


def test_results_without_a_folder_of_attempts_are_read(store: Store) -> None:
    wanted = stage("alone", 1)
    attempt(wanted, store)
    shutil.rmtree(store.folder(wanted.key) / "attempts")  # as they were made before
    assert [one["state"] for one in store.attempts(wanted.key)] == ["done"]
    assert store.state(wanted.key) == "done"
