"""Runs of other people, as they stand in a table beside one's own."""

from benchmark.errors import BenchmarkError
from benchmark.metrics import Convention
from benchmark.report.claims.judge import judge
from benchmark.report.scores.estimates import estimate
from benchmark.report.tables.grid import RunResults
from benchmark.sharing.runs import SharedRun
from benchmark.table_files import today


def run_results(run: SharedRun, name: str, convention: Convention = "paper", *, judged: bool = False) -> RunResults:
    """Return what another run says of the table called ``name``, with its judgement where that is asked for.

    Raises BenchmarkError where the run has no such table.
    """
    for table in run.plan.tables:
        if today(table.name) == today(name):
            if judged:
                judgement = judge(run.plan, table, run.store)
                return RunResults(run.name, judgement.results, judgement.draws, judgement.verdicts, run.by)
            return RunResults(run.name, estimate(run.plan, table, run.store, convention), by=run.by)
    known = ", ".join(table.name for table in run.plan.tables)
    raise BenchmarkError(f"run {run.name} has no table {name}, but {known}; leave it out of --against.")
