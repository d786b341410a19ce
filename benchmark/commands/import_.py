"""``import``: what somebody else has exported, beside one's own results or among them."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark.errors import Exit
from benchmark.selection.options import store_option
from benchmark.store import Store

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.sharing.merging import Merged
    from benchmark.sharing.reading import Archive
    from benchmark.stage import Stage


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--as", "name", metavar="NAME", help="What to call the run.  [default: FILE without .zip]")
@click.option("--replace", is_flag=True, help="Drop another run that is called so.")
@click.option("--merge", is_flag=True, help="Add the evaluations to the store instead of keeping the run beside it.")
@click.option(
    "--replicates", is_flag=True, help="With --merge: keep counts that differ beside the store's own, as replicates."
)
@store_option
def command(*, file: Path, name: str | None, replace: bool, merge: bool, replicates: bool, store: Path) -> int:
    """Check FILE, an archive that `export` has made, and keep it beside the store; `runs` lists what is there.

    Checked are names, sizes and checksums of all files, that the key of every stage is the digest of what it is said to
    be, and the counts. FILE may be packed again, or the folder that it was unpacked into. With --merge the store itself
    gets the evaluations that it lacks, so that several people's seeds fill one table; those that it has are compared
    and kept, with exit code 4 where the same key has other counts. What differs in how the two were made is named,
    another CPU above all.

    With --replicates these other counts are kept, too, and the exit code is 0. Tables, plots and verdicts go on showing
    the store's own; `table` and `compare` say how far results of the same seeds are apart, beside the spread over
    seeds. `export` leaves replicates out: pass on the archive that they came from.
    """
    from benchmark.sharing.members import packed_file
    from benchmark.sharing.reading import unpacked
    from benchmark.sharing.readme import facts
    from benchmark.sharing.runs import plain_name

    if merge and (name or replace):
        raise click.UsageError("--merge keeps no run of its own: leave out --as and --replace.")
    if replicates and not merge:
        raise click.UsageError("--replicates says what --merge does: add --merge.")
    with packed_file(file) as packed, unpacked(packed) as (archive, plan, theirs):
        click.echo("\n".join(facts(archive.manifest)))
        if merge:
            return _merge(archive, plan, theirs, Store(store), replicates=replicates)
        _keep(archive, plain_name(file) if name is None else name, Store(store), replace=replace)
    return Exit.OK


def _keep(archive: "Archive", name: str, store: Store, *, replace: bool) -> None:
    from benchmark.sharing.runs import file_of, keep

    new = keep(archive, name, store, replace=replace)
    click.echo(f"{'kept' if new else 'it was there already'} as {name}: {file_of(name, store)}")


def _merge(archive: "Archive", plan: "Plan", theirs: Store, store: Store, *, replicates: bool) -> int:
    from benchmark.sharing.merging import MergeOutcome, merge

    found = list(merge(archive, plan, theirs, store, replicates=replicates))
    counted = Counter(one.outcome for one in found)
    always = {MergeOutcome.ADDED, MergeOutcome.SAME, MergeOutcome.KEPT if replicates else MergeOutcome.DIFFERS}
    shown = [outcome for outcome in MergeOutcome if outcome in always or counted[outcome]]
    click.echo(f"evaluations: {', '.join(f'{counted[outcome]} {outcome}' for outcome in shown)}")
    unequal = [one for one in found if one.reason]
    for one in unequal:
        click.echo(_difference(one, plan))
    for reason, times in Counter(one.reason for one in unequal).items():
        click.echo(f"{times} evaluation{'' if times == 1 else 's'}: {reason}")
    if counted[MergeOutcome.DIFFERS] or counted[MergeOutcome.OTHER_DATA]:
        hint = "; --replicates keeps the others beside them" if counted[MergeOutcome.DIFFERS] else ""
        click.echo(f"the same keys have other counts; those of this store are kept{hint}", err=True)
        return Exit.MISSED
    return Exit.INCOMPLETE if counted[MergeOutcome.BUSY] else Exit.OK


def _difference(one: "Merged", plan: "Plan") -> str:
    whose = _whose(one.stage, plan)
    return f"differ: {whose} [{one.stage.key[:12]}]: overall mIoU {one.ours:.4f} here, {one.theirs:.4f} there"


def _whose(stage: "Stage", plan: "Plan") -> str:
    """Return the first cell that rests on an evaluation, and how many others do."""
    first, *others = [cell for cell in plan.cells if cell.stage and cell.stage.key == stage.key]
    more = f" and {len(others)} more" if others else ""
    return f"table {first.table}, {first.row}, {first.column}, seed {first.seed}{more}"
