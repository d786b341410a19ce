"""The campaign monitor, the last job of a round: it hands to Slurm what machines have lost, or writes the tables.

A stage that failed by itself, or was cancelled, is left alone with all that rests on it: ``retry`` takes it up.
"""

import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from benchmark.errors import BenchmarkError
from benchmark.execute.cluster.campaign import Campaign, load
from benchmark.execute.cluster.own_job import noticing
from benchmark.execute.cluster.rounds import Round
from benchmark.execute.cluster.submit import submit_round
from benchmark.execute.cluster.survey import by_machine, inputs_of, recoverable, survey
from benchmark.execute.cluster.task import say
from benchmark.execute.stage_status import StageStatus
from benchmark.wording import plural

PATIENCE = 600.0  # seconds that a controller which is away has to come back
PAUSE = 10.0  # seconds between two questions


class CampaignMonitor:
    """The callable of the job that looks after a campaign once the others of its round have ended.

    Args:
        campaign: folder of the campaign.
    """

    def __init__(self, campaign: str) -> None:
        self.campaign = campaign

    def __call__(self) -> None:
        """Begin another round, or end the campaign."""
        with noticing():  # it is quick: a warning of the time limit should not stop it
            keep(load(Path(self.campaign)))


Keeper = CampaignMonitor  # what the pickles of older jobs name


def keep(campaign: Campaign) -> None:
    """Submit what is missing and may yet be made; write the tables if nothing is and nobody works on the rest.

    Raises BenchmarkError where Slurm refuses a new round; ``retry`` submits it later.
    """
    inputs = inputs_of(campaign)
    stages = _seen(campaign, inputs)
    wanted = recoverable(campaign, inputs, stages)
    if wanted:
        made = _next_round(campaign, wanted)
        say(f"round {made.number} of campaign {campaign.id}: {plural(len(made.tasks), 'stage')} submitted again")
        if made.error:
            say(f"the others were not: {made.error}")
        return
    if any(stage.state in {"queued", "running"} for stage in stages.values()):
        say("other jobs are at work on what is missing; the campaign monitor of their round goes on")
        return
    for key, stage in stages.items():
        if stage.state != "done":
            say(f"{stage.state}: {campaign.job(key).name} [{key[:8]}]" + (f": {stage.detail}" if stage.detail else ""))
    _write_tables(campaign)


def _seen(campaign: Campaign, inputs: Mapping[str, Collection[str]]) -> dict[str, StageStatus]:
    """Return how stages stand, once Slurm answers: nobody would ask again after this job."""
    end = time.monotonic() + PATIENCE
    while True:
        stages, queue = survey(campaign.store, inputs, ask=True)
        if not queue.silence or time.monotonic() > end:
            return stages
        time.sleep(PAUSE)


def _next_round(campaign: Campaign, wanted: list[str]) -> Round:
    code = campaign.rounds()[-1].code
    avoided = set(_bad_nodes(campaign, wanted))
    monitor = CampaignMonitor(str(campaign.folder))
    try:
        return submit_round(campaign, wanted, monitor, code=code, exclude=avoided)
    except BenchmarkError:
        if not avoided:
            raise
        return submit_round(campaign, wanted, monitor, code=code)  # perhaps there are no others


def _bad_nodes(campaign: Campaign, keys: list[str]) -> Iterator[str]:
    """Yield the nodes on which stages that are not complete have died; of several nobody knows which one it was."""
    for key in keys:
        shared = campaign.cluster.resources[campaign.cluster.class_of(campaign.job(key).kind)].nodes > 1
        for record in campaign.store.attempts(key):
            if by_machine(record) and record.get("node") and not shared:
                yield record["node"]


def _write_tables(campaign: Campaign) -> None:
    """Write the tables where ``run`` would: from the folder it was called in, as settings may name files there."""
    say(f"nothing more to make; the tables of campaign {campaign.id}:")
    command = [sys.executable, "-P", "-m", "benchmark", "table", ",".join(campaign.tables), *campaign.selection]
    there = campaign.directory if campaign.directory.is_dir() else None
    subprocess.run(command, cwd=there, stdin=subprocess.DEVNULL, check=False)
