"""``table``: a table of the paper with this run's numbers in it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

import click

from benchmark.comma_lists import split_names
from benchmark.completion import values as offered
from benchmark.errors import BenchmarkError
from benchmark.selection.endings import finish
from benchmark.selection.options import Selection, selection_options, table_metavar

if TYPE_CHECKING:
    from benchmark.metrics import Convention
    from benchmark.plan import Plan
    from benchmark.report.claims.judge import Judgement
    from benchmark.report.scores.estimates import Results
    from benchmark.report.tables import CellSpec, Format, RunResults
    from benchmark.sharing.runs import SharedRun
    from benchmark.store import Store
    from benchmark.tables import Table

FORMATS = ("text", "csv", "latex", "macros", "markdown", "html")
CONVENTIONS = ("paper", "detectron2", "mmseg")
PAPER = "paper"
ANY_RUN = "run"


@click.command("table")
@click.argument("name", metavar=table_metavar(), shell_complete=offered.several_of(offered.tables, path=True))
@click.option(
    "--format",
    "style",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="What to print; macros: a LaTeX command for every number.",
)
@click.option(
    "--columns",
    callback=split_names,
    metavar="NAME,...",
    help="What to show of each cell, in this order: ours, sd, interval (over seeds), images (interval over test "
    "images), difference, verdict, seeds, replicates (how far the same seeds are from those that `import --merge "
    "--replicates` kept), base, miou (of all classes), and the names in --against.  "
    "[default: ours,sd,paper; in LaTeX and HTML ours,interval,paper and, if values compare, difference]",
)
@click.option(
    "--against",
    callback=split_names,
    default=PAPER,
    show_default=True,
    metavar="paper|run|NAME|FILE,...",
    help="Whose values stand beside those of this run: the printed ones, and runs of others, by the names under which "
    "they were imported or as files of `export`; run: the only one that was imported.",
)
@click.option("--precision", type=int, help="Decimals of what was computed.  [default: as printed; four in CSV]")
@click.option(
    "--convention",
    type=click.Choice((*CONVENTIONS, "all")),
    default="paper",
    show_default=True,
    help="How the mean IoU is computed; all: in each way, and which explains the printed values best.",
)
@selection_options(table="none")
def command(
    selection: Selection,
    name: str,
    style: "Format",
    columns: tuple[str, ...] | None,
    against: tuple[str, ...],
    precision: int | None,
    convention: str,
) -> None:
    """Print a table of the paper, or of a file of your own; all is every one before it.

    Cells without a number say why: not run, failed, not available yet. With --out every format, the plot and the
    provenance are written into that folder too. Exit code 1 while cells that could be run lack seeds.
    """
    changed = bool(columns or precision is not None or against != (PAPER,))
    _check(selection, style, convention, changed=changed)
    chosen = selection.with_tables([name])
    plan = chosen.plan()
    if convention == "all":
        found = [_in_every_convention(plan, table, selection.store, style) for table in plan.tables]
        _print([text for _, text in found] if plan.cells else [])
        return finish(chosen, [results for results, _ in found])
    with _shown(selection, columns or (), against, precision, cast("Convention", convention)) as shown:
        made = [shown.of(plan, table, selection) for table in plan.tables]
        _print([shown.printed(one, style) for one in made] if plan.cells else [])
        for one in made if plan.cells else ():
            shown.publish(one, selection)
    return finish(chosen, [one.results for one in made])


class _Made(NamedTuple):
    """What this run says of a table, with verdicts where they are shown or written, and what other runs say."""

    results: "Results"
    judgement: "Judgement | None"
    others: "list[RunResults]"


@dataclass(frozen=True)
class _Shown:
    """What is shown of each cell, beside whose runs, and how the mean IoU is computed."""

    spec: "CellSpec"
    runs: "tuple[SharedRun, ...]"
    convention: "Convention"

    def of(self, plan: "Plan", table: "Table", selection: Selection) -> _Made:
        from benchmark.report.claims.judge import judge
        from benchmark.report.scores.estimates import estimate
        from benchmark.report.tables.run_results import run_results

        judged = self.spec.judged or selection.out is not None
        judgement = judge(plan, table, selection.store) if judged else None
        results = judgement.results if judgement else estimate(plan, table, selection.store, self.convention)
        others = [run_results(run, table.name, self.convention, judged=self.spec.judged) for run in self.runs]
        return _Made(results, judgement, others)

    def printed(self, made: _Made, style: "Format") -> str:
        """Return how a table looks in one format."""
        from benchmark.report.tables import render

        return render(made.judgement or made.results, style, self.spec, made.others)

    def publish(self, made: _Made, selection: Selection) -> None:
        """Write a table in every format and say on stderr where, if a folder was named."""
        from benchmark.report.publication import publish_judged

        if selection.out is None or made.judgement is None:
            return
        _, paths = publish_judged(made.judgement, selection.store, selection.out, self.spec, made.others)
        for path in paths:
            click.echo(path, err=True)


@contextmanager
def _shown(
    selection: Selection,
    columns: tuple[str, ...],
    against: tuple[str, ...],
    precision: int | None,
    convention: "Convention",
) -> Iterator[_Shown]:
    """Open the runs that are asked for, as long as tables are made of them."""
    from benchmark.report.tables import CellSpec
    from benchmark.sharing.runs import opened

    with opened([_named(name, selection.store) for name in against if name != PAPER], selection.store) as runs:
        names = iter(run.name for run in runs)
        spec = CellSpec(columns, tuple(name if name == PAPER else next(names) for name in against), precision)
        if spec.judged and convention != PAPER:
            raise BenchmarkError(
                f"verdicts and intervals over images are the paper's convention's, not {convention}'s."
            )
        yield _Shown(spec, runs, convention)


def _named(name: str, store: "Store") -> str:
    """Return the name of a run; ``run`` stands for the only one. Raises BenchmarkError where that is not clear."""
    if name != ANY_RUN:
        return name
    from benchmark.sharing.runs import imported

    known = imported(store)
    if len(known) != 1:
        listed = f"there are {', '.join(known)}; name them" if known else "there is none; `import FILE` adds one"
        raise BenchmarkError(f"--against run means the only run that was imported, but {listed}.")
    return known[0]


def _check(selection: Selection, style: str, convention: str, *, changed: bool) -> None:
    """Raise BenchmarkError for options that do not go together."""
    if convention != PAPER and selection.out:
        raise BenchmarkError(
            f"--out writes tables in the paper's convention; leave it out, or --convention {convention}."
        )
    if convention == "all" and style not in {"text", "csv"}:
        raise BenchmarkError(f"--convention all is printed as text or csv, not as {style}; choose one of these.")
    if convention == "all" and changed:
        raise BenchmarkError("--convention all has columns of its own; leave out --columns, --against and --precision.")


def _in_every_convention(plan: "Plan", table: "Table", store: "Store", style: "Format") -> "tuple[Results, str]":
    from benchmark.report.claims import forensics_listing as findings
    from benchmark.report.claims.forensics import examine

    found = examine(plan, table, store)
    return found.results, findings.as_csv(found) if style == "csv" else findings.as_text(found)


def _print(texts: Sequence[str]) -> None:
    if texts:
        click.echo("\n".join(texts), nl=False)
