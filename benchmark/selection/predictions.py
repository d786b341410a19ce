"""Making what pages of predictions lack, in this process: a few images by networks that are trained already."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.report.pictures.page_plan import PagePlan
    from benchmark.store import Store


def predicted(plan: "Plan", store: "Store", page_plans: "Sequence[PagePlan]") -> bool:
    """Make the predictions of some pages for which a network is there, and say what failed; False if interrupted.

    Raises BenchmarkError where the store cannot be written.
    """
    from benchmark.execute.display import display, failure_lines
    from benchmark.execute.inline import Inline
    from benchmark.execute.session import make_stages
    from benchmark.report.pictures.page_plan import to_predict

    wanted = to_predict(plan, store, page_plans)
    stages = wanted.pending(store)
    if not stages:
        return True
    store.check_writable()  # before the display starts
    launcher = Inline()
    shown = display(stages, launcher.workers, quiet=False)
    try:
        session = make_stages(wanted, stages, store, launcher, [shown])
    finally:
        shown.close()
    for line in failure_lines(session.outcomes.values(), {stage.key: stage.name for stage in stages}):
        click.echo(line, err=True)
    return not session.interrupted
