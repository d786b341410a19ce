"""Jobs as Slurm starts, warns, ends and kills them, in real processes; Slurm's commands are played."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.benchmark import toy
from tests.benchmark.execute.cluster.fake_slurm import FakeSlurm
from tests.benchmark.execute.cluster.support import Site, ended, wait_for

SLOW: Any = {"steps": 400, "pause": 0.02}


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, slurm: FakeSlurm) -> None:
    toy.install(monkeypatch)
    monkeypatch.setenv("TOY_CALLS", str(tmp_path / "calls"))
    slurm.answers("squeue", "RUNNING\n")
    slurm.answers("scontrol")


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Any]]:
    """Processes that end with the test."""
    processes: list[Any] = []
    yield processes
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def requeued(slurm: FakeSlurm) -> list[str]:
    return slurm.calls("scontrol")


def test_a_job_makes_its_stage(tmp_path: Path, slurm: FakeSlurm) -> None:
    site = Site(tmp_path)
    done = site.run(site.key("prepare"), SLURM_RESTART_COUNT="1")
    assert done.returncode == 0, done.stdout
    assert "job 70_2 on n1: preparation" in done.stdout
    (record,) = site.store.attempts(site.key("prepare"))
    assert (record["state"], record["job"], record["restart"], record["node"]) == ("done", "70_2", 1, "n1")
    again = site.run(site.key("prepare"))
    assert (again.returncode, toy.calls()) == (0, ["prepare"])
    assert requeued(slurm) == []


def test_a_job_whose_input_failed_says_which_and_ends(tmp_path: Path, slurm: FakeSlurm) -> None:
    site = Site(tmp_path, mode="fail")
    site.made("prepare")
    failed = site.run(site.key("train"))
    assert failed.returncode == 1
    assert "RuntimeError: the toy is broken" in failed.stdout
    blocked = site.run(site.key("evaluate"))
    assert blocked.returncode == 0
    reason = f"training S1 [{site.key('train')[:8]}] failed: RuntimeError: the toy is broken"
    assert f"blocked: {reason}" in blocked.stdout
    assert site.store.state(site.key("evaluate")) == "missing"
    assert requeued(slurm) == []  # it would fail again


def test_an_input_that_appears_late_is_waited_for(tmp_path: Path, started: list[Any]) -> None:
    site = Site(tmp_path)
    started.append(site.start(site.key("train")))
    site.made("prepare")
    assert ended(started[0]).returncode == 0
    assert site.store.state(site.key("train")) == "done"


@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGTERM])
def test_told_to_stop_a_job_saves_its_state_and_is_queued_again(
    tmp_path: Path, slurm: FakeSlurm, started: list[Any], number: signal.Signals
) -> None:
    site = Site(tmp_path, **SLOW)
    site.made("prepare")
    key = site.key("train")
    started.append(site.start(key))
    site.begun(key)
    os.killpg(started[0].pid, number)
    done = ended(started[0])
    assert (done.returncode, requeued(slurm)) == (0, ["scontrol requeue 70_2"]), done.stdout
    assert [one["state"] for one in site.store.attempts(key)] == ["interrupted"]
    reached = int((site.store.work(key) / "scratch" / "step.json").read_text())
    assert site.run(key, SLURM_RESTART_COUNT="1").returncode == 0
    assert site.store.result(key)["summary"]["begin"] == reached > 0


def test_the_child_does_not_hear_the_warning_that_slurm_sends_to_all(
    tmp_path: Path, slurm: FakeSlurm, started: list[Any]
) -> None:
    site = Site(tmp_path, **SLOW)
    site.made("prepare")
    key = site.key("train")
    started.append(site.start(key))
    worker = site.begun(key)["pid"]
    os.kill(worker, signal.SIGUSR2)
    os.kill(started[0].pid, signal.SIGUSR2)
    assert ended(started[0]).returncode == 0
    assert [(one["state"], one["died"]) for one in site.store.attempts(key)] == [("interrupted", False)]


def test_a_job_that_slurm_ends_is_not_asked_for_again(tmp_path: Path, slurm: FakeSlurm, started: list[Any]) -> None:
    site = Site(tmp_path, **SLOW)
    site.made("prepare")
    key = site.key("train")
    started.append(site.start(key))
    site.begun(key)
    slurm.answers("squeue", "COMPLETING\n")
    os.killpg(started[0].pid, signal.SIGTERM)
    assert ended(started[0]).returncode == 1
    assert site.store.state(key) == "interrupted"
    assert requeued(slurm) == []


def test_a_killed_child_costs_one_attempt_and_the_next_one_runs_later_and_elsewhere(
    tmp_path: Path, slurm: FakeSlurm, started: list[Any]
) -> None:
    site = Site(tmp_path, **SLOW)
    site.made("prepare")
    key = site.key("train")
    slurm.script("squeue", '[[ "$*" == *%x* ]] && echo n7 || echo RUNNING')
    slurm.answers("sbatch")
    started.append(site.start(key))
    os.kill(site.begun(key)["pid"], signal.SIGKILL)
    done = ended(started[0])
    assert done.returncode == 0, done.stdout
    assert "killed by SIGKILL" in done.stdout
    assert requeued(slurm) == [
        "scontrol requeue 70_2",
        "scontrol update JobId=70_2 ExcNodeList=n7,n1",
        "scontrol update JobId=70_2 StartTime=now+60",
    ]
    assert slurm.calls("sbatch")[0].startswith("sbatch --test-only --exclude=n7,n1 ")


@pytest.mark.parametrize("nodes", ["1", "2"])
def test_a_node_that_no_other_can_replace_or_one_of_several_is_not_excluded(
    tmp_path: Path, slurm: FakeSlurm, started: list[Any], nodes: str
) -> None:
    site = Site(tmp_path, **SLOW)
    site.made("prepare")
    refusal = "allocation failure: Requested node configuration is not available\n" if nodes == "1" else ""
    slurm.answers("sbatch", error=refusal, code=bool(refusal))
    started.append(site.start(site.key("train"), SLURM_JOB_NUM_NODES=nodes))
    os.kill(site.begun(site.key("train"))["pid"], signal.SIGKILL)
    assert ended(started[0]).returncode == 0
    assert requeued(slurm) == ["scontrol requeue 70_2", "scontrol update JobId=70_2 StartTime=now+60"]


def test_machine_faults_are_bounded_and_waits_double(tmp_path: Path, slurm: FakeSlurm) -> None:
    site = Site(tmp_path, {"retries": 2, "backoff_seconds": 5}, mode="kill")
    site.made("prepare")
    key = site.key("train")
    codes = [site.run(key, SLURM_RESTART_COUNT=str(restart)).returncode for restart in range(3)]
    assert codes == [0, 0, 1]
    waits = [line.rpartition("+")[2] for line in requeued(slurm) if "StartTime" in line]
    assert waits == ["5", "10"]
    assert [one["fault"] for one in site.store.attempts(key)] == ["machine"] * 3
    assert site.run(key, SLURM_ARRAY_JOB_ID="80").returncode == 0  # another job has all its starts before it


def test_children_that_cannot_even_start_are_bounded_too(
    tmp_path: Path, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, {"retries": 1})
    broken = tmp_path / "broken"
    broken.mkdir()
    lines = ("import os, sys", "if 'benchmark.execute.worker' in sys.orig_argv:", "    os._exit(3)", "")
    (broken / "sitecustomize.py").write_text("\n".join(lines))
    monkeypatch.setenv("PYTHONPATH", str(broken))
    runs = [site.run(site.key("prepare"), SLURM_RESTART_COUNT=str(restart)) for restart in range(2)]
    assert [one.returncode for one in runs] == [0, 1], runs[0].stdout
    assert "given up after 2 faults in a row: its worker process ended with exit code 3" in runs[1].stdout


def test_a_time_limit_that_leaves_no_time_ends_in_an_error_that_says_so(
    tmp_path: Path, slurm: FakeSlurm, started: list[Any]
) -> None:
    cluster = {"retries": 1, "signal_seconds": 5, "resources": {"default": {"time": "00:01:00"}}}
    site = Site(tmp_path, cluster, steps=1, pause=600)  # keeps nothing
    site.made("prepare")
    key = site.key("train")
    codes = []
    for restart in range(2):
        started.append(site.start(key, SLURM_RESTART_COUNT=str(restart)))
        wait_for(lambda: len(toy.calls()) == 1 + len(started), "the start")
        began = time.monotonic()
        os.kill(started[-1].pid, signal.SIGUSR2)
        codes.append(ended(started[-1]).returncode)
        assert time.monotonic() - began > 2.0  # it had time to save its state, and then was killed
    assert codes == [0, 1]
    assert requeued(slurm) == ["scontrol requeue 70_2"]
    first = site.store.attempts(key)[0]
    assert (first["state"], first["died"]) == ("interrupted", False)
    assert first["error"] == "killed, as it had not saved its state 2 s after it was told to stop"
    last = site.store.attempts(key)[-1]
    assert (last["state"], last["fault"]) == ("failed", "stage")
    assert "the time limit of 00:01:00 is too short: 2 starts in a row have kept nothing" in last["error"]
    assert "class default" in last["error"]


def test_preemption_is_not_counted_as_a_short_time_limit(tmp_path: Path, slurm: FakeSlurm, started: list[Any]) -> None:
    site = Site(tmp_path, {"retries": 0, "signal_seconds": 5}, steps=1, pause=600)
    site.made("prepare")
    key = site.key("train")
    for _ in range(2):
        started.append(site.start(key))
        wait_for(lambda: len(toy.calls()) == 1 + len(started), "the start")
        os.kill(started[-1].pid, signal.SIGUSR2)
        assert ended(started[-1]).returncode == 0
    assert len(requeued(slurm)) == 2


def test_a_controller_that_is_away_is_waited_for(tmp_path: Path, slurm: FakeSlurm, started: list[Any]) -> None:
    site = Site(tmp_path, **SLOW)
    site.made("prepare")
    key = site.key("train")
    slurm.answers("squeue", error="squeue: error: Unable to contact slurm controller\n", code=1)
    started.append(site.start(key))
    site.begun(key)
    os.kill(started[0].pid, signal.SIGUSR2)
    wait_for(lambda: slurm.calls("squeue"), "the first question")
    slurm.answers("squeue", "RUNNING\n")
    assert ended(started[0]).returncode == 0
    assert requeued(slurm) == ["scontrol requeue 70_2"]


def test_a_stage_that_another_process_makes_is_waited_for(tmp_path: Path, started: list[Any]) -> None:
    site = Site(tmp_path)
    key = site.key("prepare")
    site.store.work(key).mkdir(parents=True)
    with site.store.lock(key):
        started.append(site.start(key))
        line = next(line for line in started[0].stdout if "wait" in line)
        assert "another run is making it" in line
    assert ended(started[0]).returncode == 0
    assert toy.calls() == ["prepare"]
