"""Submitting: stages become arrays in Slurm's queue, each recorded in the store as soon as Slurm has taken it."""

import dataclasses
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from benchmark.errors import BenchmarkError
from benchmark.execute.cluster.arrange import Batch, SubmissionPlan, TeamLayout, largest_array, ours, submission_plan
from benchmark.execute.cluster.campaign import Campaign, folder_of_campaigns, job_name
from benchmark.execute.cluster.cluster_file import MONITOR
from benchmark.execute.cluster.queue import Queued, look, note
from benchmark.execute.cluster.rounds import Array, Round
from benchmark.execute.cluster.sbatch import Request
from benchmark.execute.cluster.task import StageTask
from benchmark.store import Store

PATIENCE = 600.0  # seconds that another process may take to submit


def submit_round(
    campaign: Campaign,
    keys: Collection[str],
    afterwards: Callable[[], object],
    *,
    code: Path | None = None,
    exclude: Collection[str] = (),
) -> Round:
    """Hand stages of a campaign to Slurm, with a job that looks after the campaign when they have ended.

    Stages that are complete, or that a living job makes, are left out; the arrays wait for those jobs. Can be called
    from within a job.

    Args:
        campaign: what was submitted at once; must be written.
        keys: its stages that are wanted.
        afterwards: what that job does; it is pickled.
        code: folder of the code to run; that of the campaign where it is not given.
        exclude: nodes to keep away from, beside those of the cluster file.

    Returns:
        What was handed over. Where that is only a part, ``error`` says why.

    Raises:
        BenchmarkError: nothing could be submitted.
    """
    with submitting(campaign.store):
        queue = look()
        if queue.silence:
            raise BenchmarkError(f"Slurm does not answer, so nothing was submitted: {queue.silence}.")
        jobs = {key: campaign.job(key) for key in campaign.stages if key in keys}
        what = submission_plan(campaign, jobs, queue, campaign.cluster.max_array_size or largest_array())
        made = dataclasses.replace(campaign.add_round(code or campaign.code), left=what.left)
        try:
            made = _with_arrays(campaign, made, what, exclude)
            after = awaited(made, what) or (ours(queue) if what.left else [])
            made = _with_monitor(made, monitor_request(campaign, made, after, exclude), afterwards)
        except BenchmarkError:
            shutil.rmtree(made.folder, ignore_errors=True)
            raise
        made.record()
        return made


@contextmanager
def submitting(store: Store) -> Iterator[None]:
    """Hold the lock under which stages are submitted. Raises BenchmarkError where another process keeps it."""
    folder = folder_of_campaigns(store)
    with store.writing():
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=PATIENCE):
            yield
    except Timeout as error:
        raise BenchmarkError(f"another process is submitting to store {store.root}; try again later.") from error


def request(campaign: Campaign, made: Round, batch: Batch, ids: Sequence[str], exclude: Collection[str]) -> Request:
    """Return what Slurm is asked for a batch; ``ids`` are Slurm's numbers of the batches before."""
    return Request(
        name=job_name(campaign.id, batch.resources),
        cluster=campaign.cluster,
        needs=campaign.cluster.resources[batch.resources],
        layout=batch.layout,
        code=made.code,
        folder=made.slurm,
        tracked=campaign.tracking is not None,
        parallel=batch.parallel,
        after=[*(ids[position] for position in batch.after), *batch.after_jobs],
        exclude=exclude,
    )


def monitor_request(campaign: Campaign, made: Round, after: Sequence[str], exclude: Collection[str]) -> Request:
    """Return what Slurm is asked for the job that looks after the campaign when others have ended."""
    return Request(
        name=job_name(campaign.id, MONITOR),
        cluster=campaign.cluster,
        needs=campaign.cluster.monitor,
        layout=TeamLayout(1, 1),
        code=made.code,
        folder=made.slurm,
        tracked=campaign.tracking is not None,
        after=list(dict.fromkeys(job.partition("_")[0] for job in after)),
        exclude=exclude,
    )


def array_of(number: str, asked: Request, batch: Batch) -> Array:
    """Return the record of a batch that Slurm has taken."""
    keys = tuple(job.key for job in batch.jobs)
    return Array(number, asked.name, batch.resources, keys, batch.parallel, tuple(asked.after))


def awaited(made: Round, what: SubmissionPlan) -> list[str]:
    """Return the jobs after which a round is over."""
    return [*(array.id for array in made.arrays), *what.relied.values()]


def _with_arrays(campaign: Campaign, made: Round, what: SubmissionPlan, exclude: Collection[str]) -> Round:
    """Submit the arrays one by one. The first that is refused ends it, and is an error if it is the first of all."""
    for batch in what.batches:
        asked = request(campaign, made, batch, [array.id for array in made.arrays], exclude)
        try:
            array = _submitted(campaign, asked, batch)
        except BenchmarkError as error:
            if not made.arrays:
                raise
            return dataclasses.replace(made, error=str(error))
        made = dataclasses.replace(made, arrays=(*made.arrays, array))
        made.record()
        for key, job in array.tasks.items():
            note(campaign.store, key, Queued(campaign.id, made.number, job, made.submitted))
    return made


def _submitted(campaign: Campaign, asked: Request, batch: Batch) -> Array:
    for job in batch.jobs:
        (campaign.store.work(job.key) / "cancelled.json").unlink(missing_ok=True)
    number = asked.submit([StageTask(str(campaign.folder), job.key) for job in batch.jobs])
    return array_of(number, asked, batch)


def _with_monitor(made: Round, asked: Request, afterwards: Callable[[], object]) -> Round:
    try:
        number = asked.submit([afterwards])
    except BenchmarkError as error:
        if not made.arrays:
            raise
        reason = f"the job that looks after the campaign was refused: {error}"
        return dataclasses.replace(made, error=f"{made.error}\n{reason}".strip())
    return dataclasses.replace(made, monitor=number)
