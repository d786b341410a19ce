"""Campaigns of toys, and jobs of them that are started by hand."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeVar

from benchmark.execute.attempt import make
from benchmark.execute.cluster.campaign import Campaign, described, write
from benchmark.execute.cluster.cluster_file import cluster_file_of
from benchmark.execute.cluster.keeper import CampaignMonitor
from benchmark.execute.cluster.rounds import Round
from benchmark.execute.cluster.submit import submit_round
from benchmark.execute.session import job_of
from benchmark.plan import Plan, build_plan
from benchmark.store import Store
from tests.benchmark import toy

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[4]
PATIENCE = 60.0  # seconds


def wait_for(condition: Callable[[], T], what: str) -> T:
    """Return what a condition gives once it is true."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {PATIENCE:.0f} s")


class Site:
    """A store with a campaign of toys in it, as if it had been submitted."""

    def __init__(self, folder: Path, cluster: Mapping[str, Any] | None = None, splits: str = "S1", **toys: Any) -> None:
        self.folder, self.store = folder, Store(folder / "store")
        self.plan = self._plan(splits, toys)
        given = {"backoff_seconds": 60, "signal_seconds": 20, "resources": {"default": {"time": "00:10:00"}}}
        jobs = [job_of(stage, self.plan, self.store) for stage in self.plan.stages]
        self.campaign = self._written(jobs, {**given, **(cluster or {})})

    def _plan(self, splits: str, toys: Mapping[str, Any]) -> Plan:
        settings = {f"toy.{name}": value for name, value in toys.items()}
        rows = settings.pop("toy.rows", "[{label: Toy, method: toy}]")
        table = toy.table(self.folder, splits=splits, rows=rows)
        return build_plan([table], "mini", toy.profile(self.folder), (0,), overrides=(settings,))

    def _written(self, jobs: Any, cluster: Mapping[str, Any]) -> Campaign:
        campaign = described(
            self.store,
            jobs,
            cluster=cluster_file_of(cluster, "preset"),
            code=ROOT,
            command=("run",),
            tables=(str(self.folder / "table_t.yaml"),),
            selection=("--store", str(self.store.root)),
            tracking=None,
        )
        write(campaign, jobs)
        return campaign

    def submit(self, keys: Collection[str] | None = None, **options: Any) -> Round:
        """Submit stages of the campaign, all where none are named."""
        monitor = CampaignMonitor(str(self.campaign.folder))
        return submit_round(self.campaign, self.campaign.stages if keys is None else keys, monitor, **options)

    def key(self, kind: str, split: str = "") -> str:
        """Return the key of the first stage of a kind, of a split."""
        return next(stage.key for stage in self.plan.stages if stage.kind == kind and stage.name.endswith(split))

    def start(self, key: str, **variables: str) -> "subprocess.Popen[str]":
        """Start the job of a stage as Slurm would on a node."""
        call = (
            f"from benchmark.execute.cluster.task import StageTask; StageTask({str(self.campaign.folder)!r}, {key!r})()"
        )
        slurm = {"SLURM_JOB_ID": "77", "SLURM_ARRAY_JOB_ID": "70", "SLURM_ARRAY_TASK_ID": "2", "SLURMD_NODENAME": "n1"}
        return subprocess.Popen(
            [sys.executable, "-c", call],
            env=os.environ | slurm | variables,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, key: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run the job of a stage to its end."""
        return ended(self.start(key, **variables))

    def made(self, *kinds: str) -> None:
        """Make the stages of these kinds here and now."""
        for stage in self.plan.stages:
            if stage.kind in kinds:
                self.made_one(stage.key)

    def made_one(self, key: str) -> None:
        """Make one stage here and now."""
        make(self.campaign.job(key), lambda _: None, lambda: False, lambda _: nullcontext())

    def begun(self, key: str) -> dict[str, Any]:
        """Wait until an attempt at a stage has kept something and return its record."""
        kept = self.store.work(key) / "scratch" / "step.json"
        wait_for(kept.exists, "the first checkpoint")
        return self.store.attempts(key)[-1]


def ended(process: "subprocess.Popen[str]") -> "subprocess.CompletedProcess[str]":
    out, _ = process.communicate(timeout=PATIENCE)
    return subprocess.CompletedProcess(process.args, process.returncode, out)
