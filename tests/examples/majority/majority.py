"""A method in one file: every pixel gets the class that is seen most often in training."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmark.labels import mask_path, write_mask
from benchmark.metrics import CountsBuilder
from benchmark.registry import Cell
from benchmark.stage import Stage, StageContext


@dataclass(frozen=True)
class MajoritySettings:
    """What a profile, a table or ``--set majority.smoothing=1`` may change."""

    smoothing: int = 0  # pixels added to every class before counting


class Majority:
    """A lower bound that anybody can check by hand."""

    name = "majority"
    title = "Majority class"
    summary = "predicts the commonest visible class everywhere"
    variants: Mapping[str, str] = {"": "commonest class of the base masks"}
    settings: Mapping[str, type] = {"majority": MajoritySettings}

    def preset(self, name: str, dataset: str, split: str) -> Mapping[str, Any]:
        return {}

    def plan(self, cell: Cell) -> Stage:
        data = {"dataset": {"name": cell.dataset.name, "digest": cell.dataset.digest}}
        counted = Stage(
            kind="train",
            name=f"class frequencies, {cell.split.name}",
            function="majority:count",
            version=1,
            params={
                **data,
                "novel": list(cell.split.novel),
                "smoothing": cell.settings["majority"].smoothing,
            },
        )
        return Stage(
            kind="evaluate",
            name=f"evaluation of the majority class, {cell.split.name}",
            function="majority:evaluate",
            version=1,
            params=data,
            inputs={"frequencies": counted},
            access="evaluation",
            maps="majority:predict",
        )


def count(context: StageContext) -> Mapping[str, Any]:
    """Stage function: pixels of each class in the visible masks; novel pixels are 255 here."""
    view = context.training_view()
    total = np.full(len(view.classes), context.params["smoothing"], np.int64)
    for done, image_id in enumerate(view.ids, start=1):
        total += np.bincount(view.base_mask(image_id).ravel(), minlength=256)[: len(total)]
        context.progress(done, len(view.ids))
    (context.out / "frequencies.json").write_text(json.dumps(total.tolist()))
    return {"majority": view.classes[int(total.argmax())]}


def evaluate(context: StageContext) -> Mapping[str, Any]:
    """Stage function: counts of the constant prediction on the test images."""
    dataset = context.dataset()
    counts = CountsBuilder(len(dataset.info.classes))
    for image_id in dataset.ids("test"):
        mask = dataset.mask(image_id)
        counts.add(image_id, np.full_like(mask, _commonest(context)), mask)
    counts.build().save(context.out / "counts.npz")
    return {}


def predict(context: StageContext) -> Mapping[str, Any]:
    """Stage function: the constant prediction as a label map of each of the images that ``pictures`` asks for."""
    for image_id in context.params["images"]:
        image = context.dataset().image(image_id)
        write_mask(mask_path(context.out, image_id), np.full(image.shape[:2], _commonest(context), np.uint8))
    return {}


def _commonest(context: StageContext) -> int:
    return int(np.argmax(json.loads((context.inputs["frequencies"] / "frequencies.json").read_text())))


METHOD = Majority()
