"""The classes of the known datasets, and the rules of their splits: the content of ``splits/<dataset>.yaml``."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmark.errors import BenchmarkError, unknown
from benchmark.paths import data_folder
from benchmark.validation import validated
from benchmark.wording import check_lines
from benchmark.yaml12 import load_mapping


@dataclass(frozen=True)
class SplitFile:
    """The content of ``splits/<dataset>.yaml``.

    Attributes:
        rule: how the novel ids were chosen, in words.
        seed: that the rule draws by; ``None`` where the ids are facts taken over from elsewhere.
        classes: names in the order of their ids.
        stuff: ids of the classes without instances.
        splits: name -> novel ids.
        permutation_prefix: ids that growing splits are cut from.
        coco_category_id: id of each class in COCO-Stuff v1.1 annotations.
        excluded_stems: images that are left out.
    """

    dataset: str
    title: str
    source: str
    rule: str
    seed: int | None
    classes: tuple[str, ...]
    splits: dict[str, tuple[int, ...]]
    stuff: tuple[int, ...] = ()
    permutation_prefix: tuple[int, ...] = ()
    coco_category_id: tuple[int, ...] = ()
    excluded_stems: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_lines(self.dataset, self.title, self.source, self.rule, self.classes, self.splits, self.excluded_stems)


def datasets() -> tuple[str, ...]:
    """Return the names of the datasets that have a split file."""
    return tuple(sorted(path.stem for path in data_folder("splits").glob("*.yaml")))


@cache
def split_file(dataset: str) -> SplitFile:
    """Return the content of a dataset's split file. Raises BenchmarkError where there is none or it cannot be read."""
    if dataset not in datasets():
        raise unknown("dataset", dataset, datasets())
    content = read_split_file(data_folder("splits") / f"{dataset}.yaml")
    if content.dataset != dataset:
        raise BenchmarkError(
            f"splits/{dataset}.yaml says dataset {content.dataset!r}; file name and content must agree."
        )
    return content


def read_split_file(path: Path) -> SplitFile:
    """Read and validate one split file, its ids unchecked (``faults``)."""
    expected = "a split file maps dataset, title, source, rule, seed, classes and splits to values"
    return validated(SplitFile, load_mapping(path, expected), str(path))
