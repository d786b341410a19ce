"""``plot``: a table of the paper as a figure, this run beside the printed values, or every class of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark.completion import values as offered
from benchmark.selection.endings import finish
from benchmark.selection.options import Selection, selection_options, table_metavar

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.report.scores.estimates import Results


@click.command("plot")
@click.argument("name", metavar=table_metavar(), shell_complete=offered.several_of(offered.tables, path=True))
@click.option(
    "--classes",
    is_flag=True,
    help="Draw the IoU of every class instead, novel ones apart from base ones, a page a split.",
)
@selection_options(table="none")
def command(selection: Selection, name: str, classes: bool) -> None:
    """Draw a table as PNG and PDF, and print their paths; all is every table before it.

    Cells without a number leave a gap. Exit code 1 while cells that could be run lack seeds.
    """
    chosen = selection.with_tables([name])
    draw = _by_class if classes else _as_a_whole
    tables = []
    for results, paths in draw(chosen.plan(), chosen):
        tables.append(results)
        for path in paths:
            click.echo(path)
    finish(chosen, tables)


def _as_a_whole(plan: "Plan", selection: Selection) -> "Iterator[tuple[Results, tuple[Path, ...]]]":
    """Yield each table with the files of its plot."""
    from benchmark.report.publication import publish_plot
    from benchmark.report.scores.estimates import estimate

    for table in plan.tables:
        results = estimate(plan, table, selection.store)
        yield results, publish_plot(results, selection.results_folder()) if results.estimates else ()


def _by_class(plan: "Plan", selection: Selection) -> "Iterator[tuple[Results, tuple[Path, ...]]]":
    """Yield each table with the files of its pages of classes."""
    from benchmark.report.publication import publish_classes
    from benchmark.report.scores.classes import class_pages

    for table in plan.tables:
        results, pages = class_pages(plan, table, selection.store)
        yield results, tuple(path for page in pages for path in publish_classes(page, selection.results_folder()))
