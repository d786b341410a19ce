"""Pictures small enough to run every stage of RIB in a test, and the plan of their cells."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.config import load_profile, resolve
from benchmark.registry import Cell
from benchmark.splits import Split
from benchmark.stage import Stage, closure
from methods.rib import METHOD
from methods.rib.settings import SMOKE
from tests.methods.retab.support import NOVEL, SECOND, VOID, Pictures

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
    changes: Mapping[str, Any] | None = None,
    novel: tuple[int, ...] = (NOVEL, SECOND),
    seed: int = 0,
    variant: str = "",
    preset: str = "paper",
) -> Cell:
    """Return a cell of the pictures at smoke size; ``changes`` are dotted settings."""
    sizes = {f"rib.{name}": value for name, value in SMOKE.items()}
    small = {"input.train_short": [24], "input.crop": 32, "input.test_short": 24}
    overrides = {"smoke": sizes, "small": small, "test": changes or {}}
    settings = resolve(METHOD, load_profile("smoke"), "pictures", "S", preset, overrides)
    base = tuple(c for c in range(4) if c not in novel)
    split = Split(dataset="pictures", name=f"S{novel}", novel=novel, base=base)
    return Cell(Pictures().info, split, variant, seed, settings)


def plan(changes: Mapping[str, Any] | None = None, **facts: Any) -> dict[str, Stage]:
    """Return the stages of a cell by the name of their function."""
    return {stage.function.split(":")[1]: stage for stage in closure([METHOD.plan(cell(changes, **facts))])}
