"""``export``: what was run and what came out, as one archive that people can pass on."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark.selection.endings import finish
from benchmark.selection.options import Selection, selection_options

if TYPE_CHECKING:
    from benchmark.plan import Plan


@click.command("export")
@click.option("--by", default="", metavar="NAME", help="Who passes it on, for those who import it.  [default: nobody]")
@selection_options(writes="file")
def command(selection: Selection, by: str) -> None:
    """Write one zip file with the description of a run, the counts of its finished evaluations, and checksums.

    It is DATASET-PROFILE.zip in the folder of the results, unless --out names another folder or a file that ends in
    .zip. It names the processor and the software that made the results, neither machines nor users. Replicates (`import
    --merge --replicates`) are not in it: pass on the archives that they came from. Exit code 1 while cells that could
    be run lack seeds.
    """
    from benchmark.report.scores.estimates import estimate

    plan = selection.plan()
    if plan.cells:
        _write(plan, selection, by)
    finish(selection, [estimate(plan, table, selection.store) for table in plan.tables])


def _write(plan: "Plan", selection: Selection, by: str) -> None:
    from benchmark.provenance import without_commit
    from benchmark.sharing.archive import export
    from benchmark.sharing.describing import places
    from benchmark.sharing.readme import progress
    from benchmark.sharing.replicates import replicates

    path = _path(selection)
    manifest = export(plan, selection.store, path, by)
    click.echo(path)
    size = path.stat().st_size / 1e6
    click.echo(f"{size:.1f} MB; {progress(manifest.run)}; `import {path}` checks it.", err=True)
    if number := sum(len(replicates(key, selection.store)) for key in manifest.run.evaluations):
        click.echo(f"note: {number} replicate{' is' if number == 1 else 's are'} not in it.", err=True)
    if remark := without_commit():
        click.echo(f"note: {remark}", err=True)
    for place in places(manifest.run):
        click.echo(f"note: it names {place}, which is part of the key of a stage.", err=True)


def _path(selection: Selection) -> Path:
    out = selection.results_folder()
    name = dataclasses.replace(selection, out=None).results_folder().name
    return out if out.suffix == ".zip" and not out.is_dir() else out / f"{name}.zip"
