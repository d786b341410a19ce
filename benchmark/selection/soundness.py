"""Before the first stage: whether the data can serve it, and what will be undefined."""

import dataclasses
from typing import TYPE_CHECKING

import click

from benchmark.errors import BenchmarkError
from benchmark.files import read_json, write_json
from benchmark.validation import validated
from benchmark.wording import gathered, plural

FEW = 500  # images: starting processes would cost more than it saves

if TYPE_CHECKING:
    from benchmark.datasets.layout import Layout
    from benchmark.datasets.preparation.soundness import Sights
    from benchmark.plan import Plan
    from benchmark.store import Store


def check_data(plan: "Plan", store: "Store", *, quiet: bool) -> None:
    """Look once at every listed file of a plan's dataset, and say what its splits will lack; mini is drawn and sound.

    What was seen is kept in the store by the dataset's digest. Raises BenchmarkError with all reasons at once where
    stages would fail or all cells of a split be undefined.
    """
    from benchmark.datasets.catalog import layout_of

    if plan.source == "mini":
        return
    layout = layout_of(plan.source, plan.data_root)
    seen = _seen(layout, plan, store, quiet=quiet)
    splits = [plan.splits[name] for name in dict.fromkeys(cell.split for cell in plan.cells if cell.stage)]
    if faults := list(seen.faults(splits, layout.classes, layout.ignore)):
        raise BenchmarkError("\n".join([f"dataset {layout.name} cannot serve these tables:", *faults]))
    for remark in seen.remarks(splits, layout.classes, layout.ignore):
        click.echo(f"note: {remark}", err=True)


def _seen(layout: "Layout", plan: "Plan", store: "Store", *, quiet: bool) -> "Sights":
    from benchmark.datasets.preparation.soundness import Sights, examined, sights
    from benchmark.execute.machine import available_cores
    from benchmark.selection.progress import progress_bar

    kept = store.root / "data" / f"{plan.dataset.digest}.json"
    known = read_json(kept)
    if isinstance(known, dict):
        return validated(Sights, known, str(kept))
    with progress_bar(f"looking at the images of {layout.name}", quiet=quiet) as observe:
        facts, faults = examined(layout, 0 if len(layout.ids()) < FEW else available_cores(), observe)
    if faults:
        head = f"dataset {layout.name}: {plural(len(faults), 'pair')} of image and mask cannot be used:"
        raise BenchmarkError("\n".join([head, *gathered(faults), "Mend them; `data verify` looks again."]))
    found = sights(layout, facts)
    with store.writing():
        write_json(kept, dataclasses.asdict(found))
    return found
