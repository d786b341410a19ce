"""``cancel``: take stages out of queues, and stop what runs, here too. What they have kept stays."""

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from benchmark.errors import Exit
from benchmark.execute.executors import managers
from benchmark.selection.options import store_option
from benchmark.selection.targets import targets
from benchmark.store import Store
from benchmark.wording import plural

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
    named = targets(kept, what)
    ids = [one.campaign.id for one in named.campaigns] if what else None
    single = named.keys if what else list(kept.unfinished())
    cancelled = {queue.title: queue.cancel(ids, single) for queue in managers(kept).values()}
    of_queues = (key for taken in cancelled.values() for key in taken.stages)
    keys = [key for key in dict.fromkeys([*of_queues, *single]) if not kept.find(key)]
    if not keys:
        click.echo("nothing to cancel: all of it is complete, or was never begun.", err=True)
        return Exit.NOTHING
    stopped, elsewhere = _stop_processes(kept, keys, whole=not what)
    jobs = [f"{plural(taken.jobs, 'job')} of {title} cancelled" for title, taken in cancelled.items()]
    click.echo(", ".join([*jobs, f"{plural(stopped, 'local process', 'local processes')} told to stop"]))
    for line in elsewhere:
        click.echo(line, err=True)
    return Exit.INCOMPLETE if elsewhere else Exit.OK


def _stop_processes(store: Store, keys: Sequence[str], *, whole: bool) -> tuple[int, list[str]]:
    """Stop processes that make stages without a queue; return how many, and what is to be said of the others."""
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
