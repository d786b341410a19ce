"""Taking campaigns and single stages out of Slurm's queue."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

from benchmark.errors import BenchmarkError
from benchmark.execute.campaigns import Cancelled
from benchmark.execute.cluster.campaign import Campaign, campaigns, folder_of_campaigns, owner
from benchmark.execute.cluster.queue import Queue, Queued, QueuedJob, ask, look, queued
from benchmark.execute.stage_status import mark_cancelled
from benchmark.store import Store

AT_ONCE = 500  # jobs in one command


def cancel(store: Store, ids: Sequence[str] | None, keys: Sequence[str]) -> Cancelled:
    """Cancel campaigns (``None``: all of them) and single stages, as ``CampaignManager.cancel`` promises.

    Raises BenchmarkError where Slurm does not answer, so that nothing was cancelled, or refuses.
    """
    with _not_while_submitting(store):
        meant = [campaign for campaign in campaigns(store) if ids is None or campaign.id in ids]
        of_campaigns = [key for campaign in meant for key in campaign.stages if _makes(store, campaign, key)]
        stages = [key for key in dict.fromkeys([*of_campaigns, *keys]) if not store.find(key)]
        entries = {key: entry for key in stages if (entry := queued(store, key))}
        queue = look() if entries else Queue()
        if queue.silence:
            raise BenchmarkError(f"Slurm does not answer, so nothing was cancelled: {queue.silence}.")
        with store.writing():
            for key in stages:  # marked before any job sees its neighbours vanish
                if key in entries or any(key in campaign.stages for campaign in meant):
                    mark_cancelled(store, key)
        return Cancelled(_cancel_jobs(list(_living(queue, meant, entries.values()))), stages)


def _not_while_submitting(store: Store) -> AbstractContextManager[None]:
    """Wait for a process that submits, and keep others from it, so that no half of a round escapes."""
    if not folder_of_campaigns(store).is_dir():
        return nullcontext()
    from benchmark.execute.cluster.submit import submitting

    return submitting(store)


def _makes(store: Store, campaign: Campaign, key: str) -> bool:
    """Return whether a stage of a campaign is not made by a job of another one."""
    entry = queued(store, key)
    return entry is None or entry.campaign == campaign.id


def _living(queue: Queue, meant: Sequence[Campaign], entries: Iterable[Queued]) -> Iterator[QueuedJob]:
    """Yield the living jobs of the campaigns, their monitors too, and of single stages."""
    ids = {campaign.id for campaign in meant}
    of_stages = {(entry.job, entry.campaign) for entry in entries}
    for job in queue.jobs.values():
        campaign = owner(job.name)
        if job.alive and campaign and (campaign in ids or (job.id, campaign) in of_stages):
            yield job


def _cancel_jobs(jobs: Sequence[QueuedJob]) -> int:
    """Cancel jobs, each with its state saved first, and return how many. Raises BenchmarkError where Slurm refuses."""
    ids = [job.id for job in jobs]
    for start in range(0, len(ids), AT_ONCE):
        answer = ask("scancel", *ids[start : start + AT_ONCE])
        if answer.error:
            raise BenchmarkError(f"not all jobs could be cancelled: {answer.error}; try again.")
    return len(ids)
