"""The attempts at a stage as the store has them: the one that made it, those that failed or died, the one that runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.errors import BenchmarkError

if TYPE_CHECKING:
    from benchmark.store import Store

RUNNING = "RUNNING"
_STATUS = {"done": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
_LOG_FILES = ("log.txt", "error.txt")
_RESULT_FILES = ("stage.json", "result.json", "counts.npz", "curves.jsonl", "log.txt")


@dataclass(frozen=True)
class Attempt:
    """One attempt at a stage.

    Attributes:
        key: of the stage.
        record: what the store says of the attempt: number, state, started, finished, error.
        spec: content of ``stage.json``.
        result: content of ``result.json`` where this attempt made it.
        curves: the file of the stage's curves; it may not exist (yet).
        until: later points of the curves, in seconds since the epoch, are of later attempts; ``None``: there are none.
        files: what is worth keeping beside the run.
    """

    key: str
    record: Mapping[str, Any]
    spec: Mapping[str, Any]
    result: Mapping[str, Any] | None
    curves: Path
    until: float | None
    files: tuple[Path, ...]

    @property
    def number(self) -> str:
        """``1`` for the first."""
        return str(self.record["number"])

    @property
    def status(self) -> str:
        """How it stands, in MLflow's words: RUNNING, FINISHED, FAILED or KILLED."""
        return _STATUS.get(self.record["state"], RUNNING)

    @property
    def started(self) -> float:
        """Seconds since the epoch."""
        return float(self.record["started"])

    @property
    def finished(self) -> float | None:
        """Seconds since the epoch; of an attempt that died unheard its last sign of life; ``None`` while it runs."""
        ended = self.record.get("finished")
        return None if ended is None else float(ended)

    @property
    def error(self) -> str:
        """Why it failed, or an empty string."""
        return str(self.record.get("error") or "")

    @property
    def tags(self) -> dict[str, str]:
        """Which attempt it is, and on which machine and as which job of a cluster it ran."""
        where = {name: str(self.record[name]) for name in ("host", "node", "job") if self.record.get(name)}
        return {"attempt": self.number, **where}

    @property
    def name(self) -> str:
        """What the run is called: the stage's name, and the number of a repetition."""
        return str(self.spec["name"]) + (f" (attempt {self.number})" if self.number != "1" else "")

    @property
    def experiment(self) -> str:
        """MLflow's experiment: one for each dataset."""
        cells = self.spec["cells"]
        return f"weak-shot segmentation, {cells[0]['dataset']}" if cells else "weak-shot segmentation"


def executed(store: "Store") -> Iterator[str]:
    """Yield the keys of all stages that were attempted, complete ones first."""
    yield from store.keys()
    yield from store.unfinished()


def attempts(store: "Store", key: str) -> list[Attempt]:
    """Return the attempts at a stage, oldest first. Raises BenchmarkError for damaged files of the store."""
    if not store.find(key):
        try:
            found = _unfinished(store, key)
        except (BenchmarkError, OSError):
            if not store.find(key):
                raise
        else:
            if not store.find(key):  # else it was published, and its work dropped, while we read
                return found
    return _complete(store, key)


def _complete(store: "Store", key: str) -> list[Attempt]:
    folder, spec, result = store.folder(key), store.spec(key), store.result(key)
    files = tuple(folder / name for name in _RESULT_FILES if (folder / name).is_file())
    found = []
    records = [record for record in store.attempts(key) if record.get("started")]  # of imported ones the last
    for record, until in zip(records, _last_points(records), strict=True):
        made_it = record["state"] == "done"
        logs = (store.attempt_folder(key, record["number"]) / name for name in _LOG_FILES)
        kept = files if made_it else (folder / "stage.json", *(log for log in logs if log.is_file()))
        known = record if record["state"] != "running" else _dead(record, record["started"])
        made = result if made_it else None
        found.append(Attempt(key, known, spec, made, folder / "curves.jsonl", until, kept))
    return found


def _unfinished(store: "Store", key: str) -> list[Attempt]:
    # A record says "running" only while its process holds the lock. Who reads so twice, and finds the lock free in
    # between, knows that the process died.
    running = [record["number"] for record in store.attempts(key) if record["state"] == "running"]
    alive = bool(running) and store.locked(key)
    records = store.attempts(key)
    work, spec = store.work(key), store.spec(key) if records else {}
    found = []
    for record, until in zip(records, _last_points(records), strict=True):
        folder = store.attempt_folder(key, record["number"])
        superseded = record["number"] != records[-1]["number"]
        if record["state"] == "running" and (superseded or (record["number"] in running and not alive)):
            record = _dead(record, store.last_sign(key, record["number"]))
        files = (work / "stage.json", *(folder / name for name in _LOG_FILES))
        kept = tuple(file for file in files if file.is_file())
        found.append(Attempt(key, record, spec, None, work / "curves.jsonl", until, kept))
    return found


def _last_points(records: Sequence[Mapping[str, Any]]) -> list[float | None]:
    """Return until when the points of each attempt go.

    The end of one that died is known from times of files, which other clocks than that of the points have given.
    """
    next_begins = [*(record["started"] for record in records), None][1:]
    died = [record["state"] == "running" or record.get("died", False) for record in records]
    return [
        begin if dead else record["finished"] for record, dead, begin in zip(records, died, next_begins, strict=True)
    ]


def _dead(record: Mapping[str, Any], last_sign: float) -> dict[str, Any]:
    """Return the record of an attempt whose process died before it could write how it ended."""
    return {**record, "state": "interrupted", "finished": last_sign}
