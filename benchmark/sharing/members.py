"""The files inside an archive from anywhere, read with suspicion: names, kinds, sizes and checksums come first."""

import hashlib
import re
import stat
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmark.errors import BenchmarkError
from benchmark.sharing.archive import MANIFEST, README, SUMS

LARGEST_FILE = 2**28  # bytes of one file unpacked; an archive from anywhere must not fill memory or disk
LARGEST = 2**32  # bytes of all of them
LARGEST_MANIFEST = 2**26  # bytes; it becomes objects, which take many times that
TIGHTEST = 200  # times smaller than unpacked; JSON is some 20 times, and counts are packed before they come in
SMALL = 2**20  # bytes below which nobody minds
WAY_OUT = "`export` makes an archive; pass it on as it is."
_COUNTS = re.compile(r"counts/([0-9a-f]{64})\.npz")
_SUM = re.compile(r"([0-9a-f]{64})  (\S+)")
DAMAGE = (zipfile.BadZipFile, RuntimeError, ValueError, OSError)  # what zipfile raises
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED = 1  # of the flags


class Members:
    """The files of an archive by name; messages do not name the archive."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        """Raise BenchmarkError for names, kinds and sizes that an archive of ours does not have."""
        self._archive = archive
        infos = [info for info in archive.infolist() if not _beside(info.filename)]
        top = _top(info.filename for info in infos)
        _check_names(info.filename.removeprefix(top) for info in infos)
        self._infos = {info.filename.removeprefix(top): info for info in infos}
        _check_kinds(self._infos.values())

    def __getitem__(self, name: str) -> bytes:
        """Return the content of a file. Raises BenchmarkError where it is damaged."""
        info = self._infos[name]
        try:
            with self._archive.open(info) as stream:
                content = stream.read(info.file_size + 1)  # its size was checked; without a bound more is unpacked
        except (*DAMAGE, zlib.error, EOFError) as error:
            raise BenchmarkError(f"{name} is damaged ({error}).") from error
        if len(content) != info.file_size:
            raise BenchmarkError(f"{name} is damaged (it has {len(content)} bytes, not {info.file_size}).")
        return content

    @property
    def counts(self) -> dict[str, str]:
        """Key of an evaluation -> name of the file of its counts."""
        return {found[1]: name for name in self._infos if (found := _COUNTS.fullmatch(name))}

    def check_sums(self) -> None:
        """Raise BenchmarkError unless every file has the checksum that is noted for it, and no other is noted."""
        noted = _noted(self[SUMS])
        if surplus := noted.keys() ^ (self._infos.keys() - {SUMS}):
            name = min(surplus)
            raise BenchmarkError(f"{name} {'is missing' if name in noted else f'has no checksum in {SUMS}'}.")
        for name, expected in noted.items():
            found = hashlib.sha256(self[name]).hexdigest()
            if found != expected:
                raise BenchmarkError(f"{name} has SHA-256 {found[:12]}..., {SUMS} says {expected[:12]}...: it changed.")


@contextmanager
def opened_members(path: Path) -> Iterator[Members]:
    """Open the archive in a file. Raises BenchmarkError, naming the file, for whatever is wrong with it."""
    try:
        with naming_archive(path), path.open("rb") as stream:
            _check_beginning(stream.read(1024))
            with zipfile.ZipFile(stream) as archive:
                yield Members(archive)
    except OSError as error:
        raise BenchmarkError(f"{path} cannot be read: {error.strerror or error}.") from error
    except DAMAGE as error:
        raise BenchmarkError(f"{path}: the zip file is damaged or cut short ({error}). {WAY_OUT}") from error


@contextmanager
def naming_archive(path: Path) -> Iterator[None]:
    """Put the name of an archive in front of the errors that concern it."""
    try:
        yield
    except BenchmarkError as error:
        raise BenchmarkError(f"{path}: {error}") from error


def _check_beginning(content: bytes) -> None:
    if content.startswith(b"PK"):
        return
    if b"<html" in content.lower():
        raise BenchmarkError(f"this is an HTML page, perhaps a report, which `verify` reads. {WAY_OUT}")
    raise BenchmarkError(f"this is no zip file. {WAY_OUT}")


@contextmanager
def packed_file(path: Path) -> Iterator[Path]:
    """Yield the file of an archive; a folder that a browser unpacked it into is packed again for as long as needed."""
    if not path.is_dir():
        yield path
        return
    if not (path / MANIFEST).is_file():
        raise BenchmarkError(f"{path} is a folder without {MANIFEST}, so no unpacked archive of results. {WAY_OUT}")
    with tempfile.TemporaryDirectory(prefix="run.") as folder:
        file = Path(folder, f"{path.name or 'run'}.zip")
        with naming_archive(path):
            _pack(path, file)
        yield file


def _pack(folder: Path, file: Path) -> None:
    """Write the files of a folder into a zip file. Raises BenchmarkError for links, and what does not belong there."""
    inside = [one for one in sorted((*folder.glob("*"), *folder.glob("counts/*"))) if one != folder / "counts"]
    names = {one.relative_to(folder).as_posix(): one for one in inside}
    names = {name: one for name, one in names.items() if not _beside(name)}
    _check_names(list(names))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, one in names.items():
            if one.is_symlink() or not one.is_file() or one.stat().st_size > LARGEST_FILE:
                raise BenchmarkError(f"{name} is a link, no plain file, or too large. {WAY_OUT}")
            archive.writestr(zipfile.ZipInfo(name), one.read_bytes(), zipfile.ZIP_DEFLATED)


def _beside(name: str) -> bool:
    """Return whether an entry is a folder, or what a Mac adds when it packs one: nothing of it is read."""
    *folders, last = name.split("/")
    return last in {"", ".DS_Store"} or last.startswith("._") or folders[:1] == ["__MACOSX"]


def _top(names: Iterable[str]) -> str:
    """Return ``results/`` where all files lie in one such folder, as when that was packed; else nothing."""
    tops = {name.partition("/")[0] if "/" in name else "" for name in names}
    top = tops.pop() if len(tops) == 1 else ""
    return f"{top}/" if top else ""


def _check_names(names: Iterable[str]) -> None:
    found = Counter(names)
    for name, times in found.items():
        if name not in {README, MANIFEST, SUMS} and not _COUNTS.fullmatch(name):
            raise BenchmarkError(f"{name!r} does not belong into an archive of results. {WAY_OUT}")
        if times > 1:
            raise BenchmarkError(f"{name} is there twice. {WAY_OUT}")
    for name in (MANIFEST, SUMS, README):
        if name not in found:
            raise BenchmarkError(f"{name} is missing. {WAY_OUT}")


def _check_kinds(infos: Iterable[zipfile.ZipInfo]) -> None:
    total = 0
    for info in infos:
        mode = info.external_attr >> 16
        if stat.S_IFMT(mode) not in {0, stat.S_IFREG} or info.flag_bits & _ENCRYPTED:
            raise BenchmarkError(f"{info.filename} is a link, encrypted or no plain file. {WAY_OUT}")
        if info.compress_type not in _METHODS:
            raise BenchmarkError(f"{info.filename} is packed in a way that an archive of results is not. {WAY_OUT}")
        total += info.file_size
        if info.file_size > max(SMALL, TIGHTEST * info.compress_size):
            raise BenchmarkError(
                f"{info.filename} is {info.compress_size} bytes that unpack to {info.file_size}; an archive of results "
                f"is not packed so tightly. {WAY_OUT}"
            )
        if info.filename.endswith(MANIFEST) and info.file_size > LARGEST_MANIFEST:
            raise BenchmarkError(f"{info.filename} has {info.file_size} bytes; at most {LARGEST_MANIFEST} are read.")
        if info.file_size > LARGEST_FILE or total > LARGEST:
            raise BenchmarkError(f"{info.filename} would unpack to {info.file_size} bytes, {total} with those before.")


def _noted(content: bytes) -> dict[str, str]:
    """Return name -> SHA-256."""
    lines = content.decode("utf-8", errors="replace").splitlines()
    found = [_SUM.fullmatch(line) for line in lines]
    if not all(found):
        raise BenchmarkError(f"{SUMS} is no list of checksums as `sha256sum` writes it.")
    return {one[2]: one[1] for one in found if one}
