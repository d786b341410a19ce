"""The store: finished stages by key, immutable; and beside them the work on those not finished.

``stages/<key[:2]>/<key>/`` holds what a stage's function wrote, ``stage.json`` (what it was), ``result.json``
(what came out and how), ``curves.jsonl``, ``log.txt`` and ``attempts/<number>/`` with record, log and error of every
attempt. ``work/<key>/`` holds the lock, attempts, checkpoints (``scratch/``), progress and curves of a stage that is
being made, was interrupted or failed; of a stage that was made elsewhere, and on which an imported result rests, it
holds ``stage.json`` alone. ``replicates/<key>/`` holds other counts of an evaluation that is finished here
(``benchmark.sharing.replicates``). ``damaged/`` holds results that were found changed (``benchmark.integrity``).
"""

import os
import re
import shutil
import socket
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmark.errors import BenchmarkError
from benchmark.files import naming, read_json, sync, sync_tree
from benchmark.stage import Stage

if TYPE_CHECKING:
    from filelock import BaseFileLock

State = Literal["done", "running", "failed", "interrupted", "missing"]
KEY = re.compile(r"[0-9a-f]{64}")
SHORTEST_PREFIX = 4
RESULT = "result.json"  # which a folder has that is complete
SILENT_AFTER = 60.0  # seconds without a heartbeat after which an attempt on another machine counts as dead
PROBE_SECONDS = 600.0  # after which what tries whether a store can be written is nobody's
WAY_OUT = "Nothing finished is lost. Free space or change permissions, or choose another folder with --store."


class DamagedResultError(BenchmarkError):
    """A result in a store is not what was put there (``benchmark.integrity``)."""


@dataclass(frozen=True)
class Store:
    """A folder of results. Making the object touches nothing; a store that is not there is empty."""

    root: Path

    def folder(self, key: str) -> Path:
        """Return where the result of a stage is, or will be."""
        return self.root / "stages" / key[:2] / key

    def work(self, key: str) -> Path:
        """Return the folder of attempts, checkpoints and progress of a stage that is not complete."""
        return self.root / "work" / key

    def find(self, stage: Stage | str) -> Path | None:
        """Return the folder of a complete result, or ``None``."""
        folder = self.folder(stage if isinstance(stage, str) else stage.key)
        return folder if (folder / RESULT).is_file() else None

    def find_anew(self, key: str) -> Path | None:
        """Return what ``find`` does, but for what a network file system remembers of an earlier question."""
        with suppress(OSError):
            os.scandir(self.folder(key).parent).close()  # opening a folder makes NFS ask for what is new
        return self.find(key)

    def result(self, key: str) -> dict[str, Any]:
        """Return ``result.json``: summary, times, provenance, attempts. Raises BenchmarkError where there is none."""
        return self._json(self.folder(key) / RESULT)

    def spec(self, key: str) -> dict[str, Any]:
        """Return ``stage.json`` of a stage that is complete, has been attempted, or has an imported result as user."""
        return self._json((self.find(key) or self.work(key)) / "stage.json")

    def keys(self) -> Iterator[str]:
        """Yield the keys of all complete results, sorted."""
        for folder in sorted((self.root / "stages").glob("??/*")):
            if KEY.fullmatch(folder.name) and self.find(folder.name):
                yield folder.name

    def unfinished(self) -> Iterator[str]:
        """Yield the keys of stages that were attempted and are not complete, sorted."""
        for folder in sorted((self.root / "work").glob("*")):
            if KEY.fullmatch(folder.name) and self.attempts(folder.name) and not self.find(folder.name):
                yield folder.name

    def resolve(self, prefix: str) -> str:
        """Return the one key that starts with ``prefix``. Raises BenchmarkError for none, several, or too short."""
        return resolve_prefix(prefix, [*self.keys(), *self.unfinished()], f"store {self.root}")

    def attempts(self, key: str) -> list[dict[str, Any]]:
        """Return the records of a stage's attempts, oldest first (``benchmark.execute.records``)."""
        if self.find(key):
            return list(self.result(key).get("attempts", []))
        folders = sorted(self.work(key).glob("attempts/[0-9]*"), key=lambda folder: int(folder.name))
        records = (read_json(folder / "attempt.json") for folder in folders)
        return [record for record in records if isinstance(record, dict) and "state" in record]

    def attempt_folder(self, key: str, number: int) -> Path:
        """Return the folder with record, log and error of one attempt; old results may lack it."""
        return (self.find(key) or self.work(key)) / "attempts" / str(number)

    def checkpoint_time(self, key: str) -> float:
        """Return when the newest file in ``scratch/`` was written, in seconds since the epoch; 0 for none."""
        files = (path for path in (self.work(key) / "scratch").rglob("*") if path.is_file())
        return max(map(_written, files), default=0.0)

    def last_sign(self, key: str, number: int) -> float:
        """Return when an attempt at an unfinished stage last wrote something, in seconds since the epoch."""
        work, folder = self.work(key), self.attempt_folder(key, number)
        signs = (work / "curves.jsonl", work / "progress.json", folder / "log.txt", folder / "attempt.json")
        return max(map(_written, signs))

    def state(self, key: str) -> State:
        """Return how a stage stands; an attempt whose process died unheard counts as interrupted."""
        if self.find(key):
            return "done"
        attempts = self.attempts(key)
        if not attempts:
            return "missing"
        if self.locked(key):
            return "running"
        return "failed" if attempts[-1]["state"] == "failed" else "interrupted"

    def lock(self, key: str) -> "BaseFileLock":
        """Return the lock that whoever makes the stage holds; the system frees it when that process dies."""
        from filelock import FileLock

        return FileLock(self.work(key) / "lock")

    def locked(self, key: str) -> bool:
        """Return whether some process is making the stage now, on whatever machine."""
        return self._lock_is_held(key) or self.made_elsewhere(key) is not None

    def made_elsewhere(self, key: str) -> dict[str, Any] | None:
        """Return the record of the attempt that a process of another machine is at; ``None`` for none.

        This is for file systems that keep locks to one machine. Whether the process lives is told by the heartbeat of
        its attempt, by the file system's own clock. Jobs of a queue do not count: the queue knows more of them.
        """
        attempts = self.attempts(key)
        last: dict[str, Any] = attempts[-1] if attempts else {"state": ""}
        if last["state"] != "running" or last.get("job") or last.get("host", "") in {"", socket.gethostname()}:
            return None
        beat = _written_anew(self.heartbeat(key, last["number"]))
        return last if self._now(key) - beat < SILENT_AFTER else None

    def heartbeat(self, key: str, number: int) -> Path:
        """Return the file that is touched as long as a process works on an attempt."""
        return self.attempt_folder(key, number) / "heartbeat"

    def _now(self, key: str) -> float:
        """Return the time by the clock that dates what is written to the store."""
        probe = self.work(key) / f".clock-{uuid.uuid4().hex}"
        try:
            probe.touch()
            return _written(probe)
        except OSError:  # not ours to write
            return time.time()
        finally:
            with suppress(OSError):
                probe.unlink()

    def _lock_is_held(self, key: str) -> bool:
        from filelock import Timeout

        if not (self.work(key) / "lock").exists():
            return False
        try:
            with self.lock(key).acquire(blocking=False):
                return False
        except Timeout:
            return True
        except OSError:  # not ours to write: nobody can say
            return False

    def writing(self) -> AbstractContextManager[None]:
        """Turn errors of the disk into BenchmarkError while something is written to the store."""
        return naming(self.root, WAY_OUT)

    def check_writable(self) -> None:
        """Raise BenchmarkError where the store cannot be written, or its file system knows no locks."""
        probe = self.root / "work" / f".probe-{uuid.uuid4().hex}"
        with self.writing():
            for old in probe.parent.glob(".probe-*"):
                if time.time() - _written(old) > PROBE_SECONDS:  # of a process that was killed
                    shutil.rmtree(old, ignore_errors=True)
            probe.mkdir(parents=True)
            try:
                self._check_locks(probe / "lock")
            finally:
                shutil.rmtree(probe)

    def draft(self, key: str) -> Path:
        """Return a new empty folder beside the place of the result. Call with the lock held: older drafts go away."""
        final = self.folder(key)
        final.parent.mkdir(parents=True, exist_ok=True)
        for leftover in final.parent.glob(f".{key}.*"):
            shutil.rmtree(leftover, ignore_errors=True)
        folder = final.parent / f".{key}.{uuid.uuid4().hex}"
        folder.mkdir()
        return folder

    def publish(self, key: str, draft: Path) -> Path:
        """Make a draft the result, all at once, and drop the work on it. Call with the lock held.

        A result that is there already, made by a machine that does not see the lock, stays as it is.
        """
        final = self.folder(key)
        sync_tree(draft)
        if not self.find_anew(key):
            if final.exists():  # without result.json: damaged from outside
                final.rename(final.parent / f".{key}.{uuid.uuid4().hex}.damaged")
            try:
                draft.rename(final)
            except OSError:
                if not self.find_anew(key):
                    raise
            sync(final.parent)
        for leftover in (self.work(key), *final.parent.glob(f".{key}.*")):
            shutil.rmtree(leftover, ignore_errors=True)
        return final

    def drop_leftovers(self, key: str) -> None:
        """Drop the work on a complete stage, which a kill between publishing and clean-up left behind."""
        leftovers = [self.work(key), *self.folder(key).parent.glob(f".{key}.*")]
        if any(place.is_dir() for place in leftovers) and self.find(key) and not self.locked(key):
            for place in leftovers:
                shutil.rmtree(place, ignore_errors=True)

    def _check_locks(self, path: Path) -> None:
        import fcntl

        with path.open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise BenchmarkError(
                    f"the file system of {self.root} takes no locks ({error.strerror}), by which runs keep off each "
                    f"other's stages. Mount it with locks (NFS: with its lock service; Lustre: flock), or choose "
                    f"another folder with --store."
                ) from error

    def _json(self, path: Path) -> dict[str, Any]:
        content = read_json(path)
        if not isinstance(content, dict) or not content:
            state = "is damaged" if path.exists() else "does not exist"
            raise BenchmarkError(f"{path} {state}; delete its folder and run again.")
        return content


def _written_anew(path: Path) -> float:
    """Return when a file was written, 0 where it is not there: opening it makes NFS ask for what is new."""
    try:
        with path.open("rb") as stream:
            return os.fstat(stream.fileno()).st_mtime
    except OSError:
        return 0.0


def _written(path: Path) -> float:
    """Return when a file was written, 0 where it is not there (any more)."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def check_prefix(prefix: str) -> None:
    """Raise BenchmarkError unless ``prefix`` can be the beginning of a key."""
    if not re.fullmatch(rf"[0-9a-f]{{{SHORTEST_PREFIX},64}}", prefix):
        raise BenchmarkError(f"{prefix!r} is no key: write at least {SHORTEST_PREFIX} of its hexadecimal digits.")


def resolve_prefix(prefix: str, keys: Iterable[str], where: str) -> str:
    """Return the one key that starts with ``prefix``, at least four hexadecimal digits."""
    check_prefix(prefix)
    found = sorted({key for key in keys if key.startswith(prefix)})
    if len(found) == 1:
        return found[0]
    if not found:
        raise BenchmarkError(f"no stage in {where} has a key that starts with {prefix}.")
    shown = ", ".join(key[:12] for key in found[:5])
    raise BenchmarkError(f"{len(found)} keys in {where} start with {prefix}: {shown}; write more digits.")
