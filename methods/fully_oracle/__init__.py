"""FullyOracle: MaskFormer trained with the masks of all classes, the upper bound."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark.registry import Cell
from benchmark.stage import Stage
from methods.fully_oracle.settings import OracleSettings
from methods.planning import stages as plans
from methods.planning.workloads import SHAPE_FIELDS
from methods.weights.given_file import given_file

WAY_OUT = "Give the path of a checkpoint of MaskFormer, SimFormer or this benchmark (model.safetensors); '' trains one."


class FullyOracle:
    """Trained once, or taken over from a file; every split is another average over the same counts."""

    name = "fully_oracle"
    bound = True  # the masks of novel classes are what it learns from
    title = "FullyOracle"
    summary = "MaskFormer with the masks of base and novel classes"
    variants: Mapping[str, str] = {"": "one training serves every split"}
    settings: Mapping[str, type] = {**plans.SHARED_SETTINGS, "oracle": OracleSettings}

    def preset(self, name: str, dataset: str, split: str) -> Mapping[str, Any]:  # noqa: ARG002
        """Return nothing: both presets agree."""
        return {}

    def plan(self, cell: Cell) -> Stage:
        """Return the evaluation of the fully supervised network. Raises BenchmarkError for a missing checkpoint."""
        model = _adopted(cell) if cell.settings["oracle"].checkpoint else plans.supervised(cell)
        return plans.evaluate(cell, model, self.title)

    def describe_checkpoint(self, path: Path) -> Mapping[str, Any]:
        """Return what a file of weights holds and what it is good for here."""
        from methods.foreign import describe

        return describe(path)


def _adopted(cell: Cell) -> Stage:
    """Return the network of a file; it has no seed, so that every seed shares it."""
    file = given_file("oracle.checkpoint", cell.settings["oracle"].checkpoint, WAY_OUT)
    return Stage(
        kind="adopt",
        name=f"network of {Path(file.path).name} for {cell.dataset.name}",
        function="methods.foreign:adopt",
        version=1,
        params={
            "dataset": {"name": cell.dataset.name},
            "classes": len(cell.dataset.classes),
            "checkpoint_sha256": file.sha256,
            **plans.described_network(cell, SHAPE_FIELDS),
        },
        cost=5.0,
        hints={"checkpoint": file.path},
    )


METHOD = FullyOracle()
