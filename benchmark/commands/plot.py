"""``plot``: a table of the paper as a figure, this run beside the printed values."""

import click

from benchmark.commands.options import Selection, selection_options
from benchmark.commands.table import finish


@click.command("plot")
@click.argument("name", metavar="N")
@selection_options(table="none")
def command(selection: Selection, name: str) -> None:
    """Draw table N (1, 2, 3, baselines, stages, all, course, or a path) as PNG and PDF, and print their paths.

    Cells without a number leave a gap. Exit code 1 while cells that could be run lack seeds.
    """
    from benchmark.report import estimate, publish_plot

    chosen = selection.with_tables([name])
    plan = chosen.plan()
    sheets = [estimate(plan, table, selection.store) for table in plan.tables]
    for sheet in sheets:
        for path in publish_plot(sheet, selection.results_folder()) if sheet.estimates else ():
            click.echo(path)
    finish(chosen, sheets)
