"""``pictures``: label maps of training images, or predictions for test images, beside image and ground truth."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from benchmark.completion import values as offered
from benchmark.errors import Exit
from benchmark.selection.options import Selection, parse_choice, selection_options, table_metavar
from benchmark.selection.predictions import predicted

if TYPE_CHECKING:
    from benchmark.datasets import Dataset
    from benchmark.plan import Plan
    from benchmark.report.pictures.page_plan import Choice, Kind, PagePlan
    from benchmark.report.pictures.pages import PicturePage


@click.command("pictures")
@click.argument(
    "name",
    metavar=f"[{table_metavar()}]",
    default="stages",
    shell_complete=offered.several_of(offered.tables, path=True),
)
@click.option(
    "--of",
    "kind",
    type=click.Choice(("labels", "predictions")),
    help="labels: label maps of training images that rows score; predictions: what the networks of rows predict for "
    "test images.  [default: labels where a row of TABLE scores them, else predictions]",
)
@click.option(
    "--images",
    callback=parse_choice,
    default="6",
    show_default=True,
    metavar="N|ID,...",
    help="How many, taken from N places spread evenly over the images: from each on the next image that shows a novel "
    "class. Or ids of images; an id that is a number with a comma behind it.",
)
@selection_options(table="none")
def command(selection: Selection, name: str, kind: "Kind | None", images: "Choice") -> None:
    """Draw label maps or predictions by the rows of TABLE as PNG and PDF, a page a split, and print their paths.

    Predictions are made when they are first asked for, by the networks that the store holds, and kept there. Rows
    without such maps have no column. The first of the seeds is shown. Exit code 1 while maps are missing.
    """
    from benchmark.datasets import load_dataset
    from benchmark.report.pictures.pages import pages
    from benchmark.report.publication import publish_pictures

    chosen = dataclasses.replace(selection.with_tables([name]), seeds=selection.seeds[:1])
    plan = chosen.plan()
    dataset = load_dataset(plan.source, plan.data_root)
    page_plans = list(_pages(plan, dataset, images, kind))
    if not predicted(plan, selection.store, page_plans):
        click.get_current_context().exit(Exit.INTERRUPTED)
    drawn = []
    for page in pages(plan, selection.store, dataset, page_plans):
        for path in publish_pictures(page, selection.results_folder()):
            click.echo(path)
        drawn.append(page)
    if not drawn:
        click.echo(f"{_nothing(plan, kind)}: {chosen}.", err=True)
    _finish(chosen, drawn)


def _pages(plan: "Plan", dataset: "Dataset", images: "Choice", kind: "Kind | None") -> "Iterator[PagePlan]":
    """Yield the pages of every table: of one kind, or of label maps where there are any."""
    from benchmark.report.pictures.page_plan import label_pages, prediction_pages

    for table in plan.tables:
        own = dataclasses.replace(plan, tables=(table,))
        labels = () if kind == "predictions" else label_pages(own, dataset, images)
        yield from labels if labels or kind == "labels" else prediction_pages(own, dataset, images)


def _nothing(plan: "Plan", kind: "Kind | None") -> str:
    """Say why there is no page."""
    if not plan.cells:
        return "nothing matches"
    offers = {"labels": "scores label maps of training images", "predictions": "offers predictions for test images"}
    return f"no row that can be run here {' or '.join([offers[kind]] if kind else offers.values())}"


def _finish(selection: Selection, drawn: "Sequence[PicturePage]") -> None:
    """Say on stderr what is missing, and exit with the code that says so too."""
    incomplete = [page for page in drawn if page.missing]
    for page in incomplete:
        predictions = page.kind == "predictions"
        what = "predictions" if predictions else "label maps"
        of_all = f"{len(page.missing)} of {len(page.columns)} {what} not run ({', '.join(page.missing)})"
        made = (
            "trains the networks that are lacking, but not those of imported results" if predictions else "makes them"
        )
        click.echo(
            f"table {page.table}, {page.split.name}: {of_all}; "
            f"`run --table {','.join(selection.tables)}` with the same options {made}.",
            err=True,
        )
    click.get_current_context().exit(Exit.INCOMPLETE if incomplete else Exit.OK if drawn else Exit.NOTHING)
