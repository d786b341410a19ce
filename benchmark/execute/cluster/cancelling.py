"""Taking campaigns and single stages out of Slurm's queue."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from benchmark.errors import BenchmarkError
from benchmark.execute.cluster.campaign import Campaign, campaigns, folder_of_campaigns, owner
from benchmark.execute.cluster.queue import Queue, QueuedJob, ask, look, queued
from benchmark.execute.executors import Cancelled
from benchmark.execute.stage_status import mark_cancelled
from benchmark.store import Store

AT_ONCE = 500  # jobs in one command


def cancel(store: Store, ids: Sequence[str] | None, keys: Sequence[str]) -> Cancelled:
    """Cancel campaigns (``None``: all of them) and single stages; the arguments are those of ``CampaignManager``.

    Raises BenchmarkError where Slurm does not answer, so that nothing was cancelled, or refuses.
    """
    with _not_while_submitting(store):
        chosen = _Chosen(store, ids, keys)
        with store.writing():
            chosen.mark()
        return Cancelled(_cancel_jobs(chosen.jobs()), chosen.keys)


def _not_while_submitting(store: Store) -> AbstractContextManager[None]:
    """Wait for a process that submits, and keep others from it, so that no half of a round escapes."""
    if not folder_of_campaigns(store).is_dir():
        return nullcontext()
    from benchmark.execute.cluster.submit import submitting

    return submitting(store)


class _Chosen:
    """The campaigns and stages that are meant, and what Slurm has of them."""

    def __init__(self, store: Store, ids: Sequence[str] | None, keys: Sequence[str]) -> None:
        self._store = store
        known = campaigns(store)
        self._campaigns = known if ids is None else [one for one in known if one.id in ids]
        of_campaigns = [key for one in self._campaigns for key in one.stages if self._theirs(key, one)]
        self.keys = [key for key in dict.fromkeys([*of_campaigns, *keys]) if not store.find(key)]
        submitted = any(queued(store, key) for key in self.keys)
        self._queue = look() if submitted else Queue()
        if self._queue.silence:
            raise BenchmarkError(f"Slurm does not answer, so nothing was cancelled: {self._queue.silence}.")

    def mark(self) -> None:
        """Note that the stages are cancelled on purpose, before any job sees its neighbours vanish."""
        for key in self.keys:
            if queued(self._store, key) or any(key in campaign.stages for campaign in self._campaigns):
                mark_cancelled(self._store, key)

    def jobs(self) -> list[QueuedJob]:
        """Return the living jobs of the campaigns, their monitors too, and of the single stages."""
        ids = {campaign.id for campaign in self._campaigns}
        wanted = {entry.job: entry.campaign for key in self.keys if (entry := queued(self._store, key))}
        jobs = (job for job in self._queue.jobs.values() if job.alive and owner(job.name))
        return [job for job in jobs if owner(job.name) in ids or wanted.get(job.id) == owner(job.name)]

    def _theirs(self, key: str, campaign: Campaign) -> bool:
        """Return whether a stage of a campaign is not made by a job of another one."""
        entry = queued(self._store, key)
        return entry is None or entry.campaign == campaign.id


def _cancel_jobs(jobs: Sequence[QueuedJob]) -> int:
    """Cancel jobs, each with its state saved first, and return how many. Raises BenchmarkError where Slurm refuses."""
    ids = [job.id for job in jobs]
    for start in range(0, len(ids), AT_ONCE):
        answer = ask("scancel", *ids[start : start + AT_ONCE])
        if answer.error:
            raise BenchmarkError(f"not all jobs could be cancelled: {answer.error}; try again.")
    return len(ids)
