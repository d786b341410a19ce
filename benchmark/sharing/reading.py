"""An archive from anywhere, checked from its checksums to its counts before anything of it is used."""

import io
import json
import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.errors import BenchmarkError
from benchmark.files import naming, sha256
from benchmark.metrics import COUNTS_FILE, EVALUATOR_VERSION, Counts
from benchmark.plan import Plan
from benchmark.sharing.archive import FORMAT, MANIFEST
from benchmark.sharing.description import ArchiveManifest, Description, parsed
from benchmark.sharing.members import DAMAGE, LARGEST_FILE, Members, opened_members
from benchmark.sharing.restoring import broken_keys, restore
from benchmark.store import Store
from benchmark.wording import escaped, unprintable

WAY_OUT = "Archives are unpacked there for a moment: free space, or set TMPDIR to another folder."
_CONTROL = re.compile(  # control characters but newlines, and what turns the direction of a text
    rb"\\u00(?:[01][0-9a-f]|7f|[89][0-9a-f])|\x7f|\xc2[\x80-\x9f]"
    rb"|\\u(?:061c|200[ef]|202[89a-e]|206[6-9])|\xd8\x9c|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Archive:
    """An archive whose checksums, keys and description are sound.

    Attributes:
        path: of the file.
        digest: SHA-256 of the file.
        manifest: what it says of the run.
    """

    path: Path
    digest: str
    manifest: ArchiveManifest

    @property
    def run(self) -> Description:
        return self.manifest.run


def read_archive(path: Path) -> Archive:
    """Read an archive, all but its counts. Raises BenchmarkError, naming the file, for whatever is wrong with it."""
    with opened_members(path) as members:
        members.check_sums()
        manifest = _manifest(members[MANIFEST])
        _check_stages(manifest.run)
        _check_complete(members, manifest.run)
    return Archive(path, sha256(path), manifest)


@contextmanager
def unpacked(path: Path) -> Iterator[tuple[Archive, Plan, Store]]:
    """Open an archive with its plan and a store that holds its counts, for as long as they are needed.

    Raises BenchmarkError as ``read_archive``, and for counts that are damaged or of other data.
    """
    archive = read_archive(path)
    with tempfile.TemporaryDirectory(prefix="run.") as folder:
        yield archive, *_unpack(archive, Path(folder))


def _unpack(archive: Archive, folder: Path) -> tuple[Plan, Store]:
    run = archive.run
    with opened_members(archive.path) as members, naming(folder, WAY_OUT):
        plan, store = restore(run, folder)
        for key, name in members.counts.items():
            content = members[name]
            _check_size(name, content)
            path = store.folder(key) / COUNTS_FILE
            path.write_bytes(content)
            _check_counts(name, path, len(run.dataset.classes))
    return plan, store


def _manifest(text: bytes) -> ArchiveManifest:
    if _CONTROL.search(text):
        raise BenchmarkError(f"{MANIFEST} holds control characters, which could make a terminal show anything.")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BenchmarkError(f"{MANIFEST} is no JSON ({error}).") from error
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        made = f"version {content.get('software')!r}" if isinstance(content, dict) else "what is no object"
        raise BenchmarkError(
            f"{MANIFEST} has format {found!r} ({made}), this version reads format {FORMAT}; import it with the version "
            f"that made it."
        )
    manifest = parsed(ArchiveManifest, text, MANIFEST)
    if manifest.evaluator != EVALUATOR_VERSION:
        raise BenchmarkError(
            f"the counts are of evaluator version {manifest.evaluator}, this is version {EVALUATOR_VERSION}; numbers "
            f"of two versions are not mixed. Read it with version {manifest.software} of the software."
        )
    return manifest


def _check_stages(run: Description) -> None:
    """Raise BenchmarkError for keys that are not the digest of their stage, and results of which nothing is known."""
    if broken := list(broken_keys(run)):
        raise BenchmarkError("\n".join(broken))
    for key, stage in run.stages.items():
        if (stage.state == "done") != (stage.record is not None):
            raise BenchmarkError(f"stage {key[:12]} ({stage.name}) is {stage.state}, which its record contradicts.")


def _check_complete(members: Members, run: Description) -> None:
    finished, found = set(run.evaluations), members.counts
    for key in run.evaluations:
        if key not in found:
            raise BenchmarkError(f"the counts of {run.stages[key].name} ({key[:12]}) are missing.")
    for key, name in found.items():
        if key not in finished:
            raise BenchmarkError(f"{name} belongs to no finished evaluation that is described.")


def _check_size(name: str, content: bytes) -> None:
    """Raise BenchmarkError for counts that would unpack to more than any real ones."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as arrays:
            size = sum(info.file_size for info in arrays.infolist())
    except DAMAGE as error:
        raise BenchmarkError(f"{name} is no file of counts ({error}).") from error
    if size > LARGEST_FILE:
        raise BenchmarkError(f"{name} would unpack to {size} bytes.")


def _check_counts(name: str, path: Path, classes: int) -> None:
    """Raise BenchmarkError unless a file holds counts over so many classes."""
    try:
        counts = Counts.load(path)
    except BenchmarkError as error:  # it names a file that nobody knows
        reason = str(error).removeprefix(f"{path}: ").partition(". ")[0]
        raise BenchmarkError(f"{name} is no file of counts: {reason}.") from error
    if counts.classes != classes:
        raise BenchmarkError(f"{name} has counts of {counts.classes} classes; the dataset has {classes}.")
    _check_images(name, counts)


def _check_images(name: str, counts: Counts) -> None:
    """Raise BenchmarkError for names that a terminal would not show, and for sums that no image can have."""
    if not counts.image_ids:
        raise BenchmarkError(f"{name} has counts of no image, from which nothing follows.")
    if bad := next(unprintable(counts.image_ids), ""):
        raise BenchmarkError(f"{name} names an image {bad}, which a terminal would not show as it is.")
    predicted, there = (array.sum(axis=1, dtype=np.int64) for array in (counts.prediction, counts.ground_truth))
    if (predicted > there).any():
        image = counts.image_ids[int((predicted > there).argmax())]
        raise BenchmarkError(f"{name} has more pixels predicted than image {escaped(image, 80)!r} has.")
