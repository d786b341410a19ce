"""Whatever happens to jobs, each stage is made and the table is the one that a single process makes."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.execute.cluster.queue import look, queued
from benchmark.store import Store
from tests.benchmark.processes import alive, family, parent
from tests.cluster.conftest import Lab
from tests.cluster.support import Bench, asked, wait_for

pytestmark = pytest.mark.slow


def test_requeued_warned_and_killed_walks_arrive_without_anybody(slurm: Lab, reference: Store, tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    campaign = bench.submit()
    keys = bench.stages()
    walks = {split: keys[f"walk {split}, seed 0"] for split in ("S4", "S5", "S6", "S7")}
    accidents: dict[str, Callable[[str], None]] = {
        "S4": lambda key: _requeue(_job(bench, key)),
        "S5": lambda key: _warn(_job(bench, key)),
        "S6": lambda key: os.kill(bench.walking(key)["pid"], signal.SIGKILL),
        "S7": lambda key: _kill_step(bench.walking(key)["pid"]),
    }
    for split, key in walks.items():
        bench.walking(key)
        accidents[split](key)
    bench.settled()
    assert {split: bench.states(key)[0] for split, key in walks.items()} == {
        "S4": "interrupted",
        "S5": "interrupted",
        "S6": "failed",
        "S7": "interrupted",
    }
    for key in walks.values():
        _, last = bench.store.attempts(key)
        assert last["state"] == "done"
        assert bench.store.result(key)["summary"]["begin"] > 0  # it went on from where it was
    assert [sorted(made.tasks) for made in campaign.rounds()][1:] == [
        sorted([walks["S7"], keys["evaluation S7, seed 0"]])  # Slurm started the others again itself
    ]
    written = next((tmp_path / "results").rglob("walk.csv"))
    assert written.read_text() == bench.csv() == bench.csv(reference)  # written by the last job, with nobody asking


def _job(bench: Bench, key: str) -> str:
    entry = queued(bench.store, key)
    assert entry
    return entry.job


def _requeue(job: str) -> None:
    asked("scontrol", "requeue", job)


def _warn(job: str) -> None:
    """Do what Slurm does before a time limit, or when a job is to make room."""
    asked("scancel", "--signal=USR2", job)


def _kill_step(worker: int) -> None:
    """Kill all that runs of a job's step at once, as a machine that runs out of memory may."""
    supervisor = parent(worker)
    assert supervisor
    for pid in family(supervisor):
        os.kill(pid, signal.SIGKILL)


def test_what_was_cancelled_is_left_to_its_user_and_taken_up_again_without_accounting(
    slurm: Lab, reference: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _hide_accounting(tmp_path, monkeypatch)
    bench = Bench(tmp_path, "--splits", "S4")
    campaign = bench.submit()
    cancelled = bench.stages()["walk S4, seed 0"]
    bench.walking(cancelled)
    asked("scancel", _job(bench, cancelled))
    bench.settled()
    assert len(campaign.rounds()) == 1  # nobody makes again what its user has cancelled
    assert bench.status()["tables"][0]["cells"]["cancelled"] == 1
    bench.call("retry", code=5)
    bench.call("retry", campaign.id)
    bench.wait(lambda: len(bench.store.attempts(cancelled)) == 2, "the second attempt")
    assert "3 jobs of Slurm cancelled" in bench.call("cancel")
    bench.settled()
    assert bench.status()["tables"][0]["cells"]["cancelled"] == 1
    bench.call("retry", campaign.id)
    bench.settled()
    assert bench.states(cancelled) == ["interrupted", "interrupted", "done"]
    assert bench.store.result(cancelled)["summary"]["begin"] > 0
    assert bench.csv() == bench.csv(reference)


def test_an_absent_controller_and_drained_nodes_only_cost_time(slurm: Lab, reference: Store, tmp_path: Path) -> None:
    bench = Bench(tmp_path, "--splits", "S4", pause=0.15)
    bench.submit()
    keys = bench.stages()
    walk, evaluation = keys["walk S4, seed 0"], keys["evaluation S4, seed 0"]
    bench.walking(walk)
    _stop_controller(slurm)
    try:
        assert "Slurm does not say" in bench.call("status", "--table", bench.table, *bench.selection)
    finally:
        _start_controller()
    asked("scontrol", "update", "nodename=n1,n2", "state=drain", "reason=test")
    try:
        bench.wait(lambda: bench.store.find(walk), "the walk has arrived, although its node is drained")
        waiting = bench.wait(lambda: _reason(bench, evaluation), "the evaluation waits for a node")
        assert "Nodes" in waiting, waiting
        assert bench.status()["tables"][0]["cells"]["queued"] == 1
    finally:
        asked("scontrol", "update", "nodename=n1,n2", "state=resume")
    bench.settled()
    assert bench.states(walk) == ["done"]
    assert bench.csv() == bench.csv(reference)


def _hide_accounting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sacct fail as it does without accounting, in jobs too: they get the search path."""
    shim = folder / "shim" / "sacct"
    shim.parent.mkdir()
    shim.write_text("#!/bin/sh\necho 'Slurm accounting storage is disabled' >&2\nexit 1\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shim.parent}{os.pathsep}{os.environ['PATH']}")


def _reason(bench: Bench, key: str) -> str:
    """Return why the job of a stage waits, unless it is for its inputs."""
    reasons = [job.reason for job in bench.jobs() if job.id == _job(bench, key)]
    return next((reason for reason in reasons if reason not in {"", "Dependency"}), "")


def _stop_controller(lab: Lab) -> None:
    process = int((lab.folder / "run" / "slurmctld.pid").read_text())
    os.kill(process, signal.SIGTERM)
    wait_for(lambda: not alive(process), "the controller is gone")


def _start_controller() -> None:
    """Start the controller unless it runs, and wait until it answers."""
    if subprocess.run(["scontrol", "ping"], capture_output=True, check=False).returncode:
        asked("slurmctld")
    wait_for(lambda: not look().silence, "the controller answers")
