"""FullyOracle: MaskFormer trained with the masks of all classes, the upper bound."""

from collections.abc import Mapping
from typing import Any

from benchmark.registry import Cell
from benchmark.stage import Stage
from methods import plans


class FullyOracle:
    """Trained once; every split is another average over the same counts."""

    name = "fully_oracle"
    title = "FullyOracle"
    summary = "MaskFormer with the masks of base and novel classes"
    variants: Mapping[str, str] = {"": "one training serves every split"}
    settings: Mapping[str, type] = plans.SHARED_SETTINGS

    def preset(self, name: str, dataset: str, split: str) -> Mapping[str, Any]:  # noqa: ARG002
        """Return nothing: both presets agree."""
        return {}

    def plan(self, cell: Cell) -> Stage:
        """Return the evaluation of the fully supervised network."""
        return plans.evaluate(cell, plans.supervised(cell), self.title)


METHOD = FullyOracle()
