"""What a job of a campaign does: it makes one stage and sees to it that the stage is not lost.

The job exits with 0 if the stage is done, if a stage that it needs has failed, or if Slurm is to start the job again;
with 1 otherwise. Whatever it says is in the job's log; what counts is in the store.
"""

import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import click

from benchmark.errors import Exit
from benchmark.execute.cluster.campaign import Campaign, load
from benchmark.execute.cluster.own_job import Notice, OwnJob, noticing
from benchmark.execute.cluster.supervisor import Supervisor
from benchmark.execute.cluster.survey import Setbacks, own_error, setbacks
from benchmark.execute.display import line_of
from benchmark.execute.messages import Event, Finished, Job, Progress, Started
from benchmark.execute.records import record_end
from benchmark.execute.scheduler import Observer
from benchmark.wording import plural

VISIBLE = 10.0  # seconds until files that another node has written can be seen on this one
POLL = 1.0
SPARE = 30.0  # seconds before the time limit that are kept for asking Slurm to start the job again
EARLY = 90.0  # seconds by which Slurm's signal may come early
PROGRESS_INTERVAL = 60.0  # seconds


class StageTask:
    """The callable of a job. It is pickled when the job is submitted, so it holds names alone.

    Args:
        campaign: folder of the campaign.
        key: of the stage.
    """

    def __init__(self, campaign: str, key: str) -> None:
        self.campaign, self.key = campaign, key

    def __call__(self) -> None:
        """Make the stage and end this process: there is no result that submitit should keep."""
        with noticing() as notice:
            code = _Work(load(Path(self.campaign)), self.key, OwnJob.from_environment(), notice).run()
        sys.stdout.flush()
        sys.exit(code)


class _Work:
    """One start of a job."""

    def __init__(self, campaign: Campaign, key: str, own: OwnJob, notice: Notice) -> None:
        self._campaign, self._store = campaign, campaign.store
        self._own, self._notice = own, notice
        self._job = campaign.job(key)
        self._class = campaign.cluster.class_of(self._job.kind)

    def run(self) -> int:
        """Make the stage, do what its end asks for, and return the exit code."""
        job = self._job
        say(f"job {self._own.id} on {self._own.node}: {job.name} [{job.key[:8]}], start {self._own.restart + 1}")
        obstacle = self._obstacle()
        if obstacle:
            say(f"blocked: {obstacle}")
            return Exit.OK
        with self._mirrored() as observers:
            end = Supervisor(self._notice, [_Teller(job), *observers], self._patience()).make(job)
            return self._conclude(end)

    def _mirrored(self) -> "AbstractContextManager[Sequence[Observer]]":
        if self._own.member or self._campaign.tracking is None:
            return nullcontext(())
        from benchmark.tracking import mirrored_over_http

        return mirrored_over_http(self._store)

    def _conclude(self, end: Finished) -> int:
        """Return the exit code, having asked Slurm to start the job again where that makes sense."""
        if end.state == "done" or self._own.member:  # the first process of a team speaks for all
            return Exit.OK
        if self._notice.given:
            return self._stopped()
        if end.fault == "stage":
            return Exit.INCOMPLETE
        return self._faulty(end)

    def _stopped(self) -> int:
        """Go on later from what was kept, unless nothing is kept however often the stage is started."""
        cluster = self._campaign.cluster
        limit = cluster.resources[self._class]
        near_limit = time.time() - self._own.began > limit.seconds - cluster.signal_seconds - EARLY
        if near_limit and self._setbacks().stops > cluster.retries:
            return self._too_short(limit.time)
        return self._again("told to stop", 0.0)

    def _too_short(self, limit: str) -> int:
        message = (
            f"the time limit of {limit} is too short: {self._campaign.cluster.retries + 1} starts in a row have kept "
            f"nothing; raise the time of class {self._class} in the cluster file and run again"
        )
        self._record(Finished(self._job.key, "failed", message=message, fault="stage"))
        say(f"failed: {message}")
        return Exit.INCOMPLETE

    def _faulty(self, end: Finished) -> int:
        """Try again later and elsewhere, after a fault that need not be the stage's."""
        cluster = self._campaign.cluster
        if end.state == "interrupted":
            end = end._replace(state="failed", message="stopped by a signal that was not Slurm's", fault="machine")
            self._record(end)
        faults = self._faults()
        if faults > cluster.retries:
            say(f"given up after {plural(faults, 'fault')} in a row: {end.message}")
            return Exit.INCOMPLETE
        return self._again(end.message, cluster.backoff_seconds * 2.0 ** (faults - 1), elsewhere=True)

    def _faults(self) -> int:
        """Return how many starts in a row a machine has failed, this one included."""
        faults = self._setbacks().faults
        if self._own_attempts():
            return max(1, faults)
        return max(faults, self._own.restart) + 1  # it ended before there was an attempt to record

    def _setbacks(self) -> Setbacks:
        """Return those of this job: what was submitted again by hand has all its starts before it."""
        return setbacks(self._store, self._job.key, self._own.id)

    def _record(self, end: Finished) -> None:
        """Record how the attempt of this start ended, in other words than its own."""
        for record in self._own_attempts():
            record_end(self._job, record["number"], end, died=False)

    def _own_attempts(self) -> list[dict[str, Any]]:
        records = self._store.attempts(self._job.key)
        return [
            record
            for record in records
            if (record.get("job"), record.get("restart")) == (self._own.id, self._own.restart)
        ]

    def _again(self, reason: str, delay: float, *, elsewhere: bool = False) -> int:
        refusal = self._own.start_again(delay, elsewhere=self._script() if elsewhere else None)
        say(f"{reason}; " + (f"not started again: {refusal}" if refusal else "Slurm starts it again"))
        return Exit.INCOMPLETE if refusal else Exit.OK

    def _script(self) -> Path:
        folders = (made.slurm for made in self._campaign.rounds() if any(a.id == self._own.array for a in made.arrays))
        return next(folders, self._campaign.folder) / f"{self._own.array}_submission.sh"

    def _patience(self) -> float:
        """Return how long a stage may take to save its state: Slurm must be asked before it ends the job."""
        seconds = self._campaign.cluster.signal_seconds
        return max(seconds / 2, seconds - SPARE)

    def _obstacle(self) -> str:
        """Return what keeps the stage from being made, once every file that is there must be visible here."""
        end = time.monotonic() + VISIBLE
        while True:
            missing = [key for key in self._job.inputs.values() if not self._seen(key)]
            if not missing:
                return ""
            reason = failed_ancestor(self._campaign, missing)
            if reason or time.monotonic() > end or self._notice.given:
                return reason or f"{self._campaign.job(missing[0]).name} [{missing[0][:8]}] was not made"
            time.sleep(POLL)

    def _seen(self, key: str) -> bool:
        return self._store.find_anew(key) is not None


def failed_ancestor(campaign: Campaign, missing: Iterable[str]) -> str:
    """Return in words which stage has failed by itself, of those that are missing and what they need, if one has."""
    for key in missing:
        job = campaign.job(key) if key in campaign.stages else None
        error = own_error(campaign.store, key)
        if error:
            return f"{job.name if job else 'a stage'} [{key[:8]}] failed: {error}"
        deeper = [parent for parent in job.inputs.values() if not campaign.store.find(parent)] if job else []
        reason = failed_ancestor(campaign, deeper)
        if reason:
            return reason
    return ""


class _Teller:
    """Writes what happens to the job's log."""

    def __init__(self, job: Job) -> None:
        self._names = {job.key: job.name}
        self._due = time.monotonic() + PROGRESS_INTERVAL

    def event(self, event: Event) -> None:
        if isinstance(event, Started | Finished):
            say(line_of(event, self._names))
        elif isinstance(event, Progress) and time.monotonic() > self._due:
            self._due = time.monotonic() + PROGRESS_INTERVAL
            say(f"progress {event.done}/{event.total}")

    def tick(self) -> None:
        """Say nothing."""


def say(text: str) -> None:
    """Write a line with the time to the job's log."""
    click.echo(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}")
