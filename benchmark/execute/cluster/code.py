"""The code that jobs run: a copy in the store, as it was when they were submitted, whatever becomes of the checkout.

``code/<digest>/`` holds the harness, the packages of all installed methods and of the stage functions, and the data
files that lie beside them. Installed libraries and the environment are not copied.
"""

import hashlib
import importlib.util
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple

from benchmark.errors import BenchmarkError
from benchmark.files import canonical_json, sha256, sync, sync_tree, write_json
from benchmark.paths import folders_beside_package
from benchmark.provenance import FROZEN, Revision, source_revision
from benchmark.registry import GROUP
from benchmark.relocated import current_place
from benchmark.store import Store

HARNESS = "benchmark"
LARGEST = 200_000_000  # bytes; code is smaller, and a folder with data in it should not be copied unasked
_DIGITS = 16

Files = Mapping[Path, Path]  # place in the copy -> file


class Frozen(NamedTuple):
    """A copy of the code.

    Attributes:
        folder: what belongs into ``PYTHONPATH``.
        size: bytes.
    """

    folder: Path
    size: int


def freeze(store: Store, functions: Iterable[str]) -> Frozen:
    """Copy the code into the store unless the same code is there already.

    Args:
        store: where jobs will find it.
        functions: ``package.module:name`` of the stages that will be made.

    Raises:
        BenchmarkError: the store cannot be written, or a package is too large to be code alone.
    """
    files = _files(functions)
    size = _checked_size(files)
    draft = _folder(store) / f".{uuid.uuid4().hex}.tmp"
    with store.writing():
        try:
            copied = dict(_copied(files, draft))
            final = _folder(store) / _digest(copied, source_revision())  # of what was read: files may change meanwhile
            if final.exists():
                os.utime(final)  # what is used anew is not old
            else:
                write_json(draft / FROZEN, {**source_revision()._asdict(), "files": len(copied), "bytes": size})
                _publish(draft, final)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return Frozen(final, size)


def expected(store: Store, functions: Iterable[str]) -> Frozen:
    """Return what ``freeze`` would; writes nothing."""
    files = _files(functions)
    return Frozen(_folder(store) / _digest(files, source_revision()), _checked_size(files))


def _folder(store: Store) -> Path:
    return store.root.absolute() / "code"


def _files(functions: Iterable[str]) -> Files:
    modules = (*map(current_place, functions), *(point.value for point in entry_points(group=GROUP)))
    packages = {HARNESS, *(module.partition(":")[0].partition(".")[0] for module in modules)}
    found = {place: file for package in sorted(packages) for place, file in _of_package(package)}
    for place, folder in folders_beside_package().items():
        found |= dict(_tree(folder, place))
    return found


def _of_package(name: str) -> Iterator[tuple[Path, Path]]:
    """Yield the files of a top-level package or module; nothing for one that is built in or lies in an archive."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        return
    for folder in reversed(list(spec.submodule_search_locations or ())):  # of the same file Python takes the first
        yield from _tree(Path(folder), Path(name))
    if spec.submodule_search_locations is None and spec.origin and Path(spec.origin).is_file():
        yield Path(Path(spec.origin).name), Path(spec.origin)


def _tree(folder: Path, place: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the files under a folder, but what starts with a dot and what Python compiles."""
    for file in folder.rglob("*"):
        parts = file.relative_to(folder).parts
        if file.is_file() and "__pycache__" not in parts and not any(part.startswith(".") for part in parts):
            yield place.joinpath(*parts), file


def _checked_size(files: Files) -> int:
    sizes: dict[str, int] = {}
    for place, file in files.items():
        sizes[place.parts[0]] = sizes.get(place.parts[0], 0) + file.stat().st_size
    for package, size in sizes.items():
        if size > LARGEST:
            where = next(file for place, file in files.items() if place.parts[0] == package)
            raise BenchmarkError(
                f"package {package} ({where}) has {size / 1e6:.0f} MB; jobs run a copy of the code, and only up to "
                f"{LARGEST / 1e6:.0f} MB are copied. Move data out of the package."
            )
    return sum(sizes.values())


def _copied(files: Files, folder: Path) -> Iterator[tuple[Path, Path]]:
    for place, file in files.items():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        yield place, Path(shutil.copy(file, target))


def _digest(files: Files, revision: Revision) -> str:
    content = {place.as_posix(): sha256(file) for place, file in files.items()}
    text = canonical_json({"files": content, "revision": revision._asdict()})
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _publish(draft: Path, final: Path) -> None:
    sync_tree(draft)
    try:
        draft.rename(final)
    except OSError:
        if not final.exists():  # else another process was faster with the same code
            raise
    sync(final.parent)
