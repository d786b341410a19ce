"""The archive of a run: one zip file of files that anybody can read without this software.

=====================  ==============================================================================================
``README.txt``         what this is, for people
``run.json``           the description of the run (``ArchiveManifest``)
``counts/<key>.npz``   the counts of every finished evaluation, as the store holds them
``SHA256SUMS``         the SHA-256 of every other file, as ``sha256sum`` writes and checks it
=====================  ==============================================================================================

The same content gives the same bytes: names are sorted, times are fixed.
"""

import hashlib
import io
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from benchmark import __version__
from benchmark.errors import BenchmarkError
from benchmark.files import naming, write_bytes
from benchmark.integrity import counts_of
from benchmark.metrics import COUNTS_FILE, EVALUATOR_VERSION
from benchmark.sharing.describing import describe
from benchmark.sharing.description import LINE, ArchiveManifest
from benchmark.sharing.readme import readme
from benchmark.wording import plural

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.store import Store

FORMAT: Literal[1] = 1
README, MANIFEST, SUMS = "README.txt", "run.json", "SHA256SUMS"
WAY_OUT = "The results in the store are untouched. Free space or change permissions, or choose another --out."
_BEGINNING = (1980, 1, 1, 0, 0, 0)  # of time, in zip files
_UNIX = 3
_FILE_MODE = 0o100644 << 16  # a plain file that everybody may read


def export(plan: "Plan", store: "Store", path: Path, by: str = "") -> ArchiveManifest:
    """Write the archive of a plan as the store stands now, all at once, and return what it says of the run.

    Raises BenchmarkError where nothing is finished, for damaged counts, and naming the path where it cannot be written.
    """
    if not re.fullmatch(LINE, by):
        raise BenchmarkError(f"{by!r} cannot be shown as a name: take one line of at most 200 characters.")
    manifest = ArchiveManifest(
        format=FORMAT,
        software=__version__,
        evaluator=EVALUATOR_VERSION,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        by=by,
        run=describe(plan, store),
    )
    if not manifest.run.evaluations:
        raise BenchmarkError(
            f"nothing is finished of the {plural(len(plan.cells), 'cell')} selected in store {store.root}, so that "
            f"there is nothing to pass on. `run` with the same options makes them; `status` says how they stand."
        )
    counts = {member_of(key): _counts(store, key) for key in manifest.run.evaluations}
    text = manifest.model_dump_json(indent=1).encode() + b"\n"
    with naming(path, WAY_OUT):
        write_bytes(path, packed({README: readme(manifest).encode(), MANIFEST: text, **counts}))
    return manifest


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return a zip file of some files and their checksums."""
    everything = {**files, SUMS: checksums(files).encode()}
    stream = io.BytesIO()
    with ZipFile(stream, "w") as archive:
        for name in sorted(everything):
            info = ZipInfo(name, _BEGINNING)
            info.create_system, info.external_attr = _UNIX, _FILE_MODE
            archive.writestr(info, everything[name], ZIP_DEFLATED, compresslevel=6)
    return stream.getvalue()


def checksums(files: Mapping[str, bytes]) -> str:
    """Return the content of ``SHA256SUMS``."""
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))


def member_of(key: str) -> str:
    """Return the name of the counts of an evaluation."""
    return f"counts/{key}.npz"


def _counts(store: "Store", key: str) -> bytes:
    """Return the file of counts of an evaluation. Raises BenchmarkError for a damaged one."""
    counts_of(store, key)
    return (store.folder(key) / COUNTS_FILE).read_bytes()
