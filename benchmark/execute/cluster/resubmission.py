"""Submitting again by hand what a campaign lacks."""

from collections.abc import Collection, Mapping, Sequence

import click

from benchmark.errors import Exit
from benchmark.execute.campaigns import HandedOver
from benchmark.execute.cluster.campaign import Campaign, owner
from benchmark.execute.cluster.code import freeze
from benchmark.execute.cluster.keeper import CampaignMonitor
from benchmark.execute.cluster.preview import overview
from benchmark.execute.cluster.queue import ask, look
from benchmark.execute.cluster.rounds import Round
from benchmark.execute.cluster.submit import submit_round
from benchmark.execute.cluster.survey import attainable, inputs_of, survey
from benchmark.execute.stage_status import StageStatus


def resubmit(campaign: Campaign, keys: Sequence[str], *, failed: bool, cancelled: bool) -> HandedOver | None:
    """Do what ``CampaignManager.retry`` promises; jobs that Slurm holds after a node failed to start them are let go.

    Raises BenchmarkError where Slurm takes nothing.
    """
    released = _release(campaign)
    made = _submitted(campaign, keys, failed=failed, cancelled=cancelled)
    if made is None:
        return HandedOver(len(released)) if released else None
    return HandedOver(len(made.tasks), Exit.INCOMPLETE if made.error else Exit.OK)


def _release(campaign: Campaign) -> list[str]:
    """Let go the jobs that Slurm holds because a node could not start them; return them."""
    stuck = [job.id for job in look().jobs.values() if job.stuck and owner(job.name) == campaign.id]
    if stuck:
        answer = ask("scontrol", "release", ",".join(stuck))
        remark = f"could not be released: {answer.error}" if answer.error else "released: a node had failed to start it"
        click.echo(f"{', '.join(stuck)} {remark}", err=True)
    return stuck


def _submitted(campaign: Campaign, keys: Sequence[str], *, failed: bool, cancelled: bool) -> Round | None:
    """Submit what a campaign lacks, of the named stages if there are any, and say so; ``None`` for nothing."""
    inputs = inputs_of(campaign)
    stages, _ = survey(campaign.store, inputs)
    meant = _related(inputs, keys)

    def accepted(key: str, stage: StageStatus) -> bool:
        if key in meant:
            return True
        own_end = (stage.state == "failed" and not stage.by_machine and not failed) or (
            stage.state == "cancelled" and not cancelled
        )
        return not meant and not own_end

    wanted = attainable(inputs, stages, accepted)
    if not wanted:
        return None
    jobs = {key: campaign.job(key) for key in wanted}
    code = freeze(campaign.store, [job.function for job in jobs.values()]).folder
    made = submit_round(campaign, wanted, CampaignMonitor(str(campaign.folder)), code=code)
    click.echo(f"round {made.number} of campaign {campaign.id}: {len(made.tasks)} of {len(inputs)} stages submitted")
    click.echo("\n".join(overview(made, jobs)), err=True)
    if made.error:
        click.echo(f"the others were not: {made.error}", err=True)
    return made


def _related(inputs: Mapping[str, Collection[str]], keys: Collection[str]) -> set[str]:
    """Return stages with all that they need and all that rests on them; ``inputs`` has inputs before users."""
    needed, resting = set(keys), set(keys)
    for key in reversed(list(inputs)):
        if key in needed:
            needed.update(inputs[key])
    for key, parents in inputs.items():
        if not resting.isdisjoint(parents):
            resting.add(key)
    return needed | resting
