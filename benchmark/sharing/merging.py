"""Evaluations from an archive as results of one's own store, so that several people fill one table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.execute.messages import job_of
from benchmark.files import write_bytes, write_json
from benchmark.metrics import COUNTS_FILE, Counts, overall_miou
from benchmark.stage import closure

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.sharing.description import Attempt, Record
    from benchmark.sharing.reading import Archive
    from benchmark.sharing.restoring import Restored
    from benchmark.stage import Stage
    from benchmark.store import Store


class Outcome(StrEnum):
    """What became of one evaluation."""

    ADDED = "added"
    SAME = "the same"
    DIFFERS = "differ"  # in its counts from what the store has under the same key
    BUSY = "left out because they are being made here"


@dataclass(frozen=True)
class Merged:
    """One evaluation of an archive.

    Attributes:
        stage: that makes it.
        outcome: what became of it.
        ours, theirs: overall mIoU in percent where counts differ, else ``None``.
    """

    stage: "Stage"
    outcome: Outcome
    ours: float | None = None
    theirs: float | None = None


def merge(archive: "Archive", restored: "Restored", store: "Store") -> Iterator[Merged]:
    """Add the evaluations of an archive to a store, all at once each, and yield what became of them.

    Results that the store has are compared and kept. Raises BenchmarkError where the store cannot be written.
    """
    store.check_writable()
    stages = {stage.key: stage for stage in restored.plan.stages}
    for key in archive.run.evaluations:
        with store.writing():
            added = None if store.find(key) else _add(stages[key], archive, restored, store)
        yield Merged(stages[key], added) if added else _compared(stages[key], restored.store, store)


def _add(stage: "Stage", archive: "Archive", restored: "Restored", store: "Store") -> Outcome | None:
    """Add one evaluation; return ``None`` where another process has just made it."""
    from filelock import Timeout

    store.work(stage.key).mkdir(parents=True, exist_ok=True)
    try:
        with store.lock(stage.key).acquire(blocking=False):
            if store.find(stage.key):
                return None
            _publish(stage, archive, restored, store)
    except (Timeout, FileNotFoundError):  # held, or just published and its folder dropped
        return None if store.find(stage.key) else Outcome.BUSY
    for parent in closure(stage.inputs.values()):
        _describe(parent, restored.plan, store)
    return Outcome.ADDED


def _publish(stage: "Stage", archive: "Archive", restored: "Restored", store: "Store") -> None:
    record = archive.run.stages[stage.key].record
    assert record is not None  # of a finished evaluation, which was checked
    draft = store.draft(stage.key)
    write_bytes(draft / COUNTS_FILE, (restored.store.folder(stage.key) / COUNTS_FILE).read_bytes(), durable=False)
    write_json(draft / "stage.json", job_of(stage, restored.plan, store).spec())
    write_json(draft / "result.json", _result(record, archive))
    store.publish(stage.key, draft)


def _describe(stage: "Stage", plan: "Plan", store: "Store") -> None:
    """Write down what a stage is that was made elsewhere, so that `explain` can say why two results differ."""
    path = store.work(stage.key) / "stage.json"
    if not store.find(stage) and not path.exists():
        write_json(path, job_of(stage, plan, store).spec())


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


def _attempt(attempt: "Attempt", record: "Record") -> Mapping[str, Any]:
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
    own, other = (Counts.load(store.folder(stage.key) / COUNTS_FILE) for store in (ours, theirs))
    if _equal(own, other):
        return Merged(stage, Outcome.SAME)
    return Merged(stage, Outcome.DIFFERS, overall_miou(own), overall_miou(other))


def _equal(a: Counts, b: Counts) -> bool:
    names = ("intersection", "prediction", "ground_truth", "prediction_on_ignored")
    return a.image_ids == b.image_ids and all(np.array_equal(getattr(a, name), getattr(b, name)) for name in names)
