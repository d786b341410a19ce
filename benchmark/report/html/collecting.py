"""From a plan and a store to what travels inside a page."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from benchmark import __version__
from benchmark.metrics import COUNTS_FILE, EVALUATOR_VERSION, Counts
from benchmark.report.html.blocks import Blocks
from benchmark.report.html.content import Content, GridOf
from benchmark.report.html.maker import maker
from benchmark.report.html.packing import pack
from benchmark.sharing.describing import describe

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.store import Store


def collect(plan: "Plan", store: "Store", blocks: Blocks, grids: Sequence[GridOf] = ()) -> Content:
    """Return the description of a plan as the store stands now, and add the counts to the blocks.

    Raises BenchmarkError for damaged counts.
    """
    run = describe(plan, store)
    return Content(
        **dict(run),
        format=1,
        software=__version__,
        maker=maker(),
        evaluator=EVALUATOR_VERSION,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        counts={key: pack(Counts.load(store.folder(key) / COUNTS_FILE), blocks) for key in run.evaluations},
        grids=tuple(grids),
    )
