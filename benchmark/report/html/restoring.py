"""From what travels inside a page back to a plan and a store, which answer as the first ones did."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.metrics import COUNTS_FILE
from benchmark.report.html.content import Content
from benchmark.report.html.packing import Unpacker
from benchmark.sharing.restoring import restore as restore_run

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.report.html.blocks import Blocks
    from benchmark.store import Store


@dataclass(frozen=True)
class Restored:
    """A plan, and a store that holds what it needs of every finished stage: counts, and what was written down."""

    content: Content
    plan: "Plan"
    store: "Store"


def restore(content: Content, blocks: "Blocks", folder: Path) -> Restored:
    """Write a store into ``folder`` and return it with the plan.

    Raises BenchmarkError where a block is missing or damaged, and where the description does not fit together.
    """
    plan, store = restore_run(content, folder)
    unpacker = Unpacker(blocks, len(content.dataset.classes))
    for key, packed in content.counts.items():
        unpacker.counts(packed).save(store.folder(key) / COUNTS_FILE)
    return Restored(content, plan, store)
