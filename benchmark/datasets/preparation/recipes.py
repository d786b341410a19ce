"""What the published datasets come as, and what becomes of them: one recipe each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from benchmark.datasets import voc2012
from benchmark.datasets.base import Part
from benchmark.split_files import split_file
from benchmark.wording import plural

Masks = Literal["coco-stuff", "sceneparse", "class ids"]  # how mask files say which class a pixel has


@dataclass(frozen=True)
class Recipe:
    """Where images, masks and lists lie in the published files.

    Attributes:
        name: of the dataset.
        title: as in a caption.
        archive: what to fetch, in words.
        classes: names in the order of their ids.
        images, masks: part -> folder.
        mask_suffix: of the published files, with the dot; images are ``.jpg``.
        format: of the mask files.
        published: part -> number of images, before ``excluded``; ``val`` is not counted where it is in ``train``.
        lists: part -> list files that together name its images.
        numbered: part -> what images 1, 2, ... are called, where there are no lists.
        excluded: images that are left out, as published; derived from the masks all the same.
        drop_unlabelled: whether images without a labelled pixel are left out.
    """

    name: str
    title: str
    archive: str
    classes: tuple[str, ...]
    images: Mapping[Part, str]
    masks: Mapping[Part, str]
    mask_suffix: str
    format: Masks
    published: Mapping[Part, int]
    lists: Mapping[Part, tuple[str, ...]] = field(default_factory=dict)
    numbered: Mapping[Part, str] = field(default_factory=dict)
    excluded: tuple[str, ...] = ()
    drop_unlabelled: bool = False

    @property
    def total(self) -> int:
        """Number of images of the complete dataset, those left out not counted."""
        return sum(self.published.values()) - len(self.excluded)

    @property
    def parts(self) -> tuple[Part, ...]:
        return tuple(self.lists or self.numbered)

    def lack(self, images: int) -> str:
        """Return ``34 of 22194 images``, nothing for the complete dataset."""
        return "" if images == self.total else f"{images} of {plural(self.total, 'image')}"


def _everywhere(folder: str) -> Mapping[Part, str]:
    return {"train": folder, "val": folder, "test": folder}


_COCO, _ADE, _MSRC = (split_file(name) for name in ("coco-stuff-10k", "ade20k", "msrc21"))

RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name=_COCO.dataset,
            title=_COCO.title,
            archive="cocostuff-10k-v1.0.zip or cocostuff-10k-v1.1.zip, or the folder it unpacks to",
            classes=_COCO.classes,
            images=_everywhere("images"),
            masks=_everywhere("annotations"),
            mask_suffix=".mat",
            format="coco-stuff",
            published={"train": 9000, "test": 1000},
            lists={"train": ("imageLists/train.txt",), "test": ("imageLists/test.txt",)},
            excluded=_COCO.excluded_stems,
            drop_unlabelled=True,
        ),
        Recipe(
            name=_ADE.dataset,
            title=_ADE.title,
            archive="ADEChallengeData2016.zip, or the folder it unpacks to",
            classes=_ADE.classes,
            images={"train": "images/training", "test": "images/validation"},
            masks={"train": "annotations/training", "test": "annotations/validation"},
            mask_suffix=".png",
            format="sceneparse",
            published={"train": 20210, "test": 2000},
            numbered={"train": "ADE_train_{:08d}", "test": "ADE_val_{:08d}"},
            excluded=_ADE.excluded_stems,
            drop_unlabelled=True,
        ),
        Recipe(
            name="voc2012",
            title=voc2012.TITLE,
            archive="VOCtrainval_11-May-2012.tar, or the folder VOCdevkit/VOC2012 it unpacks to",
            classes=voc2012.CLASSES,
            images=_everywhere("JPEGImages"),
            masks=_everywhere("SegmentationClass"),
            mask_suffix=".png",
            format="class ids",
            published={"train": 1464, "test": 1449},
            lists={
                "train": ("ImageSets/Segmentation/train.txt",),
                "test": ("ImageSets/Segmentation/val.txt",),
            },
        ),
        Recipe(
            name=_MSRC.dataset,
            title=_MSRC.title,
            archive="MSRC-v2 as folders images (JPEG), annotations (PNG of class ids) and splits (lists)",
            classes=_MSRC.classes,
            images=_everywhere("images"),
            masks=_everywhere("annotations"),
            mask_suffix=".png",
            format="class ids",
            published={"train": 335, "test": 256},
            lists={
                "train": ("splits/train.txt", "splits/val.txt"),
                "val": ("splits/val.txt",),
                "test": ("splits/test.txt",),
            },
        ),
    )
}
