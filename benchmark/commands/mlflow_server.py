"""``mlflow-server``: MLflow over the database beside the store, for a browser and for the jobs of a cluster."""

import time
from pathlib import Path

import click

from benchmark.comma_lists import split_names
from benchmark.errors import BenchmarkError, Exit
from benchmark.execute.executor import Interrupts, counted_interrupts
from benchmark.program import program
from benchmark.selection.options import store_option
from benchmark.tracking.server import own_database
from benchmark.tracking.serving import Server, serving

START_SECONDS = 180.0


@click.command()
@store_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 is every one.")
@click.option("--port", type=click.IntRange(0, 65535), default=5000, show_default=True, help="0 takes a free one.")
@click.option(
    "--allowed-hosts",
    callback=split_names,
    metavar="NAME,...",
    help="More names by which clients call this machine; its own and private networks are known beyond the loopback.",
)
def command(store: Path, host: str, port: int, allowed_hosts: tuple[str, ...] | None) -> int:
    """Serve MLflow over the database beside the store until Ctrl-C or SIGTERM.

    Once it answers, the line is printed that sends jobs and other commands to it. Files of runs go through the server
    into the folder of the database, so that clients need no access to that.
    """
    database = own_database(store)
    click.echo(f"starting MLflow's server over {database}", err=True)
    with (
        counted_interrupts(raise_on_second=False) as interrupts,
        serving(database, host, port, allowed_hosts or ()) as server,
    ):
        _start(server, interrupts)
        while not interrupts.count:
            server.wait(0.5)
    click.echo(f"ended; what clients could not send meanwhile: {program()} sync", err=True)
    return Exit.OK


def _start(server: Server, interrupts: Interrupts) -> None:
    """Wait until the server answers, then say how to use it."""
    end = time.monotonic() + START_SECONDS
    while not interrupts.count and not server.answers():
        if time.monotonic() > end:
            raise BenchmarkError(f"MLflow's server does not answer after {START_SECONDS:.0f} s; see {server.log}.")
    if interrupts.count:
        return
    click.echo(f"export MLFLOW_TRACKING_URI={server.address.url}")
    if not server.address.loopback:
        click.echo("warning: no password is asked: whoever reaches this address can read and change it", err=True)
