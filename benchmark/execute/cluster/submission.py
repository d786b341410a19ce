"""What ``run --executor slurm`` does: freeze the code, write a campaign, hand it to Slurm, say how to look at it."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from benchmark.errors import BenchmarkError, Exit
from benchmark.execute.campaigns import HandedOver
from benchmark.execute.cluster.campaign import Campaign, described, write
from benchmark.execute.cluster.cluster_file import DEFAULT, MONITOR, ClusterFile
from benchmark.execute.cluster.code import Frozen, expected, freeze
from benchmark.execute.cluster.keeper import CampaignMonitor
from benchmark.execute.cluster.preview import overview, preview
from benchmark.execute.cluster.rounds import Round
from benchmark.execute.cluster.submit import submit_round
from benchmark.execute.cluster.watch import watch
from benchmark.execute.display import display
from benchmark.execute.executors import RunRequest
from benchmark.execute.messages import Job
from benchmark.execute.session import Session, job_of
from benchmark.program import program
from benchmark.store import Store
from benchmark.tracking import mirrored
from benchmark.tracking.server import over_http, public, tracking_uri
from benchmark.wording import plural


@dataclass(frozen=True)
class SlurmRun:
    """The configured executor: what to ask of Slurm, and whether to wait for the jobs."""

    cluster: ClusterFile
    wait: bool
    workers: None = None  # as many as Slurm lets run
    again: None = None  # campaigns serve ``retry``

    def preview(self, request: RunRequest) -> str:
        return previewed(request, self.cluster)

    def make(self, request: RunRequest) -> Session | HandedOver:
        campaign, made = submitted(request, self.cluster)
        if not self.wait:
            return HandedOver(len(made.tasks), Exit.INCOMPLETE if made.error else Exit.OK)
        session = awaited(request, campaign)
        if session.interrupted:
            click.echo("no longer waiting; the jobs go on.", err=True)
            return HandedOver(len(made.tasks), Exit.INTERRUPTED)
        return session


def previewed(request: RunRequest, cluster: ClusterFile) -> str:
    """Return what ``submitted`` would hand to Slurm; touches nothing."""
    _check_place(request.store)
    jobs = _jobs(request)
    frozen = expected(request.store, _functions(jobs))
    campaign = _campaign(request, jobs, cluster, frozen.folder)
    head = f"would submit {_stages(len(jobs))} with {_size(frozen)} of code, which would be kept in {frozen.folder}"
    return "\n".join([head, *_unused(jobs, cluster), preview(campaign, {job.key: job for job in jobs})])


def submitted(request: RunRequest, cluster: ClusterFile) -> tuple[Campaign, Round]:
    """Submit all stages of a plan that are not complete, and say so: the campaign on stdout, the rest on stderr.

    Raises:
        BenchmarkError: nothing could be submitted; nothing but the frozen code is left in the store then.
    """
    store, jobs = request.store, _jobs(request)
    _check_place(store)
    store.check_writable()
    frozen = freeze(store, _functions(jobs))
    campaign = _campaign(request, jobs, cluster, frozen.folder)
    with store.writing():
        write(campaign, jobs)
        try:
            made = submit_round(campaign, campaign.stages, CampaignMonitor(str(campaign.folder)))
        except BenchmarkError:
            shutil.rmtree(campaign.folder, ignore_errors=True)
            raise
    click.echo(campaign.id)
    lines = [] if request.quiet else [*_unused(jobs, cluster), *_told(campaign, made, jobs, frozen)]
    click.echo("\n".join([*lines, *_refused(campaign, made, jobs)]), err=True, nl=bool(lines or made.error))
    return campaign, made


def awaited(request: RunRequest, campaign: Campaign) -> Session:
    """Show what becomes of a campaign until its jobs have ended. Ctrl-C leaves them alone."""
    stages = [stage for stage in request.plan.stages if stage.key in campaign.stages]  # fast ones are complete by now
    shown = display(stages, len(stages), quiet=request.quiet)
    by_hand = request.mlflow and not over_http(tracking_uri(campaign.root))  # else the jobs themselves tell it
    try:
        with mirrored(campaign.store, switched_on=by_hand) as mirrors:
            return watch(campaign, [shown, *mirrors])
    finally:
        shown.close()


def _jobs(request: RunRequest) -> list[Job]:
    return [job_of(stage, request.plan, request.store) for stage in request.plan.pending(request.store)]


def _check_place(store: Store) -> None:
    """Raise BenchmarkError for a path in which Slurm or bash would read something else."""
    path = str(store.root.absolute())
    if "%" in path or "\n" in path:
        raise BenchmarkError(
            f"{path!r} cannot be written into a script for Slurm, where % and line breaks mean something else; "
            f"choose another folder with --store."
        )


def _functions(jobs: Sequence[Job]) -> list[str]:
    return [job.function for job in jobs]


def _campaign(request: RunRequest, jobs: Sequence[Job], cluster: ClusterFile, code: Path) -> Campaign:
    return described(
        request.store,
        jobs,
        cluster=cluster,
        code=code,
        command=["python", "-m", "benchmark", *sys.argv[1:]],
        tables=request.tables,
        selection=request.selection,
        tracking=public(tracking_uri(request.store.root)) if request.mlflow else None,
    )


def _told(campaign: Campaign, made: Round, jobs: Sequence[Job], frozen: Frozen) -> Iterator[str]:
    count = len(made.tasks)
    yield (
        f"submitted {_stages(count)} in {plural(len(made.arrays), 'array')} as campaign {campaign.id}"
        f"; they run {_size(frozen)} of code as it is now ({frozen.folder})"
    )
    yield from overview(made, {job.key: job for job in jobs})
    others = len(jobs) - count - len(made.left)
    if others and not made.error:
        yield f"  {_stages(others)} that jobs of other campaigns make already are waited for"
    yield f"look:    {program()} status, logs KEY, cancel, retry (with the same --store), or squeue --me"
    if campaign.tracking is not None and not over_http(campaign.tracking):
        yield "MLflow:  jobs tell only a server (MLFLOW_TRACKING_URI=http://...); `sync` sends what they have made"


def _refused(campaign: Campaign, made: Round, jobs: Sequence[Job]) -> Iterator[str]:
    if made.error:
        missing = len(jobs) - len(made.tasks) - len(made.left)
        yield f"only a part was submitted, {_stages(missing)} were not: {made.error}"
        yield f"What is in the queue goes on; `{program()} retry {campaign.id}` submits the rest."


def _unused(jobs: Sequence[Job], cluster: ClusterFile) -> Iterator[str]:
    """Name the classes of the cluster file that serve no stage: one of them may be misspelled."""
    unused = set(cluster.resources) - {job.kind for job in jobs} - {DEFAULT, MONITOR}
    if unused:
        kinds = ", ".join(sorted({job.kind for job in jobs}))
        yield f"note: no stage here is of class {', '.join(sorted(unused))}; kinds of stages: {kinds}"


def _stages(count: int) -> str:
    return plural(count, "stage")


def _size(frozen: Frozen) -> str:
    return f"{frozen.size / 1e6:.1f} MB"
