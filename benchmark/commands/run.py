"""``run``: make what the selected cells need, then print and write their tables."""

import dataclasses
import os
from collections.abc import Mapping, Sequence

import click

from benchmark.errors import Exit
from benchmark.execute.campaigns import HandedOver
from benchmark.execute.display import failure_lines
from benchmark.execute.executors import ConfiguredExecutor, RunRequest
from benchmark.execute.messages import Finished
from benchmark.execute.records import JOB
from benchmark.execute.session import Session
from benchmark.plan import Plan, PlannedCell
from benchmark.provenance import without_commit
from benchmark.ranks import refuse_rival_runners
from benchmark.selection.endings import nothing_selected
from benchmark.selection.executors import executor_options
from benchmark.selection.last_run import absolute, arguments, keep_run
from benchmark.selection.options import Selection, selection_options
from benchmark.selection.overview import listing
from benchmark.selection.soundness import check_data
from benchmark.stage import Stage
from benchmark.store import Store
from benchmark.wording import duration, plural


@click.command()
@selection_options()
@executor_options
@click.option("--dry-run", is_flag=True, help="Show what would be made, and stop.")
@click.option("--first", is_flag=True, help="Make one cell only, in this process or as jobs.")
@click.option("--no-mlflow", is_flag=True, help="Do not mirror the run to MLflow.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
def command(
    *, selection: Selection, executor: ConfiguredExecutor, dry_run: bool, first: bool, no_mlflow: bool, quiet: bool
) -> int:
    """Make the selected cells, then print their tables and write them with their plots.

    What exists is not made again. Ctrl-C saves the state of what is running; the same command goes on from there.
    """
    refuse_rival_runners()
    plan = selection.plan()
    reason = nothing_selected(plan, selection)
    if reason:
        click.echo(reason, err=True)
        return Exit.NOTHING
    wanted = dataclasses.replace(plan, cells=(_first(plan, selection.store),)) if first else plan
    request = RunRequest(
        plan=wanted,
        store=selection.store,
        tables=tuple(map(absolute, selection.tables)),
        selection=tuple(arguments(plan, selection)),
        first=first,
        mlflow=not no_mlflow,
        quiet=quiet,
    )
    if not dry_run:
        from benchmark.execute.healing import heal

        heal(wanted, selection.store, lambda said: click.echo(said, err=True))
    pending = bool(wanted.pending(selection.store))
    if dry_run:
        shown = executor.preview(request) if pending else ""
        click.echo(shown or listing(plan, selection.store, executor.workers))
        return Exit.OK
    ended = Session({}, interrupted=False)
    if pending:
        if executor.again is not None and not os.environ.get(JOB):  # a job's campaign is what `retry` takes up
            keep_run(plan, selection, executor.again, first=first, mlflow=not no_mlflow)
        check_data(wanted, selection.store, quiet=quiet)
        if remark := without_commit():
            click.echo(f"warning: {remark}", err=True)
        made = executor.make(request)
        if isinstance(made, HandedOver):
            return made.code
        ended = made
    return _concluded(plan, wanted, selection, ended, quiet=quiet)


def _concluded(plan: Plan, wanted: Plan, selection: Selection, session: Session, *, quiet: bool) -> int:
    """Say how the stages ended, print and write the tables, and return the exit code."""
    _report(wanted, selection.store, session, quiet=quiet)
    if session.interrupted:
        return Exit.INTERRUPTED
    _publish(plan, selection, quiet=quiet)
    complete = all(selection.store.find(cell.stage) for cell in wanted.cells if cell.stage)
    return Exit.OK if complete else Exit.INCOMPLETE


def _first(plan: Plan, store: Store) -> PlannedCell:
    """Return the first cell that is not done, or else the first."""
    possible = [cell for cell in plan.cells if cell.stage]
    return next((cell for cell in possible if cell.stage and not store.find(cell.stage)), possible[0])


def _report(plan: Plan, store: Store, session: Session, *, quiet: bool) -> None:
    """Say on stderr what failed, with its log, and how many cells are done."""
    names = {stage.key: stage.name for stage in plan.stages}
    ends = session.outcomes.values()
    for line in failure_lines(ends, names):
        click.echo(line, err=True)
    blocked = sum(end.state == "blocked" for end in ends)
    if blocked:
        click.echo(f"{_stages(blocked)} not tried: what they need failed.", err=True)
    if session.interrupted:
        click.echo("interrupted; the state is kept, and the same command goes on from it.", err=True)
    if not quiet:
        click.echo(_summary(plan, store, session.outcomes, plan.stages), err=True)


def _summary(plan: Plan, store: Store, outcomes: Mapping[str, Finished], stages: Sequence[Stage]) -> str:
    possible = [cell.stage for cell in plan.cells if cell.stage]
    done = sum(store.find(stage) is not None for stage in possible)
    made = [end for end in outcomes.values() if end.state == "done" and end.seconds]
    text = f"{done} of {plural(len(possible), 'cell')} done; {_stages(len(made))} of {len(stages)} made now"
    if made:
        text += f" in {duration(sum(end.seconds for end in made))} of stage time"
    missing = len(plan.cells) - len(possible)
    reasons = ", ".join(sorted({f"{cell.row}: {cell.reason}" for cell in plan.cells if not cell.stage}))
    return f"{text}; {plural(missing, 'cell')} cannot be made ({reasons})." if missing else f"{text}."


def _stages(count: int) -> str:
    return plural(count, "stage")


def _publish(plan: Plan, selection: Selection, *, quiet: bool) -> None:
    """Print each table on stdout, and on stderr where its files are."""
    from benchmark.report.publication import publish

    for table in plan.tables:
        if plan.of(table.name):
            text, files = publish(plan, table, selection.store, selection.results_folder())
            click.echo(text)
            if not quiet:
                click.echo("\n".join(f"wrote {path}" for path in files), err=True)
