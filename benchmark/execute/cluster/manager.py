"""The campaigns that Slurm was handed, for ``status``, ``logs``, ``cancel`` and ``retry`` in any later shell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.execute.campaigns import Cancelled, HandedOver
from benchmark.execute.cluster.campaign import Campaign, campaigns, folder_of_campaigns, load
from benchmark.execute.cluster.cancelling import cancel
from benchmark.execute.cluster.queue import queued
from benchmark.execute.cluster.survey import SlurmAnswer, job_logs
from benchmark.store import Store


@dataclass(frozen=True)
class SlurmCampaigns:
    """A ``CampaignManager``."""

    store: Store
    title: str = "Slurm"

    def campaigns(self) -> list[Campaign]:
        return campaigns(self.store)

    def job(self, key: str) -> str:
        entry = queued(self.store, key)
        return entry.job if entry else ""

    def ask(self, keys: Iterable[str]) -> SlurmAnswer:
        return SlurmAnswer(self.store, keys)

    def logs(self, key: str) -> list[Path]:
        return [path for campaign in self.campaigns() if key in campaign.stages for path in job_logs(campaign, key)]

    def cancel(self, campaigns: Sequence[str] | None, keys: Sequence[str]) -> Cancelled:
        return cancel(self.store, campaigns, keys)

    def retry(self, campaign: str, keys: Sequence[str], *, failed: bool, cancelled: bool) -> HandedOver | None:
        from benchmark.execute.cluster.resubmission import resubmit  # with submitit, which `status` does without

        kept = load(folder_of_campaigns(self.store) / campaign)
        return resubmit(kept, keys, failed=failed, cancelled=cancelled)
