"""The stages that methods share, as light descriptions: nothing here imports torch.

A stage's parameters hold all that can change its result and nothing else, so that equal steps get equal keys: novel
classes appear as ids, not as a split's name; the backbone's pre-training has neither split nor seed.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal, TypeVar

from benchmark.datasets.base import Part
from benchmark.registry import Cell
from benchmark.settings import to_json
from benchmark.stage import Stage, Work
from methods.planning import workloads as work
from methods.planning.checks import check_emulated_ranks, check_network, check_passes
from methods.settings import (
    EvaluationSettings,
    InputSettings,
    LargeFovSettings,
    MaskFormerSettings,
    PretrainSettings,
    RetrainSettings,
    TrainingSettings,
)
from methods.training.snapshots import evaluated_iteration
from methods.weights.given_file import GivenFile, given_file

SHARED_SETTINGS: dict[str, type] = {
    "input": InputSettings,
    "maskformer": MaskFormerSettings,
    "training": TrainingSettings,
    "pretrain": PretrainSettings,
    "evaluation": EvaluationSettings,
}
RETRAIN_SETTINGS: dict[str, type] = {**SHARED_SETTINGS, "retrain": RetrainSettings, "largefov": LargeFovSettings}
BACKBONE_FIELDS = ("backbone", "backbone_width", "weights")
NO_FILE = frozenset({"", "imagenet"})  # values of maskformer.weights
FILE = "file"  # in place of a path: the digest beside it says which, a hint where it is
TEST_FIELDS = ("test_short", "test_longest", "size_divisor")
NARROW = "backbone 'narrow' trains its batch norms. Set it to 0, or freeze them (resnet50; largefov.freeze_norms)."

S = TypeVar("S", TrainingSettings, LargeFovSettings)


def data(cell: Cell, part: Part = "train") -> dict[str, Any]:
    """Return what identifies the images of a part."""
    return {"dataset": {"name": cell.dataset.name, "digest": cell.dataset.digest_of(part)}}


def every_class(cell: Cell) -> list[int]:
    """Return the ids of all classes: as novel ones they hide every mask from a stage."""
    return list(range(len(cell.dataset.classes)))


def training_input(cell: Cell) -> dict[str, Any]:
    """Return the input settings that every training depends on: not those of the test, nor the presence labels."""
    settings: InputSettings = cell.settings["input"]
    return {name: value for name, value in to_json(settings).items() if name not in (*TEST_FIELDS, "presence")}


def described_network(cell: Cell, fields: Iterable[str] | None = None) -> dict[str, Any]:
    """Return parameter ``maskformer``, all of it or the given fields, and the digest of weights that are a file's.

    Where that file lies is no parameter: the same content at another place is the same stage (``hints``).

    Raises:
        BenchmarkError: that file cannot be read.
    """
    described = to_json(cell.settings["maskformer"])
    kept = {name: described[name] for name in (described if fields is None else fields)}
    file = _weights(cell) if "weights" in kept else None
    return {"maskformer": {**kept, "weights": FILE}, "weights_sha256": file.sha256} if file else {"maskformer": kept}


def _weights(cell: Cell) -> GivenFile | None:
    """Return the file of ``maskformer.weights``, if it is one."""
    weights = cell.settings["maskformer"].weights
    if weights in NO_FILE:
        return None
    way_out = "Give the path of torchvision's resnet50-0676ba61.pth, 'imagenet' to download it, or '' for none."
    return given_file("maskformer.weights", weights, way_out)


def pretrain(cell: Cell) -> dict[str, Stage]:
    """Return the input stage ``backbone``, or none when pre-training is switched off."""
    settings: PretrainSettings = cell.settings["pretrain"]
    if not settings.iterations:
        return {}
    return {"backbone": tag_classifier(cell, settings, "backbone pre-training on image-level labels")}


def tag_classifier(cell: Cell, settings: Any, title: str) -> Stage:
    """Return a backbone and a classifier trained on image tags, from ``maskformer.weights``.

    Args:
        cell: its split and seed play no part.
        settings: iterations, batch, lr, weight_decay, seconds_per_iteration.
        title: for people.
    """
    return Stage(
        kind="pretrain",
        name=f"{title} of {cell.dataset.name}",
        function="methods.pretraining:pretrain",
        version=1,
        params={
            **data(cell),
            "novel": every_class(cell),
            "seed": 0,  # like ImageNet weights: one for every training seed
            "input": training_input(cell),
            **described_network(cell, BACKBONE_FIELDS),
            "pretrain": to_json(settings),
        },
        hints=hints(cell),
        cost=settings.iterations * settings.seconds_per_iteration,
        work=work.training("pretrain", settings.batch),
    )


def network_params(cell: Cell, trained_norms: str = "") -> dict[str, Any]:
    """Return the parameters that every training of a segmentation network has.

    Args:
        cell: what is planned.
        trained_norms: batch norms beside the backbone's, as ``check_passes`` names them.

    Raises:
        BenchmarkError: the network's settings do not fit together.
    """
    check_network(cell.settings["maskformer"])
    return {
        **data(cell),
        "seed": cell.seed,
        "input": training_input(cell),
        **described_network(cell),
        "training": to_json(_schedule(cell, trained_norms)),
    }


def _schedule(cell: Cell, trained_norms: str) -> TrainingSettings:
    settings: TrainingSettings = cell.settings["training"]
    check_emulated_ranks(settings)
    norms = trained_norms or (NARROW if cell.settings["maskformer"].backbone == "narrow" else "")
    return _in_passes(settings, "training", settings.batch // settings.emulate_world_size, norms)


def _in_passes(settings: S, section: str, images: int, trained_norms: str) -> S:
    """Return the settings, without a limit on the images of a pass that limits nothing. Raises as ``check_passes``."""
    check_passes(f"{section}.micro_batch", settings.micro_batch, images, trained_norms)
    return replace(settings, micro_batch=0) if settings.micro_batch >= images else settings


def hints(cell: Cell) -> dict[str, Any]:
    """Return what a training may use beside its parameters: threads, and where the file of weights lies."""
    file = _weights(cell)
    return {"workers": cell.settings["input"].workers, **({"weights": file.path} if file else {})}


def training_work(cell: Cell) -> Work:
    """Return what a training of MaskFormer does at every iteration."""
    return work.training("training", cell.settings["training"].batch, precise=True, kept=True)


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
        hints=hints(cell),
        shares=cell.settings["training"].emulate_world_size,
        work=training_work(cell),
    )


def retrain(
    cell: Cell, pseudo_labels: Stage, title: str, network: Literal["maskformer", "largefov"] | None = None
) -> Stage:
    """Return a fresh network trained on base masks over pseudo labels of the novel classes [7].

    ``network`` is the one of the cell's section ``retrain`` unless it is given.
    """
    if (network or cell.settings["retrain"].network) == "largefov":
        return _retrain_largefov(cell, pseudo_labels, title)
    return Stage(
        kind="retrain",
        name=f"re-training of MaskFormer on pseudo labels of {title}, {cell.split.name}, seed {cell.seed}",
        function="methods.supervised:train_supervised",
        version=1,
        params={**network_params(cell), "novel": list(cell.split.novel)},
        inputs={**pretrain(cell), "pseudo_labels": pseudo_labels},
        cost=training_cost(cell),
        hints=hints(cell),
        shares=cell.settings["training"].emulate_world_size,
        work=training_work(cell),
    )


def _retrain_largefov(cell: Cell, pseudo_labels: Stage, title: str) -> Stage:
    settings: LargeFovSettings = cell.settings["largefov"]
    trained = cell.settings["maskformer"].backbone == "narrow" and not settings.freeze_norms
    settings = _in_passes(settings, "largefov", settings.batch, NARROW if trained else "")
    backbone = pretrain(cell)
    fields = [name for name in BACKBONE_FIELDS if name != "weights" or not backbone]
    return Stage(
        kind="retrain",
        name=f"re-training of LargeFOV on pseudo labels of {title}, {cell.split.name}, seed {cell.seed}",
        function="methods.largefov.train:train_largefov",
        version=1,
        params={
            **data(cell),
            "seed": cell.seed,
            "input": training_input(cell),
            **described_network(cell, fields),
            "largefov": to_json(settings),
            "novel": list(cell.split.novel),
        },
        inputs={**backbone, "pseudo_labels": pseudo_labels},
        cost=settings.iterations * settings.seconds_per_iteration,
        hints=hints(cell),
        work=work.training("largefov", settings.batch, precise=True, kept=True),
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
        work=work.inference(model),
    )


def evaluate(cell: Cell, model: Stage, title: str) -> Stage:
    """Return the counts of ``model`` on the test images; every split's mIoU is a function of them.

    Raises:
        BenchmarkError: ``evaluation.at`` asks for a network that ``model`` does not keep.
    """
    settings: EvaluationSettings = cell.settings["evaluation"]
    iteration = evaluated_iteration(settings.at, model)
    on_the_way = {"iteration": iteration} if iteration else {}
    return Stage(
        kind="evaluate",
        name=f"evaluation of {title}{f' after iteration {iteration}' if iteration else ''}, seed {cell.seed}",
        function="methods.evaluation:evaluate",
        version=1,
        params={**data(cell, settings.part), "part": settings.part, "input": test_input(cell), **on_the_way},
        inputs={"model": model},
        access="evaluation",
        cost=cell.dataset.test * settings.seconds_per_image,
        work=work.inference(model),
        maps="methods.evaluation:predict_images",
    )


def assess(cell: Cell, labels: Stage) -> Stage:
    """Return the counts of label maps of the training images; what the split plays no part in serves every split."""
    return Stage(
        kind="assess",
        name=f"assessment of {labels.name}",
        function="methods.assessment:assess",
        version=1,
        params=data(cell),
        inputs={"labels": labels},
        access="evaluation",
        cost=0.002 * cell.dataset.train,
        work=work.IMAGE,
    )


def test_input(cell: Cell) -> dict[str, Any]:
    """Return the input settings that inference depends on."""
    return {name: value for name, value in to_json(cell.settings["input"]).items() if name in TEST_FIELDS}
