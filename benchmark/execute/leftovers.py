"""What lies in a store and nobody needs any more, and its removal while others may be at work there."""

import re
import shutil
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from benchmark.files import read_json
from benchmark.store import KEY, Store

QUIET = 3600.0  # seconds without a change before a draft or a probe counts as left behind: none takes so long
UNPLANNED = "result of no plan"
_DRAFT = re.compile(r"\..+\.tmp|\.clock-[0-9a-f]{32}")


class Leftover(NamedTuple):
    """A file or folder that is not needed: why, where, its bytes, and the stage whose lock guards it, if any."""

    kind: str
    path: Path
    size: int
    key: str = ""


def leftovers(store: Store, seconds: float, planned: Collection[str] | None) -> list[Leftover]:
    """Return what could go, by kind.

    Args:
        store: to look into.
        seconds: without a change after which unfinished work counts as abandoned, and a result as old.
        planned: keys of the results that stay; ``None`` for all. All stay while anything runs or is to run.
    """
    waiting = _waiting(store)
    found = [*_drafts(store), *_set_aside(store), *_work(store, seconds, waiting), *_code(store)]
    if planned is not None and not busy(store):
        found += _results(store, seconds, planned)
    return found


def busy(store: Store) -> bool:
    """Return whether a stage is being made, or a campaign has stages that are not complete."""
    return bool(_waiting(store)) or not _all_read(store) or any(map(store.locked, _unfinished(store)))


def remove(one: Leftover, store: Store) -> bool:
    """Remove a leftover; return False where somebody has begun to use it.

    Raises BenchmarkError where it cannot be removed, as ``Store.writing`` says it.
    """
    from filelock import Timeout

    with store.writing():
        if one.kind == UNPLANNED and busy(store):  # a run that began since may need it
            return False
        if not one.key or not store.work(one.key).is_dir():
            _delete(one.path)
            return True
        if store.locked(one.key):
            return False
        try:
            with store.lock(one.key).acquire(blocking=False):
                _delete(one.path)
        except Timeout:
            return False
    return True


def _delete(path: Path) -> None:
    """Remove a file or folder; a folder bears the name of a draft first, so that half of one is never taken for it."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    doomed = path.with_name(f".{path.name.lstrip('.')}.{uuid.uuid4().hex}.tmp")
    path.rename(doomed)
    shutil.rmtree(doomed)


def _drafts(store: Store) -> Iterator[Leftover]:
    """Yield probes, and what was to be renamed once it was whole, left by processes that were killed."""
    for place in ("*", "work/*", "work/*/*", "work/*/attempts/*/*", "stages/??/*", "code/*", "campaigns/*"):
        for path in store.root.glob(place):
            if _DRAFT.fullmatch(path.name) and _idle(path) > QUIET:
                yield Leftover("draft", path, _size(path))
    for path in store.root.glob("work/.probe-*"):
        if _idle(path) > QUIET:
            yield Leftover("probe", path, _size(path))


def _set_aside(store: Store) -> Iterator[Leftover]:
    """Yield drafts of results and results that were set aside as damaged."""
    for path in store.root.glob("stages/??/.*"):
        key = path.name[1:65]
        if KEY.fullmatch(key) and not path.name.endswith(".tmp") and _idle(path) > QUIET and not store.locked(key):
            kind = "set aside" if "damaged" in path.name else "draft of a result"
            yield Leftover(kind, path, _size(path), key)
    for path in store.root.glob("damaged/*"):
        yield Leftover("set aside", path, _size(path))


def _work(store: Store, seconds: float, waiting: Collection[str]) -> Iterator[Leftover]:
    """Yield work on stages that are complete, and work that nobody has gone on with for so long."""
    for key in _unfinished(store):
        path, complete = store.work(key), store.find(key) is not None
        attempted = complete or bool(store.attempts(key))  # else it says what an imported result rests on
        idle = _idle(path) > (QUIET if complete else seconds)  # before the lock is tried, which touches it
        if attempted and idle and key not in waiting and not store.locked(key):
            yield Leftover("work on a complete stage" if complete else "abandoned work", path, _size(path), key)


def _code(store: Store) -> Iterator[Leftover]:
    """Yield frozen code of no campaign with stages that are not complete; all stays where a record is damaged."""
    if not _all_read(store):
        return
    used = ""
    for folder in _campaigns(store):
        if _lacks(store, folder) or _idle(folder) < QUIET:
            for record in (folder / "campaign.json", *folder.glob("rounds/*/*.json")):
                used += record.read_text(encoding="utf-8", errors="replace")
    for path in store.root.glob("code/[0-9a-f]*"):
        if path.name not in used and time.time() - path.stat().st_mtime > QUIET:
            yield Leftover("old code", path, _size(path))


def _results(store: Store, seconds: float, planned: Collection[str]) -> Iterator[Leftover]:
    """Yield results that nobody asked for; a run that is at work between two stages may need one made lately."""
    results = store.keys()
    for key in results:
        if key not in planned and _idle(store.folder(key)) > seconds:
            yield Leftover(UNPLANNED, store.folder(key), _size(store.folder(key)), key)


def _unfinished(store: Store) -> list[str]:
    """Return the keys of all stages that have a folder of work."""
    return sorted(path.name for path in store.root.glob("work/*") if KEY.fullmatch(path.name))


def _campaigns(store: Store) -> list[Path]:
    return sorted(store.root.glob("campaigns/[0-9]*"))


def _lacks(store: Store, campaign: Path) -> list[str]:
    """Return the keys of a campaign that are not complete."""
    content = read_json(campaign / "campaign.json")
    stages = content.get("stages", []) if isinstance(content, dict) else []
    return [key for key in stages if not store.find(key)]


def _waiting(store: Store) -> set[str]:
    """Return the stages that campaigns lack: jobs in a queue, and later rounds, go on from what they have kept."""
    return {key for campaign in _campaigns(store) for key in _lacks(store, campaign)}


def _all_read(store: Store) -> bool:
    records = [read_json(campaign / "campaign.json") for campaign in _campaigns(store)]
    return all(isinstance(record, dict) and isinstance(record.get("stages"), list) for record in records)


def _idle(path: Path) -> float:
    """Return for how many seconds nothing in a file or folder has changed; less than none where it is gone.

    Locks do not count: whoever asks whether they are held touches them. Nor do folders, but for one without files.
    """
    newest = 0.0
    inside = [one for one in path.rglob("*") if one.name != "lock" and not one.is_dir()]
    for one in inside or [path]:
        with suppress(OSError):
            newest = max(newest, one.lstat().st_mtime)
    return time.time() - newest if newest else -1.0


def _size(path: Path) -> int:
    """Return the bytes of a file, or of the files in a folder."""
    total = 0
    for one in (path, *path.rglob("*")):
        with suppress(OSError):
            total += 0 if one.is_dir() else one.lstat().st_size
    return total
