"""The files inside an archive from anywhere, read with suspicion: names, kinds, sizes and checksums come first."""

import hashlib
import re
import stat
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
        self._infos = {info.filename: info for info in archive.infolist()}
        _check_names(info.filename for info in archive.infolist())
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
        if info.file_size > LARGEST_FILE or total > LARGEST:
            raise BenchmarkError(f"{info.filename} would unpack to {info.file_size} bytes, {total} with those before.")


def _noted(content: bytes) -> dict[str, str]:
    """Return name -> SHA-256."""
    lines = content.decode("utf-8", errors="replace").splitlines()
    found = [_SUM.fullmatch(line) for line in lines]
    if not all(found):
        raise BenchmarkError(f"{SUMS} is no list of checksums as `sha256sum` writes it.")
    return {one[2]: one[1] for one in found if one}
