"""How commands on a selection end: nothing matched, cells are missing, or all is well."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from benchmark.errors import Exit
from benchmark.wording import form, plural, tally

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.report import Sheet
    from benchmark.selection.options import Selection


def nothing_selected(plan: "Plan", selection: "Selection") -> str:
    """Return in one sentence what was selected and why nothing of it can be made; empty where something can."""
    if any(cell.stage for cell in plan.cells):
        return ""
    if plan.cells:
        reasons = sorted({f"{cell.method}: {cell.reason}" for cell in plan.cells})
        return f"Nothing to make for {selection}: {'; '.join(reasons)}."
    rows = sorted({row.method for table in plan.tables for row in table.rows})
    columns = sorted({column.split for table in plan.tables for column in table.columns})
    return (
        f"Nothing matches {selection}: these tables have the methods {', '.join(rows)} "
        f"and the splits {', '.join(columns)}."
    )


def finish(selection: "Selection", sheets: "Sequence[Sheet]") -> None:
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
    of_all = f"{len(states)} of {plural(len(sheet.estimates), 'cell')} {form(len(states), 'lacks', 'lack')} seeds"
    return f"table {sheet.table.name}: {of_all} ({tally(states)}); `run` with the same options makes them."
