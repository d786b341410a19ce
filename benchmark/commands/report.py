"""``report``: everything that the store says of a selection, as one HTML file."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark.selection.endings import finish
from benchmark.selection.options import Selection, selection_options

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.report.pictures.pages import PicturePage

NAME = "report.html"
DRAWN = ("mini",)  # data sets whose images are the software's own: anybody may pass them on
IMAGES = 2  # of them, a split


@click.command("report")
@click.option(
    "--pictures",
    type=click.IntRange(min=0),
    metavar="N",
    help="How many images of every split to show: training images with the label maps of all stages, test images with "
    "what the networks in the store predict. Photographs have licences of their own, so they are shown only when asked "
    f"for.  [default: {IMAGES} of mini, 0 of others]",
)
@selection_options(writes="file")
def command(selection: Selection, pictures: int | None) -> None:
    """Write one HTML file that works offline: tables with verdicts, plots, classes, stages, environment, counts.

    It is report.html in the folder of the results, unless --out names another folder or a file that ends in .html.
    `verify` computes every number in it again. Exit code 1 while cells that could be run lack seeds.
    """
    from benchmark.report.html import write
    from benchmark.report.scores.estimates import estimate

    plan = selection.plan()
    if plan.cells:
        path = _path(selection)
        write(plan, selection.store, path, _grids(plan, selection, pictures))
        click.echo(path)
        click.echo(f"{path.stat().st_size / 1e6:.1f} MB; `verify {path}` computes it again on any machine.", err=True)
    finish(selection, [estimate(plan, table, selection.store) for table in plan.tables])


def _path(selection: Selection) -> Path:
    out = selection.results_folder()
    return out if out.suffix == ".html" and not out.is_dir() else out / NAME


def _grids(plan: "Plan", selection: Selection, asked: int | None) -> "Iterator[PicturePage]":
    """Yield pages of label maps, and of predictions by networks in the store; photographs only if they are asked for.

    Raises click.Abort where making the predictions is interrupted.
    """
    from benchmark.datasets import load_dataset
    from benchmark.report.pictures.page_plan import label_pages, prediction_pages
    from benchmark.report.pictures.pages import pages
    from benchmark.selection.predictions import predicted

    number = (IMAGES if plan.dataset.name in DRAWN else 0) if asked is None else asked
    if not number:
        return
    dataset = load_dataset(plan.source, plan.data_root)
    predictions = prediction_pages(plan, dataset, number)
    if not predicted(plan, selection.store, predictions):
        raise click.Abort
    yield from pages(plan, selection.store, dataset, label_pages(plan, dataset, number))
    for page in pages(plan, selection.store, dataset, predictions):
        if len(page.missing) < len(page.columns):
            yield page
