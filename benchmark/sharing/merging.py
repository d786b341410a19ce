"""Evaluations from an archive as results of one's own store, so that several people fill one table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.execute.session import job_of
from benchmark.files import write_bytes, write_json
from benchmark.integrity import counts_of, sealed
from benchmark.metrics import COUNTS_FILE, overall_miou
from benchmark.sharing.environments import likely_reason
from benchmark.sharing.replicates import keep
from benchmark.stage import closure
from benchmark.store import RESULT

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.sharing.description import AttemptOf, Record
    from benchmark.sharing.reading import Archive
    from benchmark.stage import Stage
    from benchmark.store import Store


class MergeOutcome(StrEnum):
    """What became of one evaluation."""

    ADDED = "added"
    SAME = "the same"
    DIFFERS = "differ"  # in its counts from what the store has under the same key
    KEPT = "kept as replicates"  # because they differ
    OTHER_DATA = "are of other images or labels"  # although the key is the same
    BUSY = "left out because they are being made here"


@dataclass(frozen=True)
class Merged:
    """One evaluation of an archive.

    Attributes:
        stage: that makes it.
        outcome: what became of it.
        ours, theirs: overall mIoU in percent where counts differ, else ``None``.
        reason: why they may differ, in words; empty where they do not.
    """

    stage: "Stage"
    outcome: MergeOutcome
    ours: float | None = None
    theirs: float | None = None
    reason: str = ""


def merge(
    archive: "Archive", plan: "Plan", theirs: "Store", store: "Store", *, replicates: bool = False
) -> Iterator[Merged]:
    """Add the evaluations of an archive to a store, all at once each, and yield what became of them.

    ``plan`` and ``theirs`` are what the archive unpacks to, ``store`` is one's own.
    Results that the store has are compared and kept; with ``replicates`` other counts are kept beside them. Raises
    BenchmarkError where the store cannot be written.
    """
    store.check_writable()
    stages = {stage.key: stage for stage in plan.stages}
    for key in archive.run.evaluations:
        with store.writing():
            added = None if store.find(key) else _add(stages[key], archive, plan, theirs, store)
            merged = Merged(stages[key], added) if added else _compared(stages[key], theirs, store)
            if replicates and merged.outcome is MergeOutcome.DIFFERS:
                merged = replace(merged, outcome=_keep(merged.stage, archive, theirs, store))
        yield merged


def _add(stage: "Stage", archive: "Archive", plan: "Plan", theirs: "Store", store: "Store") -> MergeOutcome | None:
    """Add one evaluation; return ``None`` where another process has just made it."""
    from filelock import Timeout

    store.work(stage.key).mkdir(parents=True, exist_ok=True)
    try:
        with store.lock(stage.key).acquire(blocking=False):
            if store.find(stage.key):
                return None
            _publish(stage, archive, plan, theirs, store)
    except (Timeout, FileNotFoundError):  # held, or just published and its folder dropped
        return None if store.find(stage.key) else MergeOutcome.BUSY
    for parent in closure(stage.inputs.values()):
        _describe(parent, plan, store)
    return MergeOutcome.ADDED


def _publish(stage: "Stage", archive: "Archive", plan: "Plan", theirs: "Store", store: "Store") -> None:
    draft = store.draft(stage.key)
    write_bytes(draft / COUNTS_FILE, (theirs.folder(stage.key) / COUNTS_FILE).read_bytes(), durable=False)
    write_json(draft / "stage.json", job_of(stage, plan, store).spec())
    write_json(draft / RESULT, sealed(stage.key, _result(_record(stage, archive), archive), draft))
    store.publish(stage.key, draft)


def _describe(stage: "Stage", plan: "Plan", store: "Store") -> None:
    """Write down what a stage is that was made elsewhere, so that `explain` can say why two results differ."""
    path = store.work(stage.key) / "stage.json"
    if not store.find(stage) and not path.exists():
        write_json(path, job_of(stage, plan, store).spec())


def _record(stage: "Stage", archive: "Archive") -> "Record":
    record = archive.run.stages[stage.key].record
    assert record is not None  # of a finished evaluation, which was checked
    return record


def _result(record: "Record", archive: "Archive") -> dict[str, Any]:
    """Return ``result.json``. Its provenance says from which archives it came, oldest first."""
    origin = {"archive": archive.digest, "by": archive.manifest.by, "created": archive.manifest.created}
    before = record.provenance.get("imported")
    times = {name: getattr(record, name) for name in ("started", "finished", "wall_seconds", "cpu_seconds")}
    return {
        "summary": {},
        **times,
        "provenance": {**record.provenance, "imported": [*(before if isinstance(before, list) else ()), origin]},
        "attempts": [_attempt(one, record) for one in record.attempts],
    }


def _attempt(attempt: "AttemptOf", record: "Record") -> Mapping[str, Any]:
    """Return an attempt as the store keeps it; when those before the last began, and where, nobody told."""
    made_it = attempt.state == "done"
    return {
        "number": attempt.number,
        "state": attempt.state,
        "started": record.started or None if made_it else None,
        "finished": record.finished or None if made_it else None,
        "seconds": attempt.seconds,
        "host": "",
        "pid": None,
        "error": "",
    }


def _compared(stage: "Stage", theirs: "Store", ours: "Store") -> Merged:
    own, other = (counts_of(store, stage.key) for store in (ours, theirs))
    if own.equals(other):
        return Merged(stage, MergeOutcome.SAME)
    values = overall_miou(own), overall_miou(other)
    if own.image_ids != other.image_ids or not np.array_equal(own.ground_truth, other.ground_truth):
        return Merged(
            stage, MergeOutcome.OTHER_DATA, *values, "scored on other images or labels, which no environment does"
        )
    return Merged(stage, MergeOutcome.DIFFERS, *values, likely_reason(stage, ours, theirs))


def _keep(stage: "Stage", archive: "Archive", theirs: "Store", store: "Store") -> MergeOutcome:
    """Keep an evaluation as a replicate of the store's own."""
    counts = theirs.folder(stage.key) / COUNTS_FILE
    keep(counts, _result(_record(stage, archive), archive), stage.key, store)
    return MergeOutcome.KEPT
