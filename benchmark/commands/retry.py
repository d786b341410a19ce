"""``retry``: hand over again what a campaign still lacks, or run again what ran here, with the code as it is now."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from benchmark.arithmetic import choose
from benchmark.errors import BenchmarkError, Exit
from benchmark.execute.executors import KeptCampaign, campaigns
from benchmark.ranks import refuse_rival_runners
from benchmark.selection.last_run import LastRun, last_run
from benchmark.selection.options import store_option
from benchmark.selection.targets import Targets, targets
from benchmark.store import Store


@click.command()
@click.argument("what", nargs=-1, metavar="[CAMPAIGN|KEY|JOB]...")
@store_option
@click.option("--failed", is_flag=True, help="Also stages that failed by themselves, once the reason is gone.")
@click.pass_context
def command(context: click.Context, *, what: tuple[str, ...], store: Path, failed: bool) -> int:
    """Submit again what campaigns lack: stages lost with machines or jobs, and what rests on them.

    Without names this is done for every campaign that lacks something, and cancelled stages stay cancelled. Stages
    that are named are submitted however they ended. Where the last `run` was one of this machine, or made the named
    stage, it is called again as it was, and makes all that it lacks.
    """
    refuse_rival_runners()
    kept = Store(store)
    named = targets(kept, what)
    known = campaigns(kept)
    last = last_run(kept)
    if last and _ran_here(last, known, named):
        return _repeated(last, context)
    if not known:
        raise BenchmarkError(f"store {store} has no campaign; the `run` command that made it goes on from what exists.")
    of_stages = _of_stages(known, named.keys)
    whole = named.campaigns if what else _incomplete(known, kept)
    handed = [one.manager.retry(one.campaign.id, (), failed=failed, cancelled=bool(what)) for one in whole]
    handed += [one.manager.retry(one.campaign.id, named.keys, failed=failed, cancelled=False) for one in of_stages]
    codes = [one.code for one in handed if one]
    if not codes:
        click.echo("nothing to submit again; `status` shows what failed, `retry --failed` takes that up.", err=True)
        return Exit.NOTHING
    return max(codes)


def _ran_here(last: LastRun, known: Sequence[KeptCampaign], named: Targets) -> bool:
    """Return whether what is meant was last made by a run that stayed until it was."""
    if named.keys and not named.campaigns:
        return not any(key in one.campaign.stages for one in known for key in named.keys)
    return not named.campaigns and (not known or last.began > known[-1].campaign.created)


def _repeated(last: LastRun, context: click.Context) -> int:
    """Call the last run again in this process and return its exit code."""
    click.echo(f"python -m benchmark run {shlex.join(last.arguments)}", err=True)
    choose(last.arithmetic)
    if Path(last.directory).is_dir():
        os.chdir(last.directory)
    verbs = context.find_root().command
    run = verbs.get_command(context, "run") if isinstance(verbs, click.Group) else None
    assert run is not None  # it is a verb as this one is
    code: int = run.main(last.arguments, "python -m benchmark run", standalone_mode=False)
    return code


def _incomplete(known: Sequence[KeptCampaign], store: Store) -> list[KeptCampaign]:
    """Return the campaigns that lack something, the last one first: of a stage that several have its job is the one."""
    return [one for one in reversed(known) if not all(map(store.find, one.campaign.stages))]


def _of_stages(known: Sequence[KeptCampaign], keys: Sequence[str]) -> list[KeptCampaign]:
    """Return the last campaign of each stage. Raises BenchmarkError for a stage that was never submitted."""
    found = {}
    for key in keys:
        last = next((one for one in reversed(known) if key in one.campaign.stages), None)
        if last is None:
            raise BenchmarkError(f"stage {key[:12]} belongs to no campaign; the `run` command that began it goes on.")
        found[last.campaign.id] = last
    return list(found.values())
