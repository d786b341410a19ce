"""The command line on a real Slurm, with walks that are as slow as a test wants; and waiting that says what it saw."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from benchmark.execute.cluster.campaign import Campaign, campaigns, owner
from benchmark.execute.cluster.queue import QueuedJob, look
from benchmark.store import Store

T = TypeVar("T")
WALK = Path(__file__).parent / "walk"
PATIENCE = 180.0  # seconds; most things take a tenth of it on an idle machine
CLUSTER = {
    "backoff_seconds": 1,
    "signal_seconds": 20,
    "environment": {"BENCHMARK_DEVICE": "cpu"},
    "resources": {"default": {"time": "00:20:00", "memory": "1200M"}},
}


def installed_walk(site: Path) -> Path:
    """Lay the method down in a folder as pip would, and return the folder."""
    info = site / "walk-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "walk.py").write_text((WALK / "walk.py").read_text())
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: walk\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[weakshot_benchmark.methods]\nwalk = walk:METHOD\n")
    return site


class Bench:
    """A store and a selection of walks, worked on by processes of the command line and by jobs.

    Args:
        folder: for all files.
        selection: options beside the table.
        pause: seconds of a step.
        table: name or path.
    """

    def __init__(
        self, folder: Path, *selection: str, pause: float = 0.05, table: str = str(WALK / "table.yaml")
    ) -> None:
        self.folder, self.store = folder, Store(folder / "store")
        self.table, self.selection = table, ("--profile", "smoke", *selection)
        self._cluster = folder / "cluster.yaml"
        self._cluster.write_text(yaml.safe_dump(CLUSTER))
        self.faults = folder / "faults"
        self.faults.mkdir()
        self.environment = os.environ | {
            "PYTHONPATH": str(installed_walk(folder / "site")),
            "WALK_PAUSE": str(pause),
            "WALK_FAULTS": str(self.faults),
        }

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a process of the command line, away from the checkout's folder as a user would be."""
        return subprocess.Popen(
            [sys.executable, "-m", "benchmark", *arguments],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, *arguments: str, code: int = 0, store: Store | None = None) -> str:
        """Run a verb on the store, or another one, and return what it printed; it must exit with ``code``."""
        process = self.start(*arguments, "--store", str((store or self.store).root))
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == code, f"{' '.join(arguments)}: exit code {process.returncode}\n{out}\n{err}"
        return out

    def run_options(self) -> list[str]:
        slurm = ["--executor", "slurm", "--cluster", str(self._cluster)]
        return ["--table", self.table, *self.selection, "--no-mlflow", *slurm]

    def submit(self, *more: str) -> Campaign:
        """Submit the selection and return the campaign; the process that did is gone."""
        printed = self.call("run", *self.run_options(), *more)
        return next(one for one in campaigns(self.store) if one.id == printed.strip())

    def csv(self, store: Store | None = None) -> str:
        """Return the table, collected by a new process, from this store or another one."""
        return self.call("table", self.table, *self.selection, "--format", "csv", store=store)

    def status(self) -> Any:
        return json.loads(self.call("status", "--table", self.table, *self.selection, "--json"))

    def stages(self) -> dict[str, str]:
        """Return name -> key of every stage."""
        planned = json.loads(self.call("plan", "--table", self.table, *self.selection, "--json"))
        return {stage["name"]: stage["key"] for stage in planned["stages"]}

    def jobs(self) -> list[QueuedJob]:
        """Return the jobs of this store that wait or run."""
        own = {campaign.id for campaign in campaigns(self.store)}
        queue = look()
        assert not queue.silence, queue.silence
        return [job for job in queue.jobs.values() if job.alive and owner(job.name) in own]

    def settled(self) -> None:
        """Wait until no job of the store waits or runs."""
        self.wait(lambda: not self.jobs(), "all jobs have ended")

    def walking(self, key: str) -> Mapping[str, Any]:
        """Wait until a walk has kept a place, and return the record of the attempt."""
        kept = self.store.work(key) / "scratch" / "place.json"
        self.wait(lambda: kept.exists() or self.store.find(key), f"walk {key[:8]} has begun")
        assert not self.store.find(key), "the walk was too fast for the test"
        return self.store.attempts(key)[-1]

    def states(self, key: str) -> list[str]:
        """Return how the attempts at a stage ended."""
        return [record["state"] for record in self.store.attempts(key)]

    def wait(self, condition: Callable[[], T], what: str, patience: float = PATIENCE) -> T:
        """Return what a condition gives once it is true; if that does not happen in time, say how things stand."""
        return wait_for(condition, what, patience, self._picture)

    def _picture(self) -> str:
        queue = asked("squeue", "--array", "--states=all", check=False)
        logs = sorted(self.store.root.glob("campaigns/*/rounds/*/slurm/*_log.*"), key=lambda path: path.stat().st_mtime)
        return "\n".join([queue, *(f"--- {path}\n{path.read_text()}" for path in logs)])


def asked(*command: str, check: bool = True) -> str:
    """Run a command of Slurm's and return what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0 or not check, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def wait_for(condition: Callable[[], T], what: str, patience: float = PATIENCE, picture: Callable[[], str] = str) -> T:
    """Return what a condition gives once it is true; fail with ``what`` and a picture of how things stand."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {patience:.0f} s: {what}\n{picture()}")
