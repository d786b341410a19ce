"""``sync``: send MLflow what it does not have of a store."""

from collections import Counter
from pathlib import Path

import click

from benchmark.errors import Exit
from benchmark.selection.options import store_option
from benchmark.store import Store
from benchmark.tracking import Delivery, Mirror, public
from benchmark.wording import plural


@click.command()
@store_option
@click.option("--uri", help="MLflow tracking URI.  [default: $MLFLOW_TRACKING_URI, else SQLite beside the store]")
def command(store: Path, uri: str | None) -> int:
    """Send MLflow every executed stage of the store that it does not have yet; doing it twice changes nothing.

    Exit code 1 if some could not be sent.
    """
    mirror = Mirror(Store(store), uri, warn=lambda _: None)  # the reasons are listed below
    runs = mirror.sync()
    counts = ", ".join(f"{runs.get(outcome, 0)} {outcome}" for outcome in Delivery)
    click.echo(f"runs: {counts}; {public(mirror.uri)}")
    for reason, stages in Counter(mirror.failed.values()).most_common():
        click.echo(f"{plural(stages, 'stage')} not sent: {reason}", err=True)
    return Exit.INCOMPLETE if mirror.failed else Exit.OK
