"""A tiny dataset as it is published: the folders and value ranges of ADE20K with 12 x 8 images."""

import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from benchmark.datasets.folder import folder_layout
from benchmark.datasets.layout import Layout
from benchmark.datasets.manifest import Manifest
from benchmark.datasets.preparation import prepare
from benchmark.datasets.preparation.recipes import RECIPES, Recipe

WIDTH, HEIGHT = 12, 8
BLANK = "ADE_train_00000003"  # without a labelled pixel
RECIPE = replace(RECIPES["ade20k"], published={"train": 4, "test": 2}, excluded=(BLANK,))


@dataclass(frozen=True)
class World:
    """Published files in ``source``, an empty place for the converted ones in ``target``."""

    source: Path
    target: Path
    recipe: Recipe = RECIPE

    def image(self, number: int, part: str = "training") -> Path:
        name = "ADE_train" if part == "training" else "ADE_val"
        return self.source / "images" / part / f"{name}_{number:08d}.jpg"

    def mask(self, number: int, part: str = "training") -> Path:
        image = self.image(number, part)
        return self.source / "annotations" / part / f"{image.stem}.png"

    def prepare(self, source: Path | None = None, *, partial: bool = False, workers: int = 0) -> Manifest:
        return prepare(self.recipe, source or self.source, self.target, partial=partial, workers=workers)

    @property
    def layout(self) -> Layout:
        return folder_layout(self.target / "dataset.yaml")

    def visible(self) -> list[str]:
        """Return what of the target makes it a dataset."""
        return sorted(path.name for path in self.target.iterdir() if path.suffix in {".yaml", ".json"})


def write_world(folder: Path) -> World:
    world = World(folder / "ADEChallengeData2016", folder / "prepared")
    rng = np.random.default_rng(0)
    for part, count in (("training", 4), ("validation", 2)):
        for number in range(1, count + 1):
            image, mask = world.image(number, part), world.mask(number, part)
            image.parent.mkdir(parents=True, exist_ok=True)
            mask.parent.mkdir(parents=True, exist_ok=True)
            values = rng.integers(0, 151, (HEIGHT, WIDTH), dtype=np.uint8)
            write_jpeg(image, rng=rng)
            Image.fromarray(np.zeros_like(values) if image.stem == BLANK else values).save(mask)
    return world


def write_jpeg(
    path: Path,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    mode: str = "RGB",
    orientation: int = 1,
    rng: np.random.Generator | None = None,
) -> None:
    """Write an image that says by its EXIF tag how it is to be turned."""
    rng = rng or np.random.default_rng(1)
    values = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    exif = Image.Exif()
    if orientation != 1:
        exif[0x0112] = orientation
    Image.fromarray(values).convert(mode).save(path, "JPEG", exif=exif)


def zipped(folder: Path, target: Path, prefix: str = "") -> Path:
    """Pack a folder, with ``prefix`` before the names, as published archives have it."""
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, f"{prefix}{path.relative_to(folder).as_posix()}")
    return target
