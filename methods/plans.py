"""The stages that methods share, as light descriptions: nothing here imports torch.

A stage's parameters hold all that can change its result and nothing else, so that equal steps get equal keys: novel
classes appear as ids, not as a split's name; the backbone's pre-training has neither split nor seed.
"""

from typing import Any

from benchmark.registry import Cell
from benchmark.stage import Stage
from methods.limits import check_network
from methods.settings import (
    EvaluationSettings,
    InputSettings,
    MaskFormerSettings,
    PretrainSettings,
    TrainingSettings,
    to_json,
)

SHARED_SETTINGS: dict[str, type] = {
    "input": InputSettings,
    "maskformer": MaskFormerSettings,
    "training": TrainingSettings,
    "pretrain": PretrainSettings,
    "evaluation": EvaluationSettings,
}
BACKBONE_FIELDS = ("backbone", "backbone_width", "weights")
TEST_FIELDS = ("test_short", "test_longest", "size_divisor")


def data(cell: Cell) -> dict[str, Any]:
    """Return what identifies the images."""
    return {"dataset": {"name": cell.dataset.name, "digest": cell.dataset.digest}}


def training_input(cell: Cell) -> dict[str, Any]:
    """Return the input settings that every training depends on: not those of the test, nor the presence labels."""
    settings: InputSettings = cell.settings["input"]
    return {name: value for name, value in to_json(settings).items() if name not in (*TEST_FIELDS, "presence")}


def pretrain(cell: Cell) -> dict[str, Stage]:
    """Return the input stage ``backbone``, or none when pre-training is switched off."""
    settings: PretrainSettings = cell.settings["pretrain"]
    if not settings.iterations:
        return {}
    network = {name: to_json(cell.settings["maskformer"])[name] for name in BACKBONE_FIELDS}
    stage = Stage(
        kind="pretrain",
        name=f"backbone pre-training on image-level labels of {cell.dataset.name}",
        function="methods.pretraining:pretrain",
        version=1,
        params={
            **data(cell),
            "novel": list(range(len(cell.dataset.classes))),  # no mask is used
            "seed": 0,  # like ImageNet weights: one for every training seed
            "input": training_input(cell),
            "maskformer": network,
            "pretrain": to_json(settings),
        },
        cost=settings.iterations * settings.seconds_per_iteration,
    )
    return {"backbone": stage}


def network_params(cell: Cell) -> dict[str, Any]:
    """Return the parameters that every training of a segmentation network has.

    Raises:
        BenchmarkError: the network's settings do not fit together.
    """
    check_network(cell.settings["maskformer"])
    return {
        **data(cell),
        "seed": cell.seed,
        "input": training_input(cell),
        "maskformer": to_json(cell.settings["maskformer"]),
        "training": to_json(cell.settings["training"]),
    }


def training_cost(cell: Cell) -> float:
    """Return the expected CPU seconds of one plain training."""
    settings: TrainingSettings = cell.settings["training"]
    return settings.iterations * settings.seconds_per_iteration


def supervised(cell: Cell) -> Stage:
    """Return MaskFormer trained with the masks of every class."""
    return Stage(
        kind="train",
        name=f"fully supervised training, seed {cell.seed}",
        function="methods.supervised:train_supervised",
        version=1,
        params={**network_params(cell), "novel": []},
        inputs=pretrain(cell),
        cost=training_cost(cell),
    )


def retrain(cell: Cell, pseudo_labels: Stage, title: str) -> Stage:
    """Return a fresh MaskFormer trained on base masks over pseudo labels of the novel classes [7]."""
    return Stage(
        kind="retrain",
        name=f"re-training on pseudo labels of {title}, {cell.split.name}, seed {cell.seed}",
        function="methods.supervised:train_supervised",
        version=1,
        params={**network_params(cell), "novel": list(cell.split.novel)},
        inputs={**pretrain(cell), "pseudo_labels": pseudo_labels},
        cost=training_cost(cell),
    )


def pseudo_labels(cell: Cell, model: Stage, title: str) -> Stage:
    """Return the pseudo masks of the training images made with ``model`` [7]."""
    settings: EvaluationSettings = cell.settings["evaluation"]
    return Stage(
        kind="pseudo_label",
        name=f"pseudo labels of {title}, {cell.split.name}, seed {cell.seed}",
        function="methods.pseudo_labels:generate",
        version=1,
        params={**data(cell), "novel": list(cell.split.novel), "input": test_input(cell)},
        inputs={"model": model},
        cost=cell.dataset.train * settings.seconds_per_image,
    )


def evaluate(cell: Cell, model: Stage, title: str) -> Stage:
    """Return the counts of ``model`` on the test images; every split's mIoU is a function of them."""
    settings: EvaluationSettings = cell.settings["evaluation"]
    return Stage(
        kind="evaluate",
        name=f"evaluation of {title}, seed {cell.seed}",
        function="methods.evaluation:evaluate",
        version=1,
        params={**data(cell), "part": settings.part, "input": test_input(cell)},
        inputs={"model": model},
        access="evaluation",
        cost=cell.dataset.test * settings.seconds_per_image,
    )


def test_input(cell: Cell) -> dict[str, Any]:
    """Return the input settings that inference depends on."""
    return {name: value for name, value in to_json(cell.settings["input"]).items() if name in TEST_FIELDS}
