"""A method of another package whose stages only walk: as slowly as a test wants, and it must resume to arrive.

``$WALK_PAUSE`` is the time of a step in seconds, ``$WALK_FAULTS`` a folder: a training fails as long as it holds a file
with the name of its split.
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.metrics import CountsBuilder
from benchmark.registry import Cell
from benchmark.stage import Stage, StageContext, StageInterrupted


@dataclass(frozen=True)
class WalkSettings:
    """How long the way is."""

    steps: int = 120
    keep: bool = True  # whether checkpoints are written


class Walk:
    """One preparation for all, a training and an evaluation for every cell."""

    name = "walk"
    title = "Walk"
    summary = "walks step by step"
    variants: Mapping[str, str] = {"": "walks"}
    settings: Mapping[str, type] = {"walk": WalkSettings}

    def preset(self, name: str, dataset: str, split: str) -> Mapping[str, Any]:
        return {}

    def plan(self, cell: Cell) -> Stage:
        settings: WalkSettings = cell.settings["walk"]
        split = cell.split.name
        prepared = Stage("prepare", "preparation of the walk", "walk:prepare", 1, {})
        params = {"split": split, "seed": cell.seed, "steps": settings.steps, "keep": settings.keep}
        trained = Stage("train", f"walk {split}, seed {cell.seed}", "walk:train", 1, params, {"start": prepared})
        data = {"classes": len(cell.dataset.classes)}
        name = f"evaluation {split}, seed {cell.seed}"
        return Stage("evaluate", name, "walk:evaluate", 1, data, {"end": trained}, "evaluation")


def prepare(context: StageContext) -> Mapping[str, Any]:
    """Stage function: where all walks start."""
    (context.out / "start.json").write_text("1")
    return {}


def train(context: StageContext) -> Mapping[str, Any]:
    """Stage function: every step changes the place, so that one left out or made twice ends elsewhere."""
    place, begin = json.loads((context.inputs["start"] / "start.json").read_text()), 0
    kept = context.scratch / "place.json"
    if kept.exists():
        place, begin = json.loads(kept.read_text())
    for step in range(begin, context.params["steps"]):
        if (Path(os.environ["WALK_FAULTS"]) / context.params["split"]).exists():
            raise RuntimeError("the way is blocked")
        if context.stop_requested:
            raise StageInterrupted
        time.sleep(float(os.environ["WALK_PAUSE"]))
        place = (31 * place + step + context.params["seed"]) % 1_000_003
        context.progress(step + 1, context.params["steps"])
        if context.params["keep"]:
            draft = kept.with_suffix(".new")
            draft.write_text(json.dumps([place, step + 1]))
            draft.replace(kept)
    (context.out / "end.json").write_text(json.dumps(place))
    return {"begin": begin}


def evaluate(context: StageContext) -> Mapping[str, Any]:
    """Stage function: counts that depend on where the walk has ended."""
    classes = context.params["classes"]
    place = json.loads((context.inputs["end"] / "end.json").read_text())
    truth = np.arange(50 * classes).reshape(50, classes) % classes
    wrong = np.random.default_rng(place).random(truth.shape) < 0.3
    builder = CountsBuilder(classes)
    builder.add("image", np.where(wrong, (truth + 1) % classes, truth).astype(np.uint8), truth.astype(np.uint8))
    builder.build().save(context.out / "counts.npz")
    return {}


METHOD = Walk()
