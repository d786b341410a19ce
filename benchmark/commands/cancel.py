"""``cancel``: take stages out of Slurm's queue, and stop what runs, here too. What they have kept stays."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

import click

from benchmark.commands.options import store_option
from benchmark.commands.targets import targets
from benchmark.errors import BenchmarkError, Exit
from benchmark.execute.cluster.campaign import campaigns, folder_of_campaigns, owner
from benchmark.execute.cluster.queue import Queue, QueuedJob, look
from benchmark.execute.cluster.queued import queued
from benchmark.execute.cluster.slurm import ask
from benchmark.execute.cluster.standing import cancelled_mark
from benchmark.files import write_json
from benchmark.store import Store
from benchmark.wording import plural

AT_ONCE = 500  # jobs in one command
WORKER = "benchmark.execute.worker"


@click.command()
@click.argument("what", nargs=-1, metavar="[CAMPAIGN|KEY|JOB]...")
@store_option
def command(*, what: tuple[str, ...], store: Path) -> int:
    """Cancel campaigns, single stages, or, where nothing is named, all that this store has in the queue or running.

    Stages that run save their state first: `retry` and `run` go on from it. Runs of other shells on this machine are
    stopped as by Ctrl-C; of a run on another machine it is said where that is. Exit code 1 if something goes on.
    """
    kept = Store(store)
    with _not_while_submitting(kept):
        chosen = _Chosen(kept, what)
        if not chosen.keys:
            click.echo("nothing to cancel: all of it is complete, or was never begun.", err=True)
            return Exit.NOTHING
        with kept.writing():
            chosen.mark()
        cancelled = _cancel_jobs(chosen.jobs())
    stopped, elsewhere = _stop_processes(kept, chosen.keys, whole=not what)
    told = plural(stopped, "local process", "local processes")
    click.echo(f"{plural(cancelled, 'job')} of Slurm cancelled, {told} told to stop")
    for line in elsewhere:
        click.echo(line, err=True)
    return Exit.INCOMPLETE if elsewhere else Exit.OK


def _not_while_submitting(store: Store) -> AbstractContextManager[None]:
    """Wait for a process that submits, and keep others from it, so that no half of a round escapes."""
    if not folder_of_campaigns(store).is_dir():
        return nullcontext()
    from benchmark.execute.cluster.submit import submitting

    return submitting(store)


class _Chosen:
    """The campaigns and stages that are meant, and what Slurm has of them."""

    def __init__(self, store: Store, what: Sequence[str]) -> None:
        self._store = store
        named = targets(store, what)
        self._campaigns = named.campaigns if what else campaigns(store)
        of_campaigns = [
            key for campaign in self._campaigns for key in campaign.stages if self._theirs(key, campaign.id)
        ]
        begun = list(store.unfinished()) if not what else []
        self.keys = [key for key in dict.fromkeys([*of_campaigns, *begun, *named.keys]) if not store.find(key)]
        submitted = any(queued(store, key) for key in self.keys)
        self._queue = look() if submitted else Queue()
        if self._queue.silence:
            raise BenchmarkError(f"Slurm does not answer, so nothing was cancelled: {self._queue.silence}.")

    def mark(self) -> None:
        """Note that the stages are cancelled on purpose, before any job sees its neighbours vanish."""
        for key in self.keys:
            if queued(self._store, key) or any(key in campaign.stages for campaign in self._campaigns):
                write_json(cancelled_mark(self._store, key), {"time": time.time()})

    def jobs(self) -> list[QueuedJob]:
        """Return the living jobs of the campaigns, their keepers too, and of the single stages."""
        ids = {campaign.id for campaign in self._campaigns}
        wanted = {entry.job: entry.campaign for key in self.keys if (entry := queued(self._store, key))}
        jobs = (job for job in self._queue.jobs.values() if job.alive and owner(job.name))
        return [job for job in jobs if owner(job.name) in ids or wanted.get(job.id) == owner(job.name)]

    def _theirs(self, key: str, campaign: str) -> bool:
        """Return whether a stage of a campaign is not made by a job of another one."""
        entry = queued(self._store, key)
        return entry is None or entry.campaign == campaign


def _cancel_jobs(jobs: Sequence[QueuedJob]) -> int:
    """Cancel jobs, each with its state saved first, and return how many. Raises BenchmarkError where Slurm refuses."""
    ids = [job.id for job in jobs]
    for start in range(0, len(ids), AT_ONCE):
        answer = ask("scancel", *ids[start : start + AT_ONCE])
        if answer.error:
            raise BenchmarkError(f"not all jobs could be cancelled: {answer.error}; try again.")
    return len(ids)


def _stop_processes(store: Store, keys: Sequence[str], *, whole: bool) -> tuple[int, list[str]]:
    """Stop processes that make stages without Slurm; return how many, and what is to be said of the others."""
    pids: set[int] = set()
    elsewhere = []
    for key in keys:
        record = _running_here_or_there(store, key)
        if record is None:
            continue
        if record["host"] != socket.gethostname():
            elsewhere.append(
                f"stage {key[:8]} is made by process {record['pid']} on {record['host']}: cancel it there."
            )
        else:
            pids.add(_of_run(record["pid"]) if whole else record["pid"])
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    return len(pids), elsewhere


def _running_here_or_there(store: Store, key: str) -> Mapping[str, Any] | None:
    attempts = store.attempts(key)
    last = attempts[-1] if attempts else None
    return last if last and last["state"] == "running" and not last.get("job") and store.locked(key) else None


def _of_run(pid: int) -> int:
    """Return the process that gives work to a worker process; another process makes its stages itself."""
    found = subprocess.run(["ps", "-o", "ppid=,args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    parent, _, arguments = found.stdout.strip().partition(" ")
    return int(parent) if WORKER in arguments and parent.isdigit() else pid
