"""MaskFormer trained on every mask it is shown: FullyOracle, and the re-training on pseudo labels (`*`)."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import torch
from torch import nn
from torch.profiler import record_function

from benchmark.datasets import TrainingView
from benchmark.errors import BenchmarkError
from benchmark.stage import StageContext
from methods.batches import CropSource, TrainingImages
from methods.checkpoints import BACKBONE_FILE, MODEL_FILE, load_backbone, load_imagenet, save_model
from methods.largefov.network import LargeFov
from methods.maskformer.losses import segmentation_loss
from methods.maskformer.network import MaskFormer, build_maskformer, parameter_groups
from methods.pseudo_labels import PseudoLabelledImages
from methods.settings import InputSettings, MaskFormerSettings, TrainingSettings, from_json
from methods.training import Losses, train

N = TypeVar("N", MaskFormer, LargeFov)


def new_network(context: StageContext, settings: MaskFormerSettings, classes: int, seed: int) -> MaskFormer:
    """Return a network with weights drawn from ``seed`` over a pre-trained backbone, if the stage has one."""
    torch.manual_seed(seed)
    return on_backbone(context, build_maskformer(settings, classes), settings.weights)


def on_backbone(context: StageContext, model: N, weights: str) -> N:
    """Return ``model`` on the device, its backbone that of input stage ``backbone``, else ``weights``, if any."""
    if "backbone" in context.inputs:
        load_backbone(model, context.inputs["backbone"] / BACKBONE_FILE)
    elif weights:
        load_imagenet(model.backbone, weights)
    return model.to(context.device)


def crop_source(context: StageContext, view: TrainingView) -> CropSource:
    """Return the training view, under the masks of input stage ``pseudo_labels``, if there is one [7].

    Raises:
        BenchmarkError: a mask is missing.
    """
    if "pseudo_labels" not in context.inputs:
        return view
    source = PseudoLabelledImages(view, context.inputs["pseudo_labels"])
    if not source.ids:
        raise BenchmarkError(
            f"{context.inputs['pseudo_labels']}: no pixel of any training image has a label, so nothing can be learnt. "
            f"Lower the threshold of the method that made these pseudo labels."
        )
    return source


def train_supervised(context: StageContext) -> Mapping[str, Any]:
    """Stage function: writes the trained network.

    With an input stage ``pseudo_labels`` its masks replace the training view's [7]; a missing one is an error.
    """
    p = context.params
    settings = from_json(MaskFormerSettings, p["maskformer"])
    schedule = from_json(TrainingSettings, p["training"])
    seed = p["seed"]
    view = context.training_view()
    images = TrainingImages(crop_source(context, view), from_json(InputSettings, p["input"]), seed, context.device)
    model = new_network(context, settings, len(view.classes), seed)

    def losses(step: int) -> Iterator[Losses]:
        batch = images.batch(step, images.indices(step, schedule.batch))
        with record_function("step: forward"):
            output = model(batch.images)
        yield segmentation_loss(output, batch.targets, batch.pad, settings)

    groups = parameter_groups(model, (), schedule.lr, schedule.weight_decay, schedule.backbone_lr_multiplier)
    final = train(context, nn.ModuleDict({"model": model}), groups, losses, schedule, seed=seed)
    save_model(context.out / MODEL_FILE, model, settings, len(view.classes))
    return final
