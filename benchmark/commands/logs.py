"""``logs``: what a stage printed, while it runs or afterwards."""

import time
from pathlib import Path
from typing import Any

import click

from benchmark.errors import BenchmarkError, Exit
from benchmark.execute.campaigns import told
from benchmark.execute.executors import campaigns, managers
from benchmark.execute.records import attempt_line
from benchmark.provenance import origin
from benchmark.selection.options import store_option
from benchmark.selection.targets import stage_of
from benchmark.store import Store
from benchmark.wording import plural

POLL = 0.5  # seconds
QUEUE_POLL = 20.0  # seconds between two questions to a queue


@click.command()
@click.argument("what", metavar="KEY|JOB")
@store_option
@click.option("--attempt", "number", type=click.IntRange(min=1), help="Number of the attempt.  [default: the last]")
@click.option("--follow", "-f", is_flag=True, help="Go on as long as the attempt runs.")
@click.option(
    "--job",
    "--slurm",
    "of_job",
    is_flag=True,
    help="Show what the job said around the stage: set-up, starts, the words of its queue.",
)
def command(*, what: str, store: Path, number: int | None, follow: bool, of_job: bool) -> int:
    """Print the log of a stage, named by the beginning of its key or by its job (as in 123_4), and why it failed.

    On stderr stands which attempt it is and where the file lies. Exit code 1 where there is no log yet.
    """
    kept = Store(store)
    key = stage_of(kept, what, campaigns(kept))
    attempts = kept.attempts(key)
    elsewhere = origin(kept.result(key).get("provenance", {})) if kept.find(key) else ""
    if elsewhere:
        click.echo(f"stage {key[:8]} was imported from {elsewhere}; its log is where it was made.", err=True)
        return Exit.INCOMPLETE
    if of_job or not attempts:
        return _print_job(kept, key)
    record = _chosen(attempts, number, key)
    count, live = len(attempts), kept.locked(key)
    click.echo(f"{kept.spec(key)['name']} [{key[:8]}], {plural(count, 'attempt')}", err=True)
    click.echo(attempt_line(record, dead=not live), err=True)
    _print_attempt(kept, key, record["number"], follow=follow)
    return Exit.OK


def _chosen(attempts: list[dict[str, Any]], number: int | None, key: str) -> dict[str, Any]:
    if number is None:
        return attempts[-1]
    found = next((record for record in attempts if record["number"] == number), None)
    if found is None:
        raise BenchmarkError(f"stage {key[:8]} has no attempt {number}, only 1 to {attempts[-1]['number']}.")
    return found


def _print_attempt(store: Store, key: str, number: int, *, follow: bool) -> None:
    """Print the log of an attempt, then why it failed."""
    pulse = _Pulse(store, key, number)
    path = store.attempt_folder(key, number) / "log.txt"
    while follow and not path.is_file() and pulse.beats():
        time.sleep(POLL)
    if path.is_file():
        click.echo(path, err=True)
        with path.open(encoding="utf-8", errors="replace") as stream:  # stays readable when the folder moves
            while follow and pulse.beats():
                click.echo(stream.read(), nl=False)
                time.sleep(POLL)
            click.echo(stream.read(), nl=False)
    error = store.attempt_folder(key, number) / "error.txt"
    if error.is_file():
        click.echo(error, err=True)
        click.echo(error.read_text(encoding="utf-8", errors="replace"), nl=False)


class _Pulse:
    """Whether an attempt still runs, here or on another machine, whose locks this one may not see."""

    def __init__(self, store: Store, key: str, number: int) -> None:
        self._store, self._key, self._number = store, key, number
        self._asked, self._in_queue = -QUEUE_POLL, True

    def beats(self) -> bool:
        record = next((one for one in self._store.attempts(self._key) if one["number"] == self._number), None)
        if record is None or record["state"] != "running":
            return False
        return self._store.locked(self._key) or self._job_lives(record.get("job", ""))

    def _job_lives(self, job: str) -> bool:
        if job and time.monotonic() - self._asked > QUEUE_POLL:
            self._asked = time.monotonic()
            answers = [manager.ask([self._key]) for manager in managers(self._store).values()]
            status = told(answers)(self._key)
            self._in_queue = status is not None and status.job == job and status.state in {"queued", "running"}
        return bool(job) and self._in_queue


def _print_job(store: Store, key: str) -> int:
    """Print what the jobs of a stage said around it."""
    queues = managers(store).values()
    found = [path for queue in queues for path in queue.logs(key)]
    if not found:
        waiting = [f"it waits in {queue.title}'s queue as job {job}" for queue in queues if (job := queue.job(key))]
        state = waiting[0] if waiting else "it was not begun"
        click.echo(f"stage {key[:8]} has no log: {state}; `status` says more.", err=True)
        return Exit.INCOMPLETE
    for path in found:
        click.echo(path, err=True)
        click.echo(path.read_text(encoding="utf-8", errors="replace"), nl=False)
    return Exit.OK
