"""What became of the attempts at a stage since it last got anywhere: how often a machine failed it, or time ran out."""

from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.execute.cluster.campaign import Campaign
from benchmark.store import Store


class Setbacks(NamedTuple):
    """Attempts at a stage since the last one that left a newer checkpoint than it had found.

    Attributes:
        faults: attempts that a machine failed: killed, or out of memory, or with a disk or a GPU that gave out.
        stops: attempts that were asked to stop before they had kept anything.
    """

    faults: int = 0
    stops: int = 0


def setbacks(store: Store, key: str, job: str = "") -> Setbacks:
    """Return the setbacks of a stage at which nobody works now; with ``job`` those of this job of Slurm's alone."""
    records = [] if store.find(key) else store.attempts(key)
    checkpoints = [*(record.get("checkpoint", 0.0) for record in records), store.checkpoint_time(key)]
    faults = stops = 0
    for record, (found, left) in zip(records, pairwise(checkpoints), strict=True):
        if left > found:
            faults = stops = 0
        elif job and record.get("job") != job:
            continue
        elif by_machine(record):
            faults += 1
        elif record["state"] == "interrupted":
            stops += 1
    return Setbacks(faults, stops)


def by_machine(record: dict[str, Any]) -> bool:
    """Return whether a machine ended an attempt; one that still reads ``running`` died without a word."""
    return record["state"] == "running" or record.get("fault") == "machine" or bool(record.get("died"))


def own_error(store: Store, key: str) -> str:
    """Return in one line why a stage failed by itself, and would again; empty where it did not."""
    records = store.attempts(key)
    last = records[-1] if records else {"state": ""}
    own = last["state"] == "failed" and last.get("fault", "") == "stage"
    return str(last["error"]).partition("\n")[0] if own else ""


def job_logs(campaign: Campaign, key: str) -> list[Path]:
    """Return what the jobs of a stage wrote around it, set-up and Slurm's words, oldest first; errors come last."""
    found: list[Path] = []
    for made in campaign.rounds():
        job = made.tasks.get(key)
        names = [f"{job}_0_log.out", f"{job}_0_log.err"] if job else []
        found += (path for name in names if (path := made.slurm / name).is_file() and path.stat().st_size)
    return found
