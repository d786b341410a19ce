"""Where published files come from: a folder, a zip or a tar archive, read without unpacking."""

import tarfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from benchmark.errors import BenchmarkError

DEPTH = 2  # folders around the published ones: VOCdevkit/VOC2012
SHOWN = 8


class Member(NamedTuple):
    """One published file.

    Attributes:
        container: the file itself, or the archive it is in.
        name: in the archive; empty for a file of its own.
        size: bytes.
        stamp: changes when the content does: time of a file, check sum in a zip.
        offset: in a tar, bytes; -1 otherwise.
    """

    container: Path
    name: str
    size: int
    stamp: str
    offset: int = -1

    def __str__(self) -> str:
        return f"{self.container}:{self.name}" if self.name else str(self.container)

    @property
    def path(self) -> Path | None:
        """The file, unless it is in an archive."""
        return None if self.name else self.container

    def read(self) -> bytes:
        """Return the content. Raises BenchmarkError where it cannot be read whole."""
        try:
            content = self._content()
        except (
            OSError,
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            RuntimeError,  # of zipfile: a compression or encryption that it does not know
            KeyError,
        ) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise BenchmarkError(f"{self}: cannot be read ({reason}). It is damaged; fetch it again.") from error
        if len(content) != self.size:
            raise BenchmarkError(f"{self}: {len(content)} bytes, {self.size} expected. It is damaged; fetch it again.")
        return content

    def _content(self) -> bytes:
        if not self.name:
            return self.container.read_bytes()
        if self.offset < 0:
            return _zip(self.container).read(self.name)
        with self.container.open("rb") as stream:
            stream.seek(self.offset)
            return stream.read(self.size)


class Tree(ABC):
    """Folders of published files below a common root, which may be wrapped in up to two more folders."""

    def __init__(self, where: Path) -> None:
        self.where = where

    @abstractmethod
    def files(self, folder: str) -> Mapping[str, Member]:
        """Return the files directly in a folder by their names, none where there is no such folder."""

    @abstractmethod
    def roots(self) -> Iterator[str]:
        """Yield the folders that may be the root, as prefixes: ``""``, ``"VOCdevkit/"``, ``"VOCdevkit/VOC2012/"``."""

    @abstractmethod
    def top(self) -> list[str]:
        """Return what lies uppermost, for messages."""


class FolderTree(Tree):
    def files(self, folder: str) -> Mapping[str, Member]:
        place = self.where / folder
        try:
            if not place.is_dir():
                return {}
        except PermissionError:
            return {}
        found = {}
        for path in _within(place):
            if path.is_file():
                status = path.stat()
                found[path.name] = Member(path, "", status.st_size, f"{status.st_size}-{status.st_mtime_ns}")
        return found

    def roots(self) -> Iterator[str]:
        level = [self.where]
        for _ in range(DEPTH + 1):
            yield from ("" if place == self.where else f"{place.relative_to(self.where)}/" for place in level)
            level = [one for place in level for one in _within(place) if one.is_dir()]

    def top(self) -> list[str]:
        return [path.name for path in _within(self.where)]


class ArchiveTree(Tree):
    def __init__(self, where: Path, members: Mapping[str, Member]) -> None:
        super().__init__(where)
        self._members = members
        self._folders: dict[str, dict[str, Member]] = {}
        for name, member in members.items():
            path = PurePosixPath(name)
            self._folders.setdefault(path.parent.as_posix(), {})[path.name] = member

    def files(self, folder: str) -> Mapping[str, Member]:
        return self._folders.get(PurePosixPath(folder).as_posix(), {})

    def roots(self) -> Iterator[str]:
        parents = {parent for name in self._folders for parent in (PurePosixPath(name), *PurePosixPath(name).parents)}
        near = sorted((parent for parent in parents if len(parent.parts) <= DEPTH), key=lambda p: (len(p.parts), p))
        return ("" if not parent.parts else f"{parent}/" for parent in near)

    def top(self) -> list[str]:
        return sorted({PurePosixPath(name).parts[0] for name in self._members})


def _within(folder: Path) -> list[Path]:
    """Return what lies in a folder, nothing of one that this user may not read, as ``lost+found``."""
    try:
        return sorted(folder.iterdir())
    except PermissionError:
        return []


def open_tree(where: Path) -> Tree:
    """Return the files of a folder or an archive. Raises BenchmarkError where it is neither or damaged."""
    _zip.cache_clear()  # it may have been fetched again
    if where.is_dir():
        return FolderTree(where)
    if not where.exists():
        raise BenchmarkError(f"{where}: no such file or folder. Give the published archive or its unpacked folder.")
    name = where.name.lower()
    try:
        if name.endswith(".zip"):
            return ArchiveTree(where, _zip_members(where))
        if name.endswith(".tar"):
            return ArchiveTree(where, _tar_members(where))
    except (zipfile.BadZipFile, tarfile.TarError, OSError, EOFError) as error:
        raise BenchmarkError(
            f"{where}: cannot be read as an archive ({error}). It has {where.stat().st_size} bytes; a download that "
            f"broke off is shorter than published. Fetch it again."
        ) from error
    raise BenchmarkError(f"{where}: neither a folder nor a .zip or .tar archive. Unpack it and give the folder.")


def rooted(tree: Tree, folders: tuple[str, ...], expected: str) -> str:
    """Return the root below which all of these folders hold files, as a prefix.

    Raises BenchmarkError that says what of them is missing and what is there; ``expected`` says what to fetch.
    """
    best: list[str] = []
    for root in tree.roots():
        present = [folder for folder in folders if tree.files(root + folder)]
        if len(present) == len(folders):
            return root
        best = max(best, present, key=len)
    absent = ", ".join(folder for folder in folders if folder not in best)
    top = tree.top()
    found = ", ".join(top[:SHOWN]) + (f" ... ({len(top)} in all)" if len(top) > SHOWN else "")
    raise BenchmarkError(
        f"{tree.where}: folder {absent} with files is missing; found {found or 'nothing'}. Expected is {expected}."
    )


def _zip_members(where: Path) -> dict[str, Member]:
    return {
        _slashed(info.filename): Member(where, info.filename, info.file_size, f"{info.file_size}-{info.CRC:08x}")
        for info in _zip(where).infolist()
        if not _slashed(info.filename).endswith("/")
    }


def _slashed(name: str) -> str:
    """Return a name in a zip with the slashes that the format asks for, and some programs on Windows do not write."""
    return name if "/" in name else name.replace("\\", "/")


def _tar_members(where: Path) -> dict[str, Member]:
    with tarfile.open(where, "r:") as archive:
        return {
            info.name.removeprefix("./"): Member(
                where, info.name, info.size, f"{info.size}-{int(info.mtime)}", info.offset_data
            )
            for info in archive
            if info.isfile()
        }


@cache
def _zip(where: Path) -> zipfile.ZipFile:
    """Return an archive, opened once in a process: its list of contents is long."""
    return zipfile.ZipFile(where)
