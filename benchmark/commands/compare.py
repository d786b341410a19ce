"""``compare``: what the paper claims, and what this run says of it."""

import json
from typing import TYPE_CHECKING

import click

from benchmark.errors import Exit
from benchmark.selection.endings import finish
from benchmark.selection.options import Selection, selection_options

if TYPE_CHECKING:
    from benchmark.report.claims.judge import Judgement


@click.command()
@selection_options()
@click.option(
    "--strict",
    is_flag=False,
    flag_value="missed",
    type=click.Choice(["missed", "all"]),
    metavar="[=all]",
    help="Exit with 4 if a value is outside its tolerance or an ordering does not hold; --strict=all: or undecided.",
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(selection: Selection, strict: str | None, as_json: bool) -> None:
    """Judge the claims of tables: printed values, and orderings of rows.

    A value is reproduced, not reproduced, of the right rank only, or undecided with these seeds; then it says how many
    would decide. Values are compared with printed ones at the paper's size alone, orderings everywhere. With --out the
    verdicts are written into that folder as CSV. Exit code 1 while cells that could be run lack seeds.
    """
    from benchmark.report.claims.judge import judge
    from benchmark.report.claims.listing import as_data, as_text
    from benchmark.report.publication import publish_claims

    plan = selection.plan()
    found = [judge(plan, table, selection.store) for table in plan.tables]
    shown = [one for one in found if one.results.estimates]
    if as_json:
        click.echo(json.dumps([as_data(one) for one in shown], indent=1))
    elif shown:
        click.echo("\n".join(map(as_text, shown)), nl=False)
    for one in shown if selection.out else ():
        for path in publish_claims(one, selection.results_folder()):
            click.echo(path, err=True)
    if strict and any(_fails(one, strict) for one in shown):
        click.echo("claims are missed" if strict == "missed" else "claims are missed or undecided", err=True)
        click.get_current_context().exit(Exit.MISSED)
    finish(selection, [one.results for one in found])


def _fails(judgement: "Judgement", strict: str) -> bool:
    return judgement.missed or (strict == "all" and judgement.undecided)
