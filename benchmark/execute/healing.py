"""Before stages are made: what is damaged goes aside, so that they are made anew."""

from collections.abc import Callable

from benchmark.errors import BenchmarkError
from benchmark.integrity import counts_of, input_faults, set_aside
from benchmark.plan import Plan
from benchmark.store import Store


def heal(plan: Plan, store: Store, tell: Callable[[str], None]) -> None:
    """Set aside what is damaged of what a plan rests on, so that it is made anew, and tell of it.

    These are the counts of its complete cells, and the inputs of the stages that are not complete. What a kill between
    publishing and clean-up left of complete stages goes away.
    """
    for cell in plan.cells:
        if cell.stage and store.find(cell.stage):
            try:
                counts_of(store, cell.stage.key)
            except BenchmarkError as error:
                tell(f"warning: {error} It was moved to {set_aside(store, cell.stage.key)}.")
    checked: set[str] = set()
    while True:
        inputs = {parent.key for stage in plan.pending(store) for parent in stage.inputs.values() if store.find(parent)}
        found = {key: input_faults(store, key) for key in sorted(inputs - checked)}
        checked |= inputs
        damaged = {key: wrong for key, wrong in found.items() if wrong}
        for key, wrong in damaged.items():
            tell(f"warning: {wrong[0]}. The result was moved to {set_aside(store, key)} and is made anew.")
        if not damaged:
            break
    for stage in plan.stages:
        store.drop_leftovers(stage.key)
