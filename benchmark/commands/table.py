"""``table``: a table of the paper with this run's numbers in it."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

import click

from benchmark.commands.options import Selection, selection_options
from benchmark.errors import BenchmarkError, Exit

if TYPE_CHECKING:
    from benchmark.metrics import Convention
    from benchmark.plan import Plan
    from benchmark.report import Sheet
    from benchmark.report.tables import Format
    from benchmark.store import Store
    from benchmark.tables import Table

FORMATS = ("text", "csv", "latex", "markdown")
CONVENTIONS = ("paper", "detectron2", "mmseg")


@click.command("table")
@click.argument("name", metavar="N")
@click.option("--format", "style", type=click.Choice(FORMATS), default="text", show_default=True, help="What to print.")
@click.option(
    "--convention",
    type=click.Choice((*CONVENTIONS, "all")),
    default="paper",
    show_default=True,
    help="How the mean IoU is computed; all: in each way, and which explains the printed values best.",
)
@selection_options(table="none")
def command(selection: Selection, name: str, style: "Format", convention: str) -> None:
    """Print table N: 1, 2, 3, baselines, stages, all, course, or the path of a table file.

    Cells without a number say why: not run, failed, not available yet. With --out every format, the plot and the
    provenance are written into that folder too. Exit code 1 while cells that could be run lack seeds.
    """
    _check(selection, style, convention)
    from benchmark.report import publish

    chosen = selection.with_tables([name])
    plan = chosen.plan()
    show = _in_every_convention if convention == "all" else partial(_in_one, convention=cast("Convention", convention))
    shown = [show(plan, table, selection.store, style) for table in plan.tables]
    if plan.cells:
        click.echo("\n".join(text for _, text in shown), nl=False)
    if selection.out and plan.cells:
        for table in plan.tables:
            for path in publish(plan, table, selection.store, selection.out).files:
                click.echo(path, err=True)
    finish(chosen, [sheet for sheet, _ in shown])


def _check(selection: Selection, style: str, convention: str) -> None:
    """Raise BenchmarkError for options that do not go together."""
    if convention != "paper" and selection.out:
        raise BenchmarkError(
            f"--out writes tables in the paper's convention; leave it out, or --convention {convention}."
        )
    if convention == "all" and style not in {"text", "csv"}:
        raise BenchmarkError(f"--convention all is printed as text or csv, not as {style}; choose one of these.")


def _in_one(
    plan: "Plan", table: "Table", store: "Store", style: "Format", convention: "Convention"
) -> "tuple[Sheet, str]":
    from benchmark.report import estimate
    from benchmark.report.tables import render

    sheet = estimate(plan, table, store, convention)
    return sheet, render(sheet, style)


def _in_every_convention(plan: "Plan", table: "Table", store: "Store", style: "Format") -> "tuple[Sheet, str]":
    from benchmark.report import findings
    from benchmark.report.forensics import examine

    found = examine(plan, table, store)
    return found.sheet, findings.as_csv(found) if style == "csv" else findings.as_text(found)


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
