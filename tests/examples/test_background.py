"""The example of the documentation: an executor of another package, and what the verbs make of what it leaves."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmark.store import Store

HERE = Path(__file__).parent
WALK = HERE.parent / "cluster" / "walk"
PATIENCE = 120.0


class Bench:
    """A shell in which the example is installed, beside a method whose stages are as slow as a test wants."""

    def __init__(self, folder: Path) -> None:
        self.store, self.faults = Store(folder / "store"), folder / "faults"
        self.faults.mkdir()
        site = folder / "site"
        _installed(site, HERE / "background" / "background.py", "executors", "EXECUTOR")
        _installed(site, WALK / "walk.py", "methods", "METHOD")
        self.environment = os.environ | {"PYTHONPATH": str(site), "WALK_FAULTS": str(self.faults), "WALK_PAUSE": "0"}
        self._selection = ["--profile", "smoke", "--splits", "S4,S5", "--set", "walk.steps=40"]

    def call(self, verb: str, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "benchmark", verb, *arguments, "--store", str(self.store.root)]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def run(self, *arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        return self.call("run", "--table", str(WALK / "table.yaml"), *self._selection, *arguments, **options)

    def in_background(self) -> str:
        """Begin a run in the background, at a pace at which it can be watched, and return its campaign."""
        self.environment["WALK_PAUSE"] = "0.1"
        campaign = self.run("--no-mlflow", "--executor", "background").stdout.strip()
        self.environment["WALK_PAUSE"] = "0"
        return campaign

    def status(self) -> Any:
        done = self.call("status", "--table", str(WALK / "table.yaml"), *self._selection, "--json")
        return json.loads(done.stdout)

    def states(self) -> dict[str, str]:
        return {stage["name"]: stage["state"] for stage in self.status()["stages"]}

    def cells(self) -> dict[str, int]:
        return {state: count for state, count in self.status()["tables"][0]["cells"].items() if count}

    def walking(self) -> str:
        """Wait until a walk has kept something, and return the key of the stage."""
        return str(wait_for(lambda: [*self.store.root.glob("work/*/scratch/place.json")])[0].parents[1].name)

    def settled(self) -> None:
        wait_for(lambda: not any(campaign["at_work"] for campaign in self.status()["campaigns"]))


def _installed(site: Path, module: Path, group: str, name: str) -> None:
    """Lay a package down as pip would: its module and its entry point."""
    info = site / f"weakshot_{module.stem}-0.1.0.dist-info"
    info.mkdir(parents=True)
    (site / module.name).write_text(module.read_text())
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: weakshot-{module.stem}\nVersion: 0.1.0\n")
    point = f"{module.stem} = {module.stem}:{name}"
    (info / "entry_points.txt").write_text(f"[weakshot_benchmark.{group}]\n{point}\n")


def wait_for(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)
    return found


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    subprocess.run(
        [sys.executable, "-m", "benchmark", "cancel", "--store", str(made.store.root)],
        env=made.environment, capture_output=True, check=False,
    )  # fmt: skip


def test_its_options_are_shown_and_are_its_own(bench: Bench) -> None:
    shown = bench.call("run", "--help").stdout
    assert "[local|background|inline|slurm]" in shown
    assert "--nice INTEGER RANGE" in shown
    assert "--nice belongs to --executor background." in bench.run("--nice", "3", code=2).stderr
    refused = bench.run("--executor", "background", "--workers", "2", code=2).stderr
    assert "--workers, --processes and --gpus belong to --executor local; in the background there is" in refused
    assert "Did you mean 'background'?" in bench.run("--executor", "backgroud", code=2).stderr
    assert "would start " in bench.run("--executor", "background", "--dry-run").stdout
    assert not bench.store.root.exists()


def test_a_table_is_made_after_the_command_has_returned(bench: Bench) -> None:
    campaign = bench.in_background()
    key = bench.walking()
    status = bench.status()
    assert status["tables"][0]["cells"]["running"] + status["tables"][0]["cells"]["queued"] == 2
    (one,) = status["campaigns"]
    assert (one["id"], one["queue"], one["at_work"]) == (campaign, "the background", True)
    assert bench.states()["evaluation S4, seed 0"] == "queued"
    (running,) = (stage for stage in status["stages"] if stage["state"] == "running")
    assert running["job"] == bench.store.attempts(key)[-1]["job"]
    assert f"job {running['job']} has " in bench.call("logs", running["job"], code=2).stderr
    wait_for(lambda: bench.cells() == {"done": 2})
    bench.settled()
    assert "Walk" in bench.run().stdout
    assert bench.status()["stages"] == []


def test_what_was_cancelled_goes_on_when_it_is_named(bench: Bench) -> None:
    campaign = bench.in_background()
    key = bench.walking()
    assert "one process makes all stages" in bench.call("cancel", key[:12], code=2).stderr
    cancelled = bench.call("cancel").stdout
    assert cancelled == "1 job of the background cancelled, 0 jobs of Slurm cancelled, 0 local processes told to stop\n"
    bench.settled()
    assert bench.states()["walk S4, seed 0"] == bench.states()["walk S5, seed 0"] == "cancelled"
    assert bench.call("retry", code=5).stdout == ""
    assert f"goes on with campaign {campaign}: " in bench.call("retry", campaign[:15]).stdout
    wait_for(lambda: bench.cells() == {"done": 2})
    assert bench.store.result(key)["summary"]["begin"] > 0
    assert [one["state"] for one in bench.store.attempts(key)] == ["interrupted", "done"]


def test_a_failure_is_shown_with_its_log_and_taken_up_again(bench: Bench) -> None:
    (bench.faults / "S4").touch()
    campaign = bench.run("--no-mlflow", "--executor", "background").stdout.strip()
    wait_for(lambda: bench.cells() == {"done": 1, "failed": 1})
    bench.settled()
    (failed,) = (stage for stage in bench.status()["stages"] if stage["state"] == "failed")
    assert (failed["campaign"], failed["job"]) == (campaign, bench.store.attempts(failed["key"])[-1]["job"])
    assert bench.states()["evaluation S4, seed 0"] == "blocked"
    assert "RuntimeError: the way is blocked" in bench.call("logs", failed["key"][:12]).stdout
    assert "1 of 2 cells done" in bench.call("logs", failed["key"][:12], "--job").stdout
    (bench.faults / "S4").unlink()
    bench.call("retry")
    wait_for(lambda: bench.cells() == {"done": 2})
