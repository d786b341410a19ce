"""The common layout: a YAML file that says where images, masks and lists lie, for any dataset a user brings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from benchmark.datasets.base import IGNORE, Part
from benchmark.datasets.layout import LARGEST_VALUE, MANIFEST, Layout, read_list
from benchmark.errors import BenchmarkError, unknown
from benchmark.validation import validated
from benchmark.wording import check_lines
from benchmark.yaml12 import load_mapping

DESCRIPTION = "dataset.yaml"  # of a dataset that has its folder for itself, and so a manifest
PARTS: tuple[Part, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class Description:
    """The content of a dataset's YAML. Relative paths start at the root, which is the YAML's folder unless given.

    Attributes:
        name: identifier; results carry it.
        title: as in a caption.
        classes: names in the order of their ids.
        images, masks: folders of the images and of one-channel masks of class ids.
        lists: part -> text file with one image name (without suffix) a line; ``val`` may be absent.
        ignore: value of unlabelled pixels in the masks.
        image_suffix, mask_suffix: with the dot.
        splits: split -> novel classes, by name or id.
        digest: what of a mask enters the dataset's digest: its ``files`` or its ``pixels``, which survive another PNG
            encoder.
    """

    name: Annotated[str, Field(min_length=1)]
    title: str
    classes: tuple[str, ...]
    images: str
    masks: str
    lists: dict[Part, str]
    ignore: int = IGNORE
    image_suffix: str = ".jpg"
    mask_suffix: str = ".png"
    splits: dict[str, tuple[int | str, ...]] = field(default_factory=dict)
    digest: Literal["files", "pixels"] = "files"

    def __post_init__(self) -> None:
        check_lines(self.name, self.title, self.classes, self.splits, self.image_suffix, self.mask_suffix)
        absent = [part for part in ("train", "test") if part not in self.lists]
        if absent:
            raise ValueError(f"lists.{absent[0]}: missing.")
        if not len(self.classes) <= self.ignore <= LARGEST_VALUE:
            raise ValueError(
                f"ignore: expected {len(self.classes)} to {LARGEST_VALUE} (no class id), found {self.ignore}."
            )

    def novel_ids(self) -> dict[str, tuple[int, ...]]:
        """Return split -> novel ids. Raises BenchmarkError for a name that is no class."""
        return {split: tuple(self._id(one, split) for one in novel) for split, novel in self.splits.items()}

    def _id(self, one: int | str, split: str) -> int:
        if isinstance(one, int):
            return one
        if one not in self.classes:
            raise unknown("class", one, self.classes, f"split {split} of dataset {self.name}")
        return self.classes.index(one)


def read_description(path: Path) -> Description:
    """Return a dataset's YAML. Raises BenchmarkError naming every wrong or missing key."""
    expected = "a dataset maps name, title, classes, images, masks and lists to values"
    return validated(Description, load_mapping(path, expected), str(path))


def folder_layout(path: Path, root: Path | None = None) -> Layout:
    """Return where the files of such a dataset lie, unchecked."""
    content = read_description(path)
    base = path.parent if root is None else root
    if not base.is_dir():
        raise BenchmarkError(f"{base}: no such folder; dataset {content.name} was to be read from there (--data-root).")
    return Layout(
        name=content.name,
        title=content.title,
        classes=content.classes,
        images=base / content.images,
        masks=base / content.masks,
        image_suffix=content.image_suffix,
        mask_suffix=content.mask_suffix,
        parts=_lists(base, content.lists),
        ignore=content.ignore,
        pixel_digest=content.digest == "pixels",
        manifest=base / MANIFEST if path.name == DESCRIPTION else None,
    )


def _lists(base: Path, lists: Mapping[Part, str]) -> dict[Part, tuple[str, ...]]:
    return {part: read_list(base / lists[part]) if part in lists else () for part in PARTS}
