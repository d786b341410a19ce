"""How the stages of a campaign stand, and what became of the attempts at them: from the store and from Slurm."""

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.errors import BenchmarkError
from benchmark.execute.campaigns import CampaignStatus
from benchmark.execute.cluster.campaign import Campaign, folder_of_campaigns, load, owner
from benchmark.execute.cluster.queue import Queue, Queued, QueuedJob, look, past, queued
from benchmark.execute.stage_status import StageStatus, stage_statuses
from benchmark.store import Store


def survey(
    store: Store, inputs: Mapping[str, Collection[str]], *, ask: bool = False
) -> tuple[dict[str, StageStatus], Queue]:
    """Return how stages stand, by key, and what Slurm said; the queue is empty where it was not asked.

    Args:
        store: what is asked about.
        inputs: key of a stage -> keys of its inputs; inputs before users.
        ask: whether Slurm is asked even if no stage was submitted to it.
    """
    answer = SlurmAnswer(store, inputs, ask=ask)
    return stage_statuses(store, inputs, answer.status), answer.queue


def inputs_of(campaign: Campaign) -> dict[str, Collection[str]]:
    """Return the stages of a campaign with their inputs, as ``survey`` takes them."""
    return {key: campaign.job(key).inputs.values() for key in campaign.stages}


def attainable(
    inputs: Mapping[str, Collection[str]],
    stages: Mapping[str, StageStatus],
    accepted: Callable[[str, StageStatus], bool],
) -> list[str]:
    """Return the stages that nobody makes and that can be made, inputs before users.

    Args:
        inputs: as for ``survey``.
        stages: how they stand.
        accepted: whether a stage that is not complete may be made; what rests on one that may not cannot be made.
    """
    lost: set[str] = set()
    found = []
    for key, needed in inputs.items():
        if stages[key].state in {"done", "queued", "running"}:
            continue
        if accepted(key, stages[key]) and lost.isdisjoint(needed):
            found.append(key)
        else:
            lost.add(key)
    return found


def recoverable(
    campaign: Campaign, inputs: Mapping[str, Collection[str]], stages: Mapping[str, StageStatus]
) -> list[str]:
    """Return the stages that are to be made again, inputs before users; each is submitted ``retries`` times more.

    Args:
        campaign: what was submitted at once.
        inputs: as of ``inputs_of``.
        stages: how they stand.
    """
    rounds = campaign.rounds()

    def accepted(key: str, stage: StageStatus) -> bool:
        times = sum(key in made.tasks for made in rounds)
        return not (_final(stage) or times > campaign.cluster.retries or _worn_out(campaign, key))

    return attainable(inputs, stages, accepted)


def _final(stage: StageStatus) -> bool:
    """Return whether a stage stands as its user or its own function has left it."""
    return stage.state == "cancelled" or (stage.state == "failed" and not stage.by_machine)


def _worn_out(campaign: Campaign, key: str) -> bool:
    return setbacks(campaign.store, key).faults > campaign.cluster.retries


class SlurmAnswer:
    """What Slurm answered about the jobs of some stages: a ``QueueAnswer``.

    Args:
        store: where the stages are.
        keys: the stages.
        ask: whether Slurm is asked even if no stage was submitted to it.
    """

    def __init__(self, store: Store, keys: Iterable[str], *, ask: bool = False) -> None:
        self._store = store
        entries = ((key, queued(store, key)) for key in keys if not store.find(key))
        self._entries = {key: entry for key, entry in entries if entry}
        self.queue = look() if self._entries or ask else Queue()
        self._past = self._asked_of_accounting()

    @property
    def silence(self) -> str:
        return self.queue.silence

    def status(self, key: str) -> StageStatus | None:
        entry, job = self._entries.get(key), self._job(key)
        base = StageStatus("lost", entry.job, campaign=entry.campaign, detail=_end(job)) if entry else None
        if base and job and job.alive:
            return base._replace(state="queued" if job.waiting else "running", detail=job.reason, node=job.node)
        newer = queued(self._store, key)
        if newer and newer != entry:  # submitted since Slurm was asked
            return StageStatus("queued", newer.job, campaign=newer.campaign)
        if base and self.silence:
            return base._replace(state="queued", detail=f"as far as is known: {self.silence}")
        return base._replace(state="cancelled") if base and job and job.by_hand else base

    def campaigns(self) -> list[CampaignStatus]:
        names = sorted({entry.campaign for entry in self._entries.values()})
        return [self._status(name) for name in names]

    def _status(self, name: str) -> CampaignStatus:
        try:
            campaign = load(folder_of_campaigns(self._store) / name)
        except BenchmarkError as error:
            return CampaignStatus(name, error=str(error))
        made = campaign.rounds()
        jobs = [job for job in self.queue.jobs.values() if owner(job.name) == name]
        return CampaignStatus(
            name,
            user=campaign.user,
            host=campaign.host,
            command=campaign.command,
            rounds=len(made),
            at_work=None if self.silence else any(job.alive for job in jobs),
            stuck=any(job.stuck for job in jobs),
            error=made[-1].error if made else "",
        )

    def _asked_of_accounting(self) -> Mapping[str, QueuedJob]:
        """Return the jobs that Slurm's controller has forgotten, of stages that are not complete."""
        if self.silence:
            return {}
        forgotten = (key for key, entry in self._entries.items() if not _ours(self.queue.jobs.get(entry.job), entry))
        return past({self._entries[key].job for key in forgotten if not self._store.find(key)})

    def _job(self, key: str) -> QueuedJob | None:
        """Return what Slurm says of the job that is to make a stage; nothing of another one with its number."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        known = (jobs.get(entry.job) for jobs in (self.queue.jobs, self._past))
        return next((job for job in known if _ours(job, entry)), None)


def _ours(job: QueuedJob | None, entry: Queued) -> bool:
    return job is not None and owner(job.name) == entry.campaign


def _end(job: QueuedJob | None) -> str:
    return f"Slurm: {job.state}" + (f" ({job.reason})" if job.reason else "") if job else ""


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
