"""``runs``: what was imported beside a store."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from benchmark.errors import BenchmarkError, Exit
from benchmark.selection.options import store_option
from benchmark.store import Store
from benchmark.wording import plural


@click.command("runs")
@store_option
@click.option("--remove", metavar="NAME", help="Remove the run of that name; your own results are not touched.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(store: Path, remove: str | None, as_json: bool) -> int:
    """List the runs that `import` keeps beside the store: name, who made it, when, what of, and how much is finished.

    Exit code 1 where one of them is damaged.
    """
    from benchmark.sharing import runs

    kept = Store(store)
    if remove is not None:
        click.echo(f"removed {runs.remove(remove, kept)}", err=True)
    found = [_described(name, runs.file_of(name, kept)) for name in runs.imported(kept)]
    if as_json:
        click.echo(json.dumps(found, indent=1))
    elif found:
        click.echo("\n".join(_lines(found)))
    elif remove is None:
        click.echo(f"no runs in {runs.folder_of_runs(kept)}; `import FILE.zip` adds one.", err=True)
    return Exit.INCOMPLETE if any("error" in one for one in found) else Exit.OK


def _described(name: str, path: Path) -> dict[str, Any]:
    from benchmark.sharing.reading import read_archive

    try:
        archive = read_archive(path)
    except BenchmarkError as error:
        return {"name": name, "file": str(path), "error": str(error)}
    run, finished = archive.run, set(archive.run.evaluations)
    return {
        "name": name,
        "by": archive.manifest.by,
        "created": archive.manifest.created,
        "dataset": run.dataset.name,
        "profile": run.profile.name,
        "preset": run.preset,
        "seeds": list(run.seeds),
        "tables": [table.name for table in run.tables],
        "cells": len(run.cells),
        "finished": sum(cell.stage in finished for cell in run.cells),
        "file": str(path),
        "sha256": archive.digest,
    }


def _lines(found: list[dict[str, Any]]) -> Iterator[str]:
    names, makers = (max(len(one.get(field, "")) for one in found) for field in ("name", "by"))
    for one in found:
        if "error" in one:
            yield f"{one['name']:{names}}  {one['error']}"
            continue
        seeds, tables = (",".join(map(str, one[field])) for field in ("seeds", "tables"))
        yield (
            f"{one['name']:{names}}  {one['by']:{makers}}  {one['created']}  {one['dataset']}-{one['profile']}  "
            f"seeds {seeds}  tables {tables}  {one['finished']} of {plural(one['cells'], 'cell')}"
        )
