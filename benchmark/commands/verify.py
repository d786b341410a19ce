"""``verify``: whether a report says what follows from the counts inside it."""

import json
import os
from pathlib import Path

import click

from benchmark.errors import Exit
from benchmark.selection.options import DEFAULT_STORE
from benchmark.selection.progress import progress_bar, quiet_option
from benchmark.store import Store
from benchmark.wording import plural


@click.command("verify")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--store",
    is_flag=False,
    flag_value="",
    type=click.Path(file_okay=False),
    metavar="[DIR]",
    help="Instead of a report read every result of a store, and give those of older versions digests.",
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@quiet_option
def command(file: Path | None, store: str | None, as_json: bool, quiet: bool) -> int:
    """Compute every number in FILE, a report, again from the counts inside it, and check every digest and key.

    Needs no store, no data and no network. Exit code 4 where anything differs; every place is named. A report that
    other code made may say the same in other words, which are noted; its numbers, names, verdicts and drawings may not
    differ.

    With --store: exit code 4 where a file is not what was stored; `run` makes such results anew.
    """
    if (file is None) == (store is None):
        raise click.UsageError("give the FILE of a report, or --store [DIR].")
    if file is None:
        return _verify_store(Store(Path(store or os.environ.get("BENCHMARK_STORE") or DEFAULT_STORE)), as_json, quiet)
    from benchmark.report.html.verifying import verify

    found = verify(file)
    if as_json:
        click.echo(json.dumps({"file": str(file), "sound": not found.faults, **vars(found)}, indent=1))
    else:
        for line in found.checked:
            click.echo(f"checked: {line}")
        for line in found.remarks:
            click.echo(f"note: {line}")
        for line in found.faults:
            click.echo(f"WRONG: {line}")
        click.echo(f"{file}: {'does not add up' if found.faults else 'adds up'}")
    return Exit.MISSED if found.faults else Exit.OK


def _verify_store(store: Store, as_json: bool, quiet: bool) -> int:
    from benchmark.integrity import verify_store

    with progress_bar(f"reading {store.root}", quiet=quiet) as observe:
        damaged, added = verify_store(store, observe)
    if as_json:
        content = {"store": str(store.root), "sound": not damaged, "faults": damaged, "digests_added": added}
        click.echo(json.dumps(content, indent=1))
        return Exit.MISSED if damaged else Exit.OK
    for line in damaged:
        click.echo(f"DAMAGED: {line}")
    if added:
        click.echo(f"{plural(added, 'result')} of older versions got digests.")
    said = f"{plural(len(damaged), 'fault')}; `run` makes damaged results anew" if damaged else "sound"
    click.echo(f"{store.root}: {said}")
    return Exit.MISSED if damaged else Exit.OK
