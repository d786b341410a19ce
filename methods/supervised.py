"""MaskFormer trained on every mask it is shown: FullyOracle, and the re-training on pseudo labels (`*`)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from benchmark.datasets import TrainingView
from benchmark.errors import BenchmarkError
from benchmark.settings import from_json
from benchmark.stage import StageContext
from methods.largefov.network import LargeFov
from methods.maskformer.losses import LOGIT_5_PERCENT, segmentation_loss, share_sums
from methods.maskformer.network import MaskFormer, build_maskformer, parameter_groups
from methods.pseudo_labels import PseudoLabelledImages
from methods.settings import InputSettings, MaskFormerSettings, TrainingSettings
from methods.training.batches import Batch, CropSource, TrainingImages
from methods.training.distributed import distributed_stage
from methods.training.emulated_ranks import EmulatedRanks
from methods.training.loading import Loader
from methods.training.loop import Losses, train
from methods.training.precision import forward
from methods.weights.checkpoints import BACKBONE_FILE, MODEL_FILE, load_backbone, load_weights, save_model

N = TypeVar("N", MaskFormer, LargeFov)


def new_network(
    context: StageContext, settings: MaskFormerSettings, classes: int, seed: int, *, channels_last: bool = False
) -> MaskFormer:
    """Return a network with weights drawn from ``seed`` over a pre-trained backbone, if the stage has one."""
    torch.manual_seed(seed)
    return on_backbone(context, build_maskformer(settings, classes), settings.weights, channels_last=channels_last)


def on_backbone(context: StageContext, model: N, weights: str, *, channels_last: bool = False) -> N:
    """Return ``model`` on the device, its backbone that of input stage ``backbone``, else ``weights``, if any."""
    if "backbone" in context.inputs:
        load_backbone(model, context.inputs["backbone"] / BACKBONE_FILE)
    elif weights:
        load_weights(context, model.backbone, weights)
    if channels_last:
        model.to(memory_format=torch.channels_last)
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


@distributed_stage
def train_supervised(context: StageContext) -> Mapping[str, Any]:
    """Stage function: writes the trained network, and what ``training.snapshots`` keeps on the way.

    With an input stage ``pseudo_labels`` its masks replace the training view's [7]; a missing one is an error.
    """
    p = context.params
    settings = from_json(MaskFormerSettings, p["maskformer"])
    schedule = from_json(TrainingSettings, p["training"])
    seed = p["seed"]
    view = context.training_view()
    images = TrainingImages(crop_source(context, view), from_json(InputSettings, p["input"]), seed, context.device)
    model = new_network(context, settings, len(view.classes), seed, channels_last=schedule.channels_last)
    emulated = EmulatedRanks(model, schedule, seed)

    def losses(step: int) -> Iterator[Losses]:
        batch = loader.batch(step)
        masks = emulated.masks(batch)
        for _, share in emulated.shares(step, batch):
            yield from in_passes(model, share, settings, schedule, masks)

    loader = Loader(
        images,
        lambda step: images.indices(step, schedule.batch),
        emulated.slots,
        schedule.iterations,
        context.hints.get("workers", 0),
    )
    parameters = parameter_groups(model, (), schedule.lr, schedule.weight_decay, schedule.backbone_lr_multiplier)

    def save(path: Path) -> None:
        save_model(path, model, settings, len(view.classes))

    with loader:
        final = train(context, nn.ModuleDict({"model": model}), parameters, losses, schedule, seed=seed, save=save)
    save(context.out / MODEL_FILE)
    return final


def in_passes(
    model: MaskFormer,
    share: Batch,
    settings: MaskFormerSettings,
    schedule: TrainingSettings,
    masks: float,
    complementary_weight: float = 0.0,
    theta: float = LOGIT_5_PERCENT,
) -> Iterator[Losses]:
    """Yield the losses of at most ``micro_batch`` images of a share at once; they add up to those of the share.

    Args:
        model: in training mode.
        share: of an emulated rank.
        settings: of the network.
        schedule: micro_batch and precision.
        masks: what the mask losses are divided by.
        complementary_weight, theta: as in ``segmentation_loss``.
    """
    sums = share_sums(share.targets, settings) if 0 < schedule.micro_batch < len(share) else None
    for part in share.parts(schedule.micro_batch):
        yield segmentation_loss(
            forward(model, part.images, schedule.precision),
            part.targets,
            part.pad,
            settings,
            complementary_weight=complementary_weight,
            theta=theta,
            mask_normaliser=masks,
            sums=sums,
        )
