"""From plan and store to what travels inside a page, and back: a description, and counts as blocks.

Evaluations on the same images share ids and ground truth, so these are kept once.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark import __version__
from benchmark.errors import BenchmarkError
from benchmark.integrity import counts_of
from benchmark.metrics import COUNTS_FILE, EVALUATOR_VERSION, Counts
from benchmark.report.html.blocks import Blocks
from benchmark.report.html.content import Content, GridOf, Packed, maker
from benchmark.sharing.describing import describe
from benchmark.sharing.restoring import restore as restore_run

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.store import Store

_TYPE = np.dtype("<i4")


def pack(counts: Counts, blocks: Blocks) -> Packed:
    """Add counts of n images and K classes to the blocks, and return their names.

    Errors are two arrays (n, K): pixels of the class predicted as another, and pixels of others predicted as it. They
    have more zeros than the arrays of ``Counts``, which follow from them and the ground truth.
    """
    missed, wrong = counts.ground_truth - counts.intersection, counts.prediction - counts.intersection
    return Packed(
        images=blocks.add(json.dumps(counts.image_ids).encode()),
        truth=blocks.add(_bytes(counts.ground_truth)),
        ignored=blocks.add(_bytes(counts.prediction_on_ignored)),
        errors=blocks.add(_bytes(np.stack([missed, wrong]))),
    )


def unpack(packed: Mapping[str, Packed], blocks: Blocks, classes: int) -> Iterator[tuple[str, Counts]]:
    """Yield key and counts of every evaluation, over K classes.

    Raises BenchmarkError where a block is missing, damaged or of another size.
    """
    ids, shared = cache(partial(_ids, blocks)), cache(partial(_array, blocks))
    for key, one in packed.items():
        images = ids(one.images)
        truth, ignored = (shared(name, (1, len(images), classes))[0] for name in (one.truth, one.ignored))
        missed, wrong = _array(blocks, one.errors, (2, len(images), classes))
        hits = truth - missed
        yield key, Counts(images, hits, hits + wrong, truth, ignored)


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
        counts={key: pack(counts_of(store, key), blocks) for key in run.evaluations},
        grids=tuple(grids),
    )


def restore(content: Content, blocks: Blocks, folder: Path) -> "tuple[Plan, Store]":
    """Return a plan, and a store in ``folder`` that holds counts and records of every finished stage.

    Raises BenchmarkError where a block is missing or damaged, and where the description does not fit together.
    """
    plan, store = restore_run(content, folder)
    for key, counts in unpack(content.counts, blocks, len(content.dataset.classes)):
        counts.save(store.folder(key) / COUNTS_FILE)
    return plan, store


def _ids(blocks: Blocks, name: str) -> tuple[str, ...]:
    try:
        return tuple(str(one) for one in json.loads(blocks[name]))
    except (ValueError, TypeError, RecursionError) as error:
        raise BenchmarkError(f"block {name[:12]} is no list of image ids ({error}).") from error


def _array(blocks: Blocks, name: str, shape: tuple[int, int, int]) -> NDArray[np.int32]:
    """Return int32 of the shape (arrays, images, K)."""
    content = blocks[name]
    if len(content) != _TYPE.itemsize * int(np.prod(shape)):
        raise BenchmarkError(f"block {name[:12]} has {len(content)} bytes, which is not an array of size {shape}.")
    return np.frombuffer(content, _TYPE).reshape(shape).astype(np.int32)


def _bytes(array: NDArray[Any]) -> bytes:
    return array.astype(_TYPE).tobytes()
