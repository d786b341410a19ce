"""Which classes are novel: the class splits of every dataset, read from ``splits/<dataset>.yaml``."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmark.datasets.base import Split
from benchmark.errors import BenchmarkError, unknown
from benchmark.files import canonical_json
from benchmark.paths import is_path
from benchmark.split_files import split_file

FOLDS = ("S1", "S2", "S3", "S4")  # a quarter of the classes is novel
WITHOUT = ("voc2012",)  # datasets that can be prepared and shown, but of which the paper has no splits
GROWING = {"S5": 30, "S6": 35, "S7": 40, "S8": 45, "S9": 50}  # nominal percentage of novel classes


class Source(NamedTuple):
    """What a file says about the splits of a dataset, unchecked: ``faults`` checks it."""

    dataset: str
    classes: Sequence[str]
    novel: Mapping[str, Sequence[int]]
    ruled: bool  # S1..S9 have the sizes of the paper; a user's own splits are free


def source(dataset: str) -> Source:
    """Return class names and novel ids of a dataset, given by name or by the path of a YAML in the common layout."""
    if is_path(dataset):
        from benchmark.datasets.folder import read_description

        own = read_description(Path(dataset))
        return Source(own.name, own.classes, own.novel_ids(), ruled=False)
    if dataset in WITHOUT:
        raise BenchmarkError(
            f"the paper has no weak-shot splits of {dataset}. Write your own under `splits` in the dataset.yaml that "
            f"`data prepare {dataset}` made, and give the path of that file as --dataset."
        )
    content = split_file(dataset)
    return Source(dataset, content.classes, content.splits, ruled=True)


def splits(dataset: str) -> dict[str, Split]:
    """Return the splits of a dataset by name.

    ``dataset`` is a known name, or the path of a YAML in the common layout that brings its own splits.
    Raises BenchmarkError for an unknown dataset and for a broken file.
    """
    found = source(dataset)
    wrong = [f"{split}: {fault}" for split, all_faults in faults(found).items() for fault in all_faults]
    if wrong:
        raise BenchmarkError(f"the splits of {dataset} are broken: {'; '.join(wrong)}. Mend or restore the file.")
    return {name: _partition(found, name) for name in found.novel}


def split(dataset: str, name: str) -> Split:
    """Return one split; ``S4``, ``4`` and ``Split 4`` mean the same. Raises BenchmarkError for an unknown name."""
    known = splits(dataset)
    short = name.strip().removeprefix("Split").strip()
    found = known.get(name) or known.get(f"S{short}")
    if found is None:
        raise unknown("split", name, known, f"dataset {dataset}")
    return found


def class_names(dataset: str) -> tuple[str, ...]:
    """Return the names of the classes in the order of their ids."""
    return tuple(source(dataset).classes)


def faults(found: Source) -> dict[str, list[str]]:
    """Return what is wrong with each split: names, ids, size, nesting. Splits without a fault have an empty list."""
    return {
        name: [
            *_name_faults(found.classes),
            *_id_faults(ids, len(found.classes)),
            *(_rule_faults(name, found) if found.ruled else ()),
        ]
        for name, ids in found.novel.items()
    }


def novel_count(name: str, classes: int) -> int | None:
    """Return how many of the classes a split of that name makes novel: ``None`` for names outside S1..S9."""
    if name in FOLDS:
        return round(classes / 4)
    return classes * GROWING[name] // 100 if name in GROWING else None


def split_digest(split: Split) -> str:
    """Return what identifies a class split: SHA-256 of dataset, name and novel ids."""
    content = canonical_json([split.dataset, split.name, list(split.novel), list(split.base)])
    return hashlib.sha256(content.encode()).hexdigest()


def _partition(found: Source, name: str) -> Split:
    novel = set(found.novel[name])
    base = tuple(i for i in range(len(found.classes)) if i not in novel)
    return Split(found.dataset, name, tuple(sorted(novel)), base)


def _name_faults(classes: Sequence[str]) -> Iterator[str]:
    repeated = sorted(name for name, times in Counter(classes).items() if times > 1)
    if repeated:
        yield f"class names occur twice: {', '.join(repeated)}"


def _id_faults(ids: Sequence[int], classes: int) -> Iterator[str]:
    wrong = sorted({i for i in ids if not 0 <= i < classes})
    if wrong:
        yield f"ids {wrong} are outside 0..{classes - 1}"
    repeated = sorted(i for i, times in Counter(ids).items() if times > 1)
    if repeated:
        yield f"ids occur twice: {repeated}"
    if not 0 < len(set(ids)) < classes:
        yield "at least one class must be novel and one base"


def _rule_faults(name: str, found: Source) -> Iterator[str]:
    """Check the size of one of S1..S9 and that S4, S5, ..., S9 grow."""
    ids, classes = found.novel[name], len(found.classes)
    expected = novel_count(name, classes)
    if expected is None:
        yield f"unknown name; known: {', '.join((*FOLDS, *GROWING))}"
    elif len(ids) != expected:
        yield f"{len(ids)} novel classes, expected {expected} of {classes}"
    if name in GROWING:
        before = f"S{int(name[1:]) - 1}"
        lost = sorted(set(found.novel.get(before, ())) - set(ids))
        if lost:
            yield f"does not contain {before}: lacks {lost}"
