"""LargeFOV trained on base masks over pseudo labels, or on the masks of every class [largefov 2, 5]."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.datasets import IGNORE
from benchmark.settings import from_json
from benchmark.stage import StageContext
from methods.largefov.network import LargeFov, LargeFovShape, parameter_groups
from methods.settings import InputSettings, LargeFovSettings, MaskFormerSettings, TrainingSettings
from methods.supervised import crop_source, on_backbone
from methods.training.batches import TrainingImages
from methods.training.loading import Loader
from methods.training.loop import Losses, ParameterGroups, adamw, train
from methods.training.precision import forward
from methods.weights.checkpoints import MODEL_FILE, save_model


def train_largefov(context: StageContext) -> Mapping[str, Any]:
    """Stage function: writes the trained network, and what ``largefov.snapshots`` keeps on the way.

    With an input stage ``pseudo_labels`` its masks replace the training view's [7]; a missing one is an error.
    """
    p = context.params
    settings = from_json(LargeFovSettings, p["largefov"])
    seed = p["seed"]
    view = context.training_view()
    images = TrainingImages(crop_source(context, view), from_json(InputSettings, p["input"]), seed, context.device)
    backbone = from_json(MaskFormerSettings, p["maskformer"])
    shape = LargeFovShape(backbone.backbone, backbone.backbone_width, settings.hidden, settings.dilation)
    torch.manual_seed(seed)
    model = LargeFov(shape, len(view.classes), freeze_norms=settings.freeze_norms)
    model = on_backbone(context, model, backbone.weights, channels_last=settings.channels_last)
    balanced = view.novel if settings.balanced else ()

    def losses(step: int) -> Iterator[Losses]:
        batch = loader.batch(step)
        for part in batch.parts(settings.micro_batch):
            logits = forward(model, part.images, settings.precision)
            yield {"total": pixel_loss(logits, part.labels, balanced, batch.labels)}

    loader = Loader(
        images,
        lambda step: images.indices(step, settings.batch),
        range(settings.batch),
        settings.iterations,
        context.hints.get("workers", 0),
    )

    def sgd(groups: ParameterGroups) -> torch.optim.Optimizer:
        return torch.optim.SGD(groups, momentum=settings.momentum, foreach=True)

    def save(path: Path) -> None:
        save_model(path, model, shape, len(view.classes))

    with loader:
        final = train(
            context,
            nn.ModuleDict({"model": model}),
            parameter_groups(model, settings),
            losses,
            schedule(settings),
            seed=seed,
            optimiser_of=sgd if settings.optimiser == "sgd" else adamw,
            save=save,
        )
    save(context.out / MODEL_FILE)
    return final


def schedule(settings: LargeFovSettings) -> TrainingSettings:
    """Return the training loop's part of the settings."""
    return TrainingSettings(
        iterations=settings.iterations,
        batch=settings.batch,
        lr=settings.lr,
        weight_decay=settings.weight_decay,
        clip=settings.clip or math.inf,
        warmup=settings.warmup,
        poly=settings.poly,
        log_every=settings.log_every,
        micro_batch=settings.micro_batch,
        precision=settings.precision,
        channels_last=settings.channels_last,
        snapshots=settings.snapshots,
    )


def pixel_loss(logits: Tensor, labels: Tensor, balanced: Sequence[int] = (), batch: Tensor | None = None) -> Tensor:
    """Return the cross entropy over labelled pixels: the mean of each crop, averaged over the crops.

    One crop after the other is how the released code gathers a batch [largefov 2]. A crop without labels counts as 0.

    Args:
        logits: (B, K, H, W).
        labels: (B, H, W) uint8, 255 where nothing is known.
        balanced: classes whose pixels have a mean of their own, which is added to that of the others [largefov 5]; both
            means are over the batch then, so that a few such pixels in one crop do not outweigh the rest of it.
        batch: labels of the batch that these crops are a part of; the losses of its parts add up to that of the batch.
    """
    batch = labels if batch is None else batch
    losses = F.cross_entropy(logits, labels.long(), ignore_index=IGNORE, reduction="none")  # (B, H, W), 0 where ignored
    if not balanced:
        known = labels != IGNORE
        means = (losses * known).sum((1, 2)) / known.sum((1, 2)).clamp(min=1)  # (B,)
        return means.sum() / len(batch)
    base, novel = (
        (losses * here).sum() / everywhere.sum().clamp(min=1)
        for here, everywhere in zip(_kinds(labels, balanced), _kinds(batch, balanced), strict=True)
    )
    return base + novel


def _kinds(labels: Tensor, novel: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return where the labels are known and of other classes, and where they are of ``novel`` ones."""
    apart = torch.isin(labels, torch.tensor(novel, dtype=labels.dtype, device=labels.device))
    return (labels != IGNORE) & ~apart, apart
