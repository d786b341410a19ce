"""A method that labels training images and predicts test images, and a data set of eight small ones."""

import json
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result
from PIL import Image

from benchmark import registry
from benchmark.commands.pictures import command
from benchmark.datasets import Dataset, load_dataset
from benchmark.labels import label_stage, mask_path, write_mask
from benchmark.plan import Plan, build_plan
from benchmark.registry import Cell
from benchmark.report.pictures.page_plan import Choice, label_pages, prediction_pages, to_predict
from benchmark.report.pictures.pages import PicturePage, pages
from benchmark.stage import Stage, StageContext
from benchmark.store import Store
from tests.benchmark import toy

CLASSES = ("sky", "road", "cat", "dog")
SKY, ROAD, CAT, DOG = range(4)
TRAIN, TEST = ("0", "1", "2", "3", "4"), ("5", "6", "7")
SIZES = ((6, 8), (8, 6), (5, 15), (7, 7), (6, 8), (6, 8), (9, 6), (4, 7))  # (H, W) of the images 0, 1, ...
ROWS = (("first maps", "maps"), ("network", "network"), ("second maps", ""), ("oracle", "oracle"))


class Labeller:
    """Scores label maps in two variants, a network that learns from them in the third; an oracle serves every split."""

    name = title = "labeller"
    summary = "labels images"
    variants: Mapping[str, str] = {
        "": "label maps",
        "maps": "other label maps",
        "network": "a network",
        "oracle": "another one",
        "mute": "a network that predicts no images",
    }
    settings: Mapping[str, type] = {"toy": toy.ToySettings}

    def preset(self, name: str, dataset: str, split: str) -> Mapping[str, Any]:
        return {}

    def plan(self, cell: Cell) -> Stage:
        data = {"dataset": {"name": cell.dataset.name, "digest": cell.dataset.digest}}
        novel = [] if cell.variant == "oracle" else list(cell.split.novel)
        params = {**data, "novel": novel, "seed": cell.seed, "rate": cell.settings["toy"].rate}
        maps = Stage("label", "maps", "x:maps", 1, {**params, "variant": cell.variant})
        if cell.variant in {"", "maps"}:
            return Stage("assess", "scores", "x:assess", 1, params, {"labels": maps}, "evaluation")
        model = Stage("train", "network", "x:train", 1, params, {"labels": maps})
        offered = "" if cell.variant == "mute" else f"{__name__}:predict"
        name = f"evaluation of {cell.variant}"
        return Stage("evaluate", name, "x:evaluate", 1, data, {"model": model}, "evaluation", maps=offered)


def predict(context: StageContext) -> Mapping[str, Any]:
    """Stage function: the class of the network everywhere, and a note of every image in the file that it names."""
    said = json.loads((context.inputs["model"] / "network.json").read_text())
    if said["broken"]:
        raise ValueError("the network is broken")
    if said["interrupts"]:
        os.kill(os.getpid(), signal.SIGINT)
    for image_id in context.params["images"]:
        with Path(said["seen"]).open("a") as file:
            file.write(f"{image_id}\n")
        truth = context.dataset().mask(image_id)
        write_mask(mask_path(context.out, image_id), np.full_like(truth, said["class"]))
    return {}


@dataclass(frozen=True)
class World:
    """Eight images in the folder ``root``, a table and a profile; cat is novel in S1, dog in S2."""

    root: Path
    dataset: Path
    table: Path
    profile: str

    @property
    def store(self) -> Store:
        return Store(self.root / "store")

    @property
    def data(self) -> Dataset:
        return load_dataset(str(self.dataset))

    def plan(self, *splits: str, seeds: tuple[int, ...] = (0,)) -> Plan:
        return build_plan([str(self.table)], str(self.dataset), self.profile, seeds, splits=splits or None)

    def pages(self, *splits: str, choice: Choice = 6) -> list[PicturePage]:
        plan = self.plan(*splits)
        return list(pages(plan, self.store, self.data, label_pages(plan, self.data, choice)))

    def predictions(self, *splits: str, choice: Choice = 6) -> list[PicturePage]:
        plan = self.plan(*splits)
        return list(pages(plan, self.store, self.data, prediction_pages(plan, self.data, choice)))

    def to_predict(self, *splits: str, choice: Choice = 6) -> list[Stage]:
        """Return the prediction stages that could be made now."""
        plan = self.plan(*splits)
        return list(to_predict(plan, self.store, prediction_pages(plan, self.data, choice)).pending(self.store))

    def make(self, *rows: str, seed: int = 0, labels: int | None = None) -> None:
        """Put the label maps of some rows into the store: the ground truth, or one id everywhere."""
        for cell in self.plan(seeds=(seed,)).cells:
            stage = label_stage(cell.stage) if cell.stage else None
            if stage and cell.row in rows:
                folder = self.store.folder(stage.key)
                for image_id in self.data.ids("train"):
                    truth = self.data.mask(image_id)
                    write_mask(mask_path(folder, image_id), truth if labels is None else np.full_like(truth, labels))
                (folder / "result.json").write_text('{"summary": {}}')

    def train(self, *rows: str, says: int = ROAD, broken: bool = False, interrupts: bool = False) -> None:
        """Put the networks of some rows into the store: they say one class everywhere, or fail, or press Ctrl-C."""
        for cell in self.plan().cells:
            if cell.stage and cell.row in rows:
                folder = self.store.folder(cell.stage.inputs["model"].key)
                folder.mkdir(parents=True, exist_ok=True)
                seen = str(self.root / f"seen-{cell.row}.txt")
                said = {"class": says, "broken": broken, "interrupts": interrupts, "seen": seen}
                (folder / "network.json").write_text(json.dumps(said))
                (folder / "result.json").write_text('{"summary": {}}')

    def seen(self, row: str) -> list[str]:
        """Return the images that the networks of a row have seen."""
        return (self.root / f"seen-{row}.txt").read_text().split()

    def invoke(self, *arguments: str) -> Result:
        where = ["--dataset", str(self.dataset), "--profile", self.profile, "--store", str(self.store.root)]
        return CliRunner().invoke(command, [str(self.table), *where, *arguments], catch_exceptions=False)

    def change(self, **values: object) -> None:
        """Change the table."""
        self.table.write_text(yaml.safe_dump(yaml.safe_load(self.table.read_text()) | values))


def make_world(folder: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Write data set, table and profile, and make the labeller the only method there is."""
    monkeypatch.setattr(registry, "methods", lambda: {"labeller": Labeller()})
    _write_dataset(folder)
    rows = ", ".join(
        f"{{label: {label}, method: labeller, variant: '{variant}', bound: {str(label == 'oracle').lower()}}}"
        for label, variant in ROWS
    )
    unknown = "{label: not here, method: nobody, optional: true}"
    table = toy.table(folder, rows=f"[{rows}, {unknown}]", name="maps")
    return World(folder, folder / "tiny.yaml", Path(table), toy.profile(folder))


def _write_dataset(folder: Path) -> None:
    """Write images of different sizes; all show sky, even ones a cat, 3 and 7 a dog; their first pixel is void."""
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for number, size in enumerate(SIZES):
        mask = np.zeros(size, dtype=np.uint8)
        mask[2:, 2:4] = CAT if number % 2 == 0 else DOG if number in {3, 7} else ROAD
        mask[0, 0] = 255
        Image.fromarray(np.full((*size, 3), 90, dtype=np.uint8)).save(folder / "images" / f"{number}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{number}.png")
    (folder / "train.txt").write_text("\n".join(TRAIN))
    (folder / "test.txt").write_text("\n".join(TEST))
    content = {
        "name": "tiny",
        "title": "Eight images",
        "classes": list(CLASSES),
        "images": "images",
        "masks": "masks",
        "image_suffix": ".png",
        "lists": {"train": "train.txt", "test": "test.txt"},
        "splits": {"S1": ["cat"], "S2": ["dog"]},
    }
    (folder / "tiny.yaml").write_text(yaml.safe_dump(content))
