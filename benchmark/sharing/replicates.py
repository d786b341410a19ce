"""Replicates: other counts of a stage that a store has a result of, made elsewhere and kept beside it.

``replicates/<key>/<digest>/`` in the store holds the counts, by whose SHA-256 the folder is called, and ``result.json``
with what was written down about them. They replace nothing: whoever asks for the result of the stage gets the store's
own. What they are for is how far apart results of the same seed are (``benchmark.report.scores.replication``).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.errors import BenchmarkError
from benchmark.files import read_json, sha256, write_bytes, write_json
from benchmark.metrics import COUNTS_FILE, Counts

if TYPE_CHECKING:
    from benchmark.store import Store


def replicates(key: str, store: "Store") -> tuple[Path, ...]:
    """Return the files of counts of the replicates of a result, sorted."""
    return tuple(sorted((store.root / "replicates" / key).glob(f"*/{COUNTS_FILE}")))


def load(path: Path) -> Counts:
    """Read the counts of a replicate. Raises BenchmarkError where they are not what was kept."""
    if sha256(path) != path.parent.name:
        raise BenchmarkError(
            f"{path}: this replicate is damaged: its SHA-256 is not the name of its folder. Delete the folder "
            f"{path.parent}; `import FILE.zip --merge --replicates` brings it back."
        )
    return Counts.load(path)


def keep(path: Path, result: Mapping[str, Any], key: str, store: "Store") -> None:
    """Keep a file of counts as a replicate, unless one with the same counts is there already.

    Args:
        path: of the counts.
        result: what was written down about them, as ``result.json`` has it.
        key: of the stage.
        store: which has a result of the stage.
    """
    counts = Counts.load(path)
    if any(load(known).equals(counts) for known in replicates(key, store)):
        return
    folder = store.root / "replicates" / key / sha256(path)
    write_json(folder / "result.json", result)
    write_bytes(folder / COUNTS_FILE, path.read_bytes())  # last: without it there is no replicate


def provenances(key: str, store: "Store") -> Iterator[Mapping[str, Any]]:
    """Yield where the replicates of a result come from, as far as that can be read."""
    for path in replicates(key, store):
        result = read_json(path.with_name("result.json"))
        made = result.get("provenance") if isinstance(result, dict) else None
        if isinstance(made, dict):
            yield made
