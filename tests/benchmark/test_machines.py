"""Runs on several machines that share a store, with and without its locks."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmark.store import Store
from tests.benchmark import toy

ROOT = Path(__file__).parents[2]
SLOW = ("--set", "toy.steps=60", "--set", "toy.pause=0.05")
PATIENCE = 60.0

Started = subprocess.Popen[str]
Machine = Callable[..., Started]


@pytest.fixture(params=["shared locks", "own locks"])
def machine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """Begin a verb on a machine of some name; the machines share a store, and its locks or not."""
    monkeypatch.setenv("TOY_CALLS", str(tmp_path / "calls"))
    options = ["--table", toy.table(tmp_path), "--profile", toy.profile(tmp_path), "--store", str(tmp_path / "store")]
    processes: list[Started] = []

    def start(name: str, *arguments: str) -> Started:
        own = {"MACHINE_NAME": name, "HOSTNAME": name}
        if request.param == "own locks":
            (tmp_path / name).mkdir(exist_ok=True)
            own["MACHINE_LOCKS"] = str(tmp_path / name)
        verb, *more = arguments or ("run", "--workers", "0", "--no-mlflow", *SLOW)
        command = [sys.executable, "-m", "tests.benchmark.machine_cli", verb, *options, *more]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | own
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def ended(process: Started) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def training(store: Store) -> str:
    """Wait until a training has kept something, and return its key."""
    return str(wait_for(lambda: [path.parents[1].name for path in store.root.glob("work/*/scratch/step.json")])[0])


def wait_for(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
    return found


def test_a_run_comes_back_to_what_another_machine_makes(machine: Machine, store: Store) -> None:
    first = machine("near")
    key = training(store)
    second = machine("far")
    ends = [ended(first), ended(second)]
    assert [(code, out) for code, out, _ in ends] == [(0, "table t: 2 done\n")] * 2, ends
    assert sorted(toy.calls()) == ["evaluate"] * 2 + ["prepare"] + ["train"] * 2
    assert f"another run is making it (process {first.pid} on near)" in ends[1][2]
    assert [one["host"] for one in store.attempts(key)] == ["near"]


def test_a_run_takes_over_when_the_other_machine_is_gone(machine: Machine, store: Store) -> None:
    first = machine("near")
    key = training(store)
    second = machine("far")
    assert second.stderr is not None
    assert any("another run is making it" in line for line in second.stderr)
    first.send_signal(signal.SIGKILL)
    code, out, err = ended(second)
    assert (code, out) == (0, "table t: 2 done\n"), err
    attempts = store.attempts(key)
    assert [(one["host"], one["state"]) for one in attempts] == [("near", "interrupted"), ("far", "done")]
    assert attempts[0]["died"]
    assert store.result(key)["summary"]["begin"] > 0
