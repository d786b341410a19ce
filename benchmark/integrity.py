"""Whether what lies in a store is what was put there.

``result.json`` of every result holds the SHA-256 of all other files (``files``) and a digest of itself and the key
(``seal``). They are checked where a result is read: all of it as the input of a stage, counts wherever they are counted
with. Results of older versions have no digests until ``verify --store`` adds them; what their ``stage.json`` says is
held against their key all the same.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmark.errors import BenchmarkError
from benchmark.files import canonical_json, dated_name, naming, read_json, sha256, write_json
from benchmark.metrics import COUNTS_FILE, Counts
from benchmark.program import program
from benchmark.stage import key_of
from benchmark.store import RESULT, WAY_OUT, DamagedResultError, Store

_SPEC = "stage.json"


def faults(store: Store, key: str, names: Iterable[str] | None = None) -> Iterator[str]:
    """Yield what is wrong with a complete result, each naming a file.

    Args:
        store: that has it.
        key: of the stage.
        names: paths below the folder that are read and compared; ``None`` for all that the result lists.
    """
    folder = store.folder(key)
    result = read_json(folder / RESULT)
    if not isinstance(result, dict) or not result:
        yield f"{folder / RESULT}: holds no result"
        return
    known = result.get("files")
    if names is None or not known:  # else the seal has the key, and what is read its digest
        spec = read_json(folder / _SPEC)
        described = key_of(spec) if isinstance(spec, dict) else ""
        if described != key and (described or known):  # of an archive it says less
            yield f"{folder / _SPEC}: describes another stage than its key {key[:12]} says"
    if not isinstance(known, dict):
        if "seal" in result or known is not None:  # half of what makes a sealed result is damage, no older version
            yield f"{folder / RESULT}: was changed"
        return
    if result.get("seal") != _seal(key, result):
        yield f"{folder / RESULT}: was changed"
    for name in known if names is None else names:
        path = folder / name
        if name not in known:
            yield f"{path}: is not of this result"
        elif not path.is_file():
            yield f"{path}: is missing"
        elif sha256(path) != known[name]:
            yield f"{path}: was changed or damaged"


def input_faults(store: Store, key: str) -> list[str]:
    """Return what is wrong with what stages read of a result: neither logs nor what attempts left behind."""
    known = read_json(store.folder(key) / RESULT)
    listed = known.get("files") if isinstance(known, dict) else None
    names = [str(name) for name in listed or () if not str(name).startswith("attempts/")]
    return list(faults(store, key, [name for name in names if name != "log.txt"]))


def check_input(store: Store, key: str, role: str) -> None:
    """Raise DamagedResultError, after setting it aside, unless all that a stage may read of a result is as it was."""
    if found := input_faults(store, key):
        place = set_aside(store, key)
        raise DamagedResultError(f"the input {role!r} is damaged ({found[0]}). It was moved to {place}; run again.")


def counts_of(store: Store, key: str, classes: int | None = None) -> Counts:
    """Return the counts of a complete evaluation.

    Raises BenchmarkError for any that are not what was put there, contradict themselves, or are of another number of
    classes than planned.
    """
    path = store.folder(key) / COUNTS_FILE
    if found := list(faults(store, key, (COUNTS_FILE,))) if (store.folder(key) / RESULT).exists() else []:
        raise DamagedResultError(
            f"{'; '.join(found)}. `{program()} run` with the same selection sets this result aside and makes it anew."
        )
    counts = Counts.load(path)
    if classes is not None and counts.classes != classes:
        raise BenchmarkError(f"{path}: counts of {counts.classes} classes, planned were {classes}. Make them anew.")
    return counts


def set_aside(store: Store, key: str) -> Path:
    """Move a result out of the way, so that it is made anew, and return where it is now."""
    place = store.root / "damaged" / f"{key}-{dated_name()}"
    with naming(store.root, WAY_OUT):
        place.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # another run did so at the same moment
            store.folder(key).rename(place)
    return place


def sealed(key: str, result: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the content of ``result.json`` with digests of all other files in its folder, and of itself."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    files = {name: sha256(folder / name) for name in names if name != RESULT}
    content = {**result, "files": files}
    return {**content, "seal": _seal(key, content)}


def verify_store(store: Store, observe: Callable[[int, int], None]) -> tuple[list[str], int]:
    """Read every file of a store; return what is damaged, and of how many sound results digests were added."""
    keys, found, added = list(store.keys()), list[str](), 0
    for done, key in enumerate(keys, start=1):
        wrong = list(faults(store, key))
        if not wrong and (store.folder(key) / COUNTS_FILE).exists():
            try:
                counts_of(store, key)
            except BenchmarkError as error:
                wrong.append(str(error))
        if not wrong and "files" not in store.result(key):
            with naming(store.root, WAY_OUT):
                write_json(store.folder(key) / RESULT, sealed(key, store.result(key), store.folder(key)))
            added += 1
        found += wrong
        observe(done, len(keys))
    return found, added


def _seal(key: str, result: Mapping[str, Any]) -> str:
    content = {name: value for name, value in result.items() if name != "seal"}
    try:
        return hashlib.sha256(canonical_json([key, content]).encode()).hexdigest()
    except (TypeError, ValueError):  # NaN, for one, which nothing here writes
        return ""
