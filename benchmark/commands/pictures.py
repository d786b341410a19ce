"""``pictures``: label maps of training images, stage by stage, beside image and ground truth."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from benchmark.commands.options import Selection, selection_options, split_names
from benchmark.errors import Exit

if TYPE_CHECKING:
    from benchmark.report.pages import Choice, Page


def parse_choice(context: click.Context, option: click.Parameter, value: str) -> "Choice":
    """Return 6 for ``6`` and ``("a", "b")`` for ``a,b``; an id that is a number needs a comma, as in ``6,``."""
    number = value.strip()
    if not (number.isascii() and number.isdigit()):
        return split_names(context, option, value) or ()
    if int(number) == 0:
        raise click.BadParameter("0 images make no page; write a number from 1 on, or ids.", context, option)
    return int(number)


@click.command("pictures")
@click.argument("name", metavar="[TABLE]", default="stages")
@click.option(
    "--images",
    callback=parse_choice,
    default="6",
    show_default=True,
    metavar="N|ID,...",
    help="How many, taken from N places spread evenly over the training images: from each on the next image that shows "
    "a novel class. Or ids of training images; an id that is a number with a comma behind it.",
)
@selection_options(table="none")
def command(selection: Selection, name: str, images: "Choice") -> None:
    """Draw the label maps that rows of TABLE score as PNG and PDF, a page a split, and print their paths.

    Rows that score no label maps of training images, but a network on test images, have no column. The first of the
    seeds is shown. Exit code 1 while label maps are missing.
    """
    from benchmark.datasets import load_dataset
    from benchmark.report import publish_pictures
    from benchmark.report.pages import pages

    chosen = dataclasses.replace(selection.with_tables([name]), seeds=selection.seeds[:1])
    plan = chosen.plan()
    drawn = []
    for page in pages(plan, selection.store, load_dataset(plan.source, plan.data_root), images):
        for path in publish_pictures(page, selection.results_folder()):
            click.echo(path)
        drawn.append(page)
    if not drawn:
        scored = "no row that can be run here scores label maps of training images" if plan.cells else "nothing matches"
        click.echo(f"{scored}: {chosen}.", err=True)
    _finish(chosen, drawn)


def _finish(selection: Selection, drawn: "Sequence[Page]") -> None:
    """Say on stderr what is missing, and exit with the code that says so too."""
    incomplete = [page for page in drawn if page.missing]
    for page in incomplete:
        of_all = f"{len(page.missing)} of {len(page.columns)} label maps not run ({', '.join(page.missing)})"
        click.echo(
            f"table {page.table}, {page.split.name}: {of_all}; "
            f"`run --table {','.join(selection.tables)}` with the same options makes them.",
            err=True,
        )
    click.get_current_context().exit(Exit.INCOMPLETE if incomplete else Exit.OK if drawn else Exit.NOTHING)
