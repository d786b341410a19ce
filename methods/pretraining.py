"""A multi-label classifier of image tags, with global average pooling.

Its backbone stands in for ImageNet weights in the miniature; class activation maps are read from it. It sees no mask at
all, so one run serves every split.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.settings import from_json
from benchmark.stage import StageContext
from methods.maskformer.backbones import build_backbone
from methods.settings import InputSettings, MaskFormerSettings, PretrainSettings, TrainingSettings
from methods.training.batches import TrainingImages
from methods.training.loop import Losses, train
from methods.weights.checkpoints import BACKBONE_FILE, load_weights, save_tensors

CLASSIFIER_FILE = "classifier.safetensors"


def pretrain(context: StageContext) -> Mapping[str, Any]:
    """Stage function: writes the backbone, and the classifier's (K, C) weights, which give class activation maps."""
    p = context.params
    settings = from_json(PretrainSettings, p["pretrain"])
    seed = p["seed"]
    view = context.training_view()
    classes = len(view.classes)
    images = TrainingImages(view, from_json(InputSettings, p["input"]), seed, context.device)
    torch.manual_seed(seed)
    network = from_json(MaskFormerSettings, p["maskformer"])
    backbone = build_backbone(network)
    if network.weights:
        load_weights(context, backbone, network.weights)
    classifier = nn.Linear(backbone.channels[-1], classes)
    modules = nn.ModuleDict({"backbone": backbone, "classifier": classifier}).to(context.device)

    def losses(step: int) -> Iterator[Losses]:
        batch = images.batch(step, images.indices(step, settings.batch))
        present = torch.zeros(len(batch), classes, device=context.device)  # (B, K)
        for row, index in enumerate(images.indices(step, settings.batch)):
            present[row, sorted(view.labels(view.ids[index]))] = 1.0
        logits = classifier(backbone(batch.images)[-1].mean(dim=(2, 3)))  # (B, K)
        yield {"total": F.binary_cross_entropy_with_logits(logits, present)}

    schedule = TrainingSettings(
        iterations=settings.iterations,
        batch=settings.batch,
        lr=settings.lr,
        weight_decay=settings.weight_decay,
        clip=1.0,
        warmup=settings.iterations // 20,
    )
    groups = [{"params": list(modules.parameters()), "lr": settings.lr, "weight_decay": settings.weight_decay}]
    final = train(context, modules, groups, losses, schedule, seed=seed)
    save_tensors(context.out / BACKBONE_FILE, backbone.state_dict())
    save_tensors(context.out / CLASSIFIER_FILE, classifier.state_dict())
    return {"loss": final["total"], "train_accuracy": _accuracy(images, modules, view.labels)}


@torch.inference_mode()
def _accuracy(images: TrainingImages, modules: nn.ModuleDict, labels: Any) -> float:
    """Return the share of right yes/no answers over the first 64 training images."""
    chosen = range(min(64, len(images.source.ids)))
    batch = images.batch(0, chosen)
    logits: Tensor = modules["classifier"](modules["backbone"](batch.images)[-1].mean(dim=(2, 3)))
    present = torch.zeros_like(logits, dtype=torch.bool)
    for row in chosen:
        present[row, sorted(labels(images.source.ids[row]))] = True
    return float(((logits > 0) == present).float().mean())
