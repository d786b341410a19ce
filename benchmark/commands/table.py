"""``table``: a table of the paper with this run's numbers in it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from benchmark.commands.options import Selection, selection_options
from benchmark.errors import Exit

if TYPE_CHECKING:
    from benchmark.report import Sheet
    from benchmark.report.tables import Format

FORMATS = ("text", "csv", "latex", "markdown")


@click.command("table")
@click.argument("name", metavar="N")
@click.option("--format", "style", type=click.Choice(FORMATS), default="text", show_default=True, help="What to print.")
@selection_options(table="none")
def command(selection: Selection, name: str, style: "Format") -> None:
    """Print table N: 1, 2, 3, baselines, stages, all, or the path of a table file.

    Cells without a number say why: not run, failed, not available yet. With --out every format, the plot and the
    provenance are written into that folder too. Exit code 1 while cells that could be run lack seeds.
    """
    from benchmark.report import estimate, publish
    from benchmark.report.tables import render

    chosen = selection.with_tables([name])
    plan = chosen.plan()
    sheets = [estimate(plan, table, selection.store) for table in plan.tables]
    if plan.cells:
        click.echo("\n".join(render(sheet, style) for sheet in sheets), nl=False)
    if selection.out and plan.cells:
        for table in plan.tables:
            for path in publish(plan, table, selection.store, selection.out).files:
                click.echo(path, err=True)
    finish(chosen, sheets)


def finish(selection: Selection, sheets: "Sequence[Sheet]") -> None:
    """Say on stderr what is missing, and exit with the code that says so too."""
    context = click.get_current_context()
    if not any(sheet.estimates for sheet in sheets):
        click.echo(f"nothing matches: {selection}.", err=True)
        context.exit(Exit.NOTHING)
    incomplete = [sheet for sheet in sheets if sheet.holes]
    for sheet in incomplete:
        click.echo(_holes(sheet), err=True)
    context.exit(Exit.INCOMPLETE if incomplete else Exit.OK)


def _holes(sheet: "Sheet") -> str:
    states = [cell.status for cell in sheet.holes]
    counted = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    of_all = f"{len(states)} of {len(sheet.estimates)} cells lack seeds"
    return f"table {sheet.table.name}: {of_all} ({counted}); `run` with the same options makes them."
