"""How commands on a selection end: nothing matched, cells are missing, or all is well."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from benchmark.errors import Exit
from benchmark.wording import form, plural, tally

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.report.scores.estimates import Results
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


def finish(selection: "Selection", tables: "Sequence[Results]") -> None:
    """Say on stderr what is missing, and exit with the code that says so too."""
    context = click.get_current_context()
    if not any(results.estimates for results in tables):
        click.echo(f"nothing matches: {selection}.", err=True)
        context.exit(Exit.NOTHING)
    incomplete = [results for results in tables if results.holes]
    for results in incomplete:
        click.echo(_holes(results), err=True)
    context.exit(Exit.INCOMPLETE if incomplete else Exit.OK)


def _holes(results: "Results") -> str:
    states = [cell.status for cell in results.holes]
    of_all = f"{len(states)} of {plural(len(results.estimates), 'cell')} {form(len(states), 'lacks', 'lack')} seeds"
    return f"table {results.table.name}: {of_all} ({tally(states)}); `run` with the same options makes them."
