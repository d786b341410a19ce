"""Runs that others have made: the archives that were imported beside a store, one file each, and opened again."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.errors import BenchmarkError, unknown
from benchmark.files import naming, sha256, write_bytes
from benchmark.paths import is_path

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.sharing.reading import Archive
    from benchmark.store import Store

SUFFIX = ".zip"
TAKEN = ("paper", "run", "ours")  # by columns that stand beside runs
WAY_OUT = "Free space or change permissions, or choose another store with --store."
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class SharedRun:
    """A run as its archive tells it.

    Attributes:
        name: under which it was imported, or the stem of its file.
        by: who made it; empty where nobody said so.
        plan: what was selected.
        store: holds counts and records of what is finished.
    """

    name: str
    by: str
    plan: "Plan"
    store: "Store"


@contextmanager
def opened(names: Sequence[str], store: "Store") -> Iterator[tuple[SharedRun, ...]]:
    """Open runs by the names under which they were imported beside ``store``, or by the path of an archive.

    A path ends in ``.zip`` or has a slash. Archives are checked each time. Raises BenchmarkError for unknown names, for
    two runs of one name, and for whatever is wrong with an archive.
    """
    paths = [_path(name, store) for name in names]
    for name, times in Counter(path.stem for path in paths).items():
        if times > 1:
            raise BenchmarkError(f"{times} runs are called {name}; `import FILE --as NAME` gives one of them another.")
        check_name(name)
    with ExitStack() as stack:
        yield tuple(_open(path, stack) for path in paths)


def imported(store: "Store") -> tuple[str, ...]:
    """Return the names of the runs that were imported beside a store, sorted."""
    paths = folder_of_runs(store).glob(f"*{SUFFIX}")
    return tuple(sorted(path.stem for path in paths if _NAME.fullmatch(path.stem)))


def folder_of_runs(store: "Store") -> Path:
    """Return where imported archives lie: beside the store."""
    return store.root.parent / "runs"


def file_of(name: str, store: "Store") -> Path:
    """Return the archive of an imported run. Raises BenchmarkError for a name under which none was imported."""
    known, folder = imported(store), folder_of_runs(store)
    if name in known:
        return folder / f"{name}{SUFFIX}"
    if not known:
        raise BenchmarkError(
            f"there is no run {name!r}: none was imported into {folder}. `import FILE.zip --as {name}` does it with an "
            f"archive that `export` has made."
        )
    raise unknown("run", name, known, str(folder))


def keep(archive: "Archive", name: str, store: "Store", *, replace: bool = False) -> bool:
    """Keep an archive under a name, all at once; return False where it was there already.

    Raises BenchmarkError where the name is no plain one, or taken by another archive that is not to be replaced.
    """
    check_name(name)
    path = folder_of_runs(store) / f"{name}{SUFFIX}"
    if path.exists():
        if sha256(path) == archive.digest:
            return False
        if not replace:
            raise BenchmarkError(
                f"{path} is another archive. `--as NAME` keeps {archive.path} beside it under another name, "
                f"`--replace` in its place."
            )
    with naming(path, WAY_OUT):
        write_bytes(path, archive.path.read_bytes())
    return True


def remove(name: str, store: "Store") -> Path:
    """Remove an imported run and return where it was. Raises BenchmarkError for an unknown name."""
    path = file_of(name, store)
    with naming(path, WAY_OUT):
        path.unlink()
    return path


def plain_name(path: Path) -> str:
    """Return what a run is called by its file: ``anna-1`` for ``anna (1).zip``, as browsers name a second download."""
    name = path.absolute().name.removesuffix(SUFFIX)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:64]


def check_name(name: str) -> None:
    """Raise BenchmarkError unless a run can be called so."""
    if not _NAME.fullmatch(name) or name.endswith(SUFFIX):
        raise BenchmarkError(
            f"{name!r} cannot be the name of a run: take letters, digits, '.', '_' and '-', as in --as anna-2."
        )
    if name.lower() in TAKEN:
        raise BenchmarkError(f"a run cannot be called {name!r}: tables have columns of that name. Take --as NAME.")


def _path(name: str, store: "Store") -> Path:
    return Path(name) if is_path(name, SUFFIX) else file_of(name, store)


def _open(path: Path, stack: ExitStack) -> SharedRun:
    from benchmark.sharing.reading import unpacked

    archive, plan, store = stack.enter_context(unpacked(path))
    return SharedRun(path.stem, archive.manifest.by, plan, store)
