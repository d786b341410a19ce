"""Pictures small enough to run every stage of a method in a test, and the plan of their cells."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.config import load_profile, resolve
from benchmark.datasets import DatasetInfo
from benchmark.datasets.base import Split
from benchmark.registry import Cell, Method
from benchmark.relocated import load_function
from benchmark.stage import Stage, closure
from tests.methods.support import FakeContext

BASE, OTHER, NOVEL, SECOND = range(4)
VOID = 255
NAMES = ("left half novel", "two bases", "all base", "all novel", "with void", "two novels")
COLOURS = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 200], [200, 200, 40]])


class Pictures:
    """Flat colours with noise, 24 x 32; classes 2 and 3 are meant to be novel."""

    ignore = VOID

    def __init__(self) -> None:
        self.info = DatasetInfo(
            name="pictures",
            title="Pictures",
            classes=("base", "other", "novel", "second"),
            digest="0" * 64,
            train=len(NAMES),
            test=len(NAMES),
        )
        masks = {name: np.full((24, 32), BASE, np.uint8) for name in NAMES}
        masks["left half novel"][:, :16] = NOVEL
        masks["two bases"][8:] = OTHER
        masks["all novel"][:] = NOVEL
        masks["with void"][:, 20:] = NOVEL
        masks["with void"][:12, :10] = VOID
        masks["two novels"][:, 8:20] = NOVEL
        masks["two novels"][:, 20:] = SECOND
        self._masks = masks

    def ids(self, part: Any) -> tuple[str, ...]:
        return NAMES

    def mask(self, image_id: str) -> NDArray[np.uint8]:
        return self._masks[image_id].copy()

    def image(self, image_id: str) -> NDArray[np.uint8]:
        mask = self._masks[image_id]
        noise = np.random.default_rng(NAMES.index(image_id)).integers(-30, 30, (*mask.shape, 3))
        colours = np.where((mask == VOID)[..., None], 128, COLOURS[np.minimum(mask, 3)])
        return (colours + noise).clip(0, 255).astype(np.uint8)


UNTAGGED = "nothing known"


class WithUntagged(Pictures):
    """The pictures and one more, without any class."""

    def ids(self, part: Any) -> tuple[str, ...]:
        return (*super().ids(part), UNTAGGED)

    def mask(self, image_id: str) -> NDArray[np.uint8]:
        return np.full((24, 32), VOID, np.uint8) if image_id == UNTAGGED else super().mask(image_id)

    def image(self, image_id: str) -> NDArray[np.uint8]:
        return np.full((24, 32, 3), 90, np.uint8) if image_id == UNTAGGED else super().image(image_id)


def cell(
    method: Method,
    changes: Mapping[str, Any] | None = None,
    novel: tuple[int, ...] = (NOVEL, SECOND),
    seed: int = 0,
    variant: str = "retrained",
    preset: str = "paper",
) -> Cell:
    """Return a cell of the pictures at smoke size; ``changes`` are dotted settings."""
    small = {"input.train_short": [24], "input.crop": 32, "input.test_short": 24}
    overrides = {"small": small, "test": changes or {}}
    settings = resolve(method, load_profile("smoke"), "pictures", "S", preset, overrides)
    base = tuple(c for c in range(4) if c not in novel)
    split = Split(dataset="pictures", name=f"S{novel}", novel=novel, base=base)
    return Cell(Pictures().info, split, variant, seed, settings)


def plan(method: Method, changes: Mapping[str, Any] | None = None, **facts: Any) -> dict[str, Stage]:
    """Return the stages of a cell by the name of their function."""
    last = method.plan(cell(method, changes, **facts))
    return {stage.function.split(":")[1]: stage for stage in closure([last])}


def changed(one: Mapping[str, Stage], other: Mapping[str, Stage]) -> set[str]:
    """Return the names under which two plans have different stages."""
    assert one.keys() == other.keys()
    return {name for name in one if one[name].key != other[name].key}


def run(stage: Stage, root: Path, data: Any = None, **extra: Any) -> FakeContext:
    """Run a stage whose inputs have been run under ``root``; the context keeps what it returned as ``summary``."""
    inputs = {role: root / parent.key[:16] / "out" for role, parent in stage.inputs.items()}
    params = json.loads(json.dumps(dict(stage.params)))
    context = FakeContext(root / stage.key[:16], params=params, inputs=inputs, data=data or Pictures(), **extra)
    summary = load_function(stage.function)(context)
    (context.folder / "summary.json").write_text(json.dumps(dict(summary)))
    return context


def run_all(last: Stage, root: Path, data: Any = None) -> FakeContext:
    """Run a stage and all it depends on."""
    return [run(stage, root, data) for stage in closure([last])][-1]


def summary(context: FakeContext) -> dict[str, Any]:
    """Return what the stage function returned."""
    found: dict[str, Any] = json.loads((context.folder / "summary.json").read_text())
    return found
