"""``gc``: what a store holds and nobody needs, listed with its size, and removed where asked for."""

from collections import defaultdict
from collections.abc import Sequence

import click

from benchmark.errors import Exit
from benchmark.execute.leftovers import Leftover, busy, leftovers, remove
from benchmark.selection.options import Selection, selection_options
from benchmark.store import Store
from benchmark.wording import plural

DAY = 86400.0


@click.command("gc")
@click.option("--yes", is_flag=True, help="Remove what is listed.")
@click.option("--dry-run", is_flag=True, help="List only, which is what happens without --yes.")
@click.option("--results", is_flag=True, help="Also results that the selected tables do not need.")
@click.option(
    "--days",
    type=click.FloatRange(min=1),
    default=30.0,
    show_default=True,
    help="Age of what nobody goes on with, and of results.",
)
@selection_options()
def command(*, selection: Selection, yes: bool, dry_run: bool, results: bool, days: float) -> int:
    """List what the store no longer needs, with sizes; --yes removes it.

    That is what killed processes left behind, results that were set aside as damaged, work on stages that nobody goes
    on with, and code of campaigns that are complete. Nothing goes that a running stage uses, or one that a campaign on
    a cluster still lacks. With --results it is also results that the selection (tables, dataset, profile, seeds, ...)
    does not need and that are older than --days, unless anything runs or waits in this store.
    """
    if yes and dry_run:
        raise click.UsageError("--dry-run lists and --yes removes: choose one.")
    store = selection.store
    if results and busy(store):
        click.echo("note: stages run or wait in this store, so that all results stay.", err=True)
    planned = {stage.key for stage in selection.plan().stages} if results else None
    found = leftovers(store, days * DAY, planned)
    if not found:
        click.echo(f"nothing in {store.root} is without use.")
        return Exit.OK
    _list(found)
    return _remove(found, store) if yes else _say(found)


def _list(found: Sequence[Leftover]) -> None:
    kinds = defaultdict(list)
    for one in found:
        kinds[one.kind].append(one)
    for kind, members in kinds.items():
        click.echo(f"{kind}: {_total(members)}")
        for one in members:
            click.echo(f"  {one.size / 1e6:10.1f} MB  {one.path}")


def _say(found: Sequence[Leftover]) -> int:
    click.echo(f"{_total(found)} could go; nothing was removed. `gc --yes` with the same options removes it.", err=True)
    return Exit.OK


def _remove(found: Sequence[Leftover], store: Store) -> int:
    kept = [one for one in found if not remove(one, store)]
    gone = [one for one in found if one not in kept]
    click.echo(f"removed {_total(gone)}", err=True)
    for one in kept:
        click.echo(f"kept {one.path}: it is in use by now", err=True)
    return Exit.INCOMPLETE if kept else Exit.OK


def _total(found: Sequence[Leftover]) -> str:
    return f"{plural(len(found), 'item')}, {sum(one.size for one in found) / 1e6:.1f} MB"
