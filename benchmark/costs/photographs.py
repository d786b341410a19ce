"""Photographs drawn for measurements: as large and as detailed as those of a dataset that is not here."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image as Pillow

from benchmark.datasets.base import Image, Mask
from benchmark.datasets.catalog import published
from benchmark.datasets.folder import DESCRIPTION, read_description
from benchmark.splits import class_names

COCO = (480, 640)  # height and width of most photographs of COCO, whose files have about 160 KB
SIZES: Mapping[str, tuple[int, int]] = {"ade20k": (512, 683), "msrc21": (213, 320), "voc2012": (375, 500)}  # likewise
BLOCKS = (6, 8)  # of a mask, each of one class
CLASSES = 8  # of an image, as in COCO-Stuff
POOL = 24  # classes that images draw theirs from, so that few of them share some


class StandIn(NamedTuple):
    """What ``load_dataset`` takes for a dataset of drawn photographs: its name, or its YAML, and its folder."""

    source: str
    root: Path | None


def stand_in(dataset: str, folder: Path, images: int) -> StandIn:
    """Write a dataset of so many images a part, with the name, classes and splits of another; ``mini`` needs none.

    Args:
        dataset: name, or path of a dataset YAML.
        folder: to write into.
        images: of each part.
    """
    if dataset == "mini":
        return StandIn(dataset, None)
    description = _description(dataset)
    parts = {part: [f"{part}{number}" for number in range(images)] for part in ("train", "val", "test")}
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    size = SIZES.get(description["name"], COCO)
    rng = np.random.default_rng(0)
    for part, names in parts.items():
        (folder / f"{part}.txt").write_text("\n".join(names), encoding="utf-8")
        for name in names:
            write_photograph(draw_photograph(rng, size), folder / "images" / f"{name}.jpg")
            Pillow.fromarray(draw_mask(rng, size, len(description["classes"]))).save(folder / "masks" / f"{name}.png")
    lists = {part: f"{part}.txt" for part in parts}
    content = {**description, "title": "drawn photographs", "images": "images", "masks": "masks", "lists": lists}
    path = folder / DESCRIPTION
    path.write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
    return StandIn(dataset, folder) if dataset in published() else StandIn(str(path), None)


def draw_photograph(rng: np.random.Generator, size: tuple[int, int]) -> Image:
    """Return an image (H, W, 3) with, roughly, the detail of a photograph."""
    height, width = size
    photograph = rng.normal(0, 15, (height, width, 3)) + 128
    for cells in (2, 8, 32):
        coarse = rng.normal(0, 30, (3, cells, cells)).astype(np.float32)
        for channel, one in enumerate(coarse):
            smooth = Pillow.fromarray(one).resize((width, height), Pillow.Resampling.BILINEAR)
            photograph[..., channel] += np.asarray(smooth)
    return photograph.clip(0, 255).astype(np.uint8)


def write_photograph(image: Image, path: Path) -> None:
    """Write a JPEG file of the size of a photograph's."""
    Pillow.fromarray(image).save(path, quality=90)


def draw_mask(rng: np.random.Generator, size: tuple[int, int], classes: int) -> Mask:
    """Return a mask (H, W) of blocks with at most eight classes."""
    pool = np.linspace(0, classes - 1, min(POOL, classes)).round().astype(np.uint8)
    present = rng.choice(pool, min(CLASSES, len(pool)), replace=False)
    blocks = Pillow.fromarray(rng.choice(present, BLOCKS))
    return np.asarray(blocks.resize(size[::-1], Pillow.Resampling.NEAREST))


def _description(dataset: str) -> dict[str, Any]:
    """Return name, classes and splits of a dataset."""
    if dataset in published():
        return {"name": dataset, "classes": class_names(dataset)}
    own = read_description(Path(dataset))
    return {"name": own.name, "classes": own.classes, "splits": own.splits}
