"""Rounds in words: what was handed to Slurm; and with the very scripts what would be, which touches nothing."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping

from benchmark.errors import BenchmarkError
from benchmark.execute.cluster.arrange import largest_array, submission_plan
from benchmark.execute.cluster.campaign import Campaign
from benchmark.execute.cluster.cluster_file import MONITOR
from benchmark.execute.cluster.queue import look
from benchmark.execute.cluster.rounds import Round
from benchmark.execute.cluster.submit import array_of, awaited, monitor_request, request
from benchmark.execute.messages import Job

USUAL_LARGEST = 1001  # elements of an array, where Slurm does not say


def overview(made: Round, jobs: Mapping[str, Job]) -> Iterator[str]:
    """Yield a line for each array of a round, and for its monitor."""
    width = max((len(array.id) for array in made.arrays), default=0)
    for array in made.arrays:
        kinds = Counter(jobs[key].kind for key in array.keys)
        parts = [", ".join(f"{count} {kind}" for kind, count in kinds.items())]
        if array.parallel is not None:
            parts.append(f"{array.parallel} at a time")
        if array.after:
            parts.append(f"after {', '.join(array.after)}")
        yield f"  {array.id:{width}}  {'; '.join(parts)}"
    if made.monitor:
        yield f"  {made.monitor:{width}}  looks after them: starts again what machines have lost, writes the tables"
    if made.left:
        yield f"  {len(made.left)} more for which there is no room in the queue now; they follow by themselves"


def preview(campaign: Campaign, jobs: Mapping[str, Job]) -> str:
    """Return what ``submit_round`` would hand to Slurm for a campaign that is not written yet.

    The numbers that Slurm will give are written ``ARRAY1``, ``ARRAY2``, ...
    """
    largest, remark = _largest(campaign)
    what = submission_plan(campaign, jobs, look(), largest)
    made = Round(1, campaign.folder / "rounds" / "1", campaign.code, campaign.created, left=what.left)
    scripts = []
    for batch in what.batches:
        asked = request(campaign, made, batch, [array.id for array in made.arrays], ())
        array = array_of(f"ARRAY{len(made.arrays) + 1}", asked, batch)
        scripts.append(f"### {array.id}\n{asked.script(len(batch.jobs))}")
        made = dataclasses.replace(made, arrays=(*made.arrays, array))
    scripts.append(f"### {MONITOR.upper()}\n{monitor_request(campaign, made, awaited(made, what), ()).script(1)}")
    made = dataclasses.replace(made, monitor=MONITOR.upper())
    return "\n".join([*remark, *overview(made, jobs), "", *scripts])


def _largest(campaign: Campaign) -> tuple[int, list[str]]:
    """Return how many elements an array may have, and what must be said of that."""
    if campaign.cluster.max_array_size is not None:
        return campaign.cluster.max_array_size, []
    try:
        return largest_array(), []
    except BenchmarkError as error:
        return USUAL_LARGEST, [f"{error} Assumed here: {USUAL_LARGEST}, Slurm's default."]
