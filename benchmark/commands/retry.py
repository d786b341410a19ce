"""``retry``: submit again what a campaign still lacks, or run again what ran here, with the code as it is now."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import click

from benchmark.commands.again import LastRun, last_run
from benchmark.commands.options import store_option
from benchmark.commands.targets import Targets, targets
from benchmark.errors import BenchmarkError, Exit
from benchmark.execute.cluster.campaign import Campaign, campaigns, owner
from benchmark.execute.cluster.code import freeze
from benchmark.execute.cluster.preview import overview
from benchmark.execute.cluster.queue import look
from benchmark.execute.cluster.rounds import Round
from benchmark.execute.cluster.slurm import ask
from benchmark.execute.cluster.standing import Standing, attainable, inputs_of, survey
from benchmark.execute.cluster.submit import submit_round
from benchmark.store import Store
from benchmark.wording import plural


@click.command()
@click.argument("what", nargs=-1, metavar="[CAMPAIGN|KEY|JOB]...")
@store_option
@click.option("--failed", is_flag=True, help="Also stages that failed by themselves, once the reason is gone.")
def command(*, what: tuple[str, ...], store: Path, failed: bool) -> int:
    """Submit again what campaigns lack: stages lost with machines or jobs, and what rests on them.

    Without names this is done for the last campaign that lacks something, and cancelled stages stay cancelled. Stages
    that are named are submitted however they ended. Where the last `run` was one of this machine, or made the named
    stage, it is called again as it was, and makes all that it lacks.
    """
    kept = Store(store)
    named = targets(kept, what)
    known = campaigns(kept)
    last = last_run(kept)
    if last and _ran_here(last, known, named):
        return last.repeat()
    if not known:
        raise BenchmarkError(f"store {store} has no campaign; the `run` command that made it goes on from what exists.")
    of_stages = _of_stages(known, named.keys)
    whole = named.campaigns if what else _last_incomplete(known)
    released = _release([*whole, *of_stages])
    rounds = [_submitted(one, (), failed=failed, cancelled=bool(what)) for one in whole]
    rounds += [_submitted(one, named.keys, failed=failed, cancelled=False) for one in of_stages]
    if not any(rounds) and not released:
        click.echo("nothing to submit again; `status` shows what failed, `retry --failed` takes that up.", err=True)
        return Exit.NOTHING
    return Exit.INCOMPLETE if any(made and made.error for made in rounds) else Exit.OK


def _ran_here(last: LastRun, known: Sequence[Campaign], named: Targets) -> bool:
    """Return whether what is meant was last made on this machine."""
    if named.keys and not named.campaigns:
        return not any(key in campaign.stages for campaign in known for key in named.keys)
    return not named.campaigns and (not known or last.began > known[-1].created)


def _last_incomplete(known: Sequence[Campaign]) -> list[Campaign]:
    incomplete = [one for one in known if not all(map(one.store.find, one.stages))]
    return incomplete[-1:]


def _release(chosen: Sequence[Campaign]) -> list[str]:
    """Let go the jobs that Slurm holds because a node could not start them; return them."""
    ids = {campaign.id for campaign in chosen}
    jobs = look().jobs.values() if ids else ()
    stuck = [job.id for job in jobs if job.stuck and owner(job.name) in ids]
    if stuck:
        answer = ask("scontrol", "release", ",".join(stuck))
        remark = f"could not be released: {answer.error}" if answer.error else "released: a node had failed to start it"
        click.echo(f"{', '.join(stuck)} {remark}", err=True)
    return stuck


def _of_stages(known: Sequence[Campaign], keys: Sequence[str]) -> list[Campaign]:
    """Return the last campaign of each stage. Raises BenchmarkError for a stage that was never submitted."""
    found = {}
    for key in keys:
        last = next((campaign for campaign in reversed(known) if key in campaign.stages), None)
        if last is None:
            raise BenchmarkError(f"stage {key[:12]} belongs to no campaign; the `run` command that began it goes on.")
        found[last.id] = last
    return list(found.values())


def _submitted(campaign: Campaign, keys: Sequence[str], *, failed: bool, cancelled: bool) -> Round | None:
    """Submit what a campaign lacks, of the named stages if there are any, and say so; ``None`` for nothing."""
    inputs = inputs_of(campaign)
    stages = survey(campaign.store, inputs).stages
    meant = _related(inputs, keys)

    def accepted(key: str, stage: Standing) -> bool:
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
    made = submit_round(campaign, wanted, code=code)
    click.echo(
        f"round {made.number} of campaign {campaign.id}: {len(made.tasks)} of {plural(len(inputs), 'stage')} submitted"
    )
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
