"""``verify``: whether a report says what follows from the counts inside it."""

import json
from pathlib import Path

import click

from benchmark.errors import Exit


@click.command("verify")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(file: Path, as_json: bool) -> int:
    """Compute every number in FILE, a report, again from the counts inside it, and check every digest and key.

    Needs no store, no data and no network. Exit code 4 where anything differs; every place is named. A report that
    other code made may say the same in other words, which are noted; its numbers, names, verdicts and drawings may not
    differ.
    """
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
