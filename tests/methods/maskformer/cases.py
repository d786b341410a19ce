"""Small inputs for the tests of the segmentation network."""

from collections.abc import Sequence

import torch
from torch import Tensor

from methods.maskformer.matching import Target
from methods.maskformer.network import Output
from methods.settings import MaskFormerSettings

MINI = MaskFormerSettings(
    backbone="narrow",
    backbone_width=32,
    feature_channels=64,
    hidden=64,
    heads=4,
    ffn=256,
    layers=2,
    queries=24,
    dropout=0.0,
    pre_norm=True,
    memory_stride=8,
    class_seed=3.0,
)


def output_of(logits: Tensor, masks: Tensor) -> Output:
    """Return the output whose class logits (L, B, Q, K+1) and mask logits (L, B, Q, h, w) are the given ones.

    Each pixel embedding is a unit vector of its own, so that mask embeddings are the mask logits.
    """
    size = masks.shape[-2:]
    pixels = torch.eye(size[0] * size[1], dtype=masks.dtype).view(-1, *size)
    return Output(logits, masks.flatten(3), pixels.expand(masks.shape[1], -1, -1, -1))


def target_of(labels: Tensor, classes: Sequence[int], novel: Sequence[int]) -> Target:
    """Return the target list of a label map (H, W): base classes with masks, then novel classes without [1.2]."""
    present = set(torch.unique(labels).tolist())
    base = [c for c in classes if c in present and c not in novel]
    hidden = [c for c in classes if c in present and c in novel]
    masks = [labels == c for c in base] + [torch.zeros_like(labels, dtype=torch.bool) for _ in hidden]
    return Target(
        labels=torch.tensor(base + hidden, dtype=torch.int64),
        masks=torch.stack(masks) if masks else torch.zeros(0, *labels.shape, dtype=torch.bool),
        has_mask=torch.tensor([True] * len(base) + [False] * len(hidden), dtype=torch.bool),
    )


def random_output(layers: int, images: int, queries: int, classes: int, size: int) -> Output:
    """Return a random output with a gradient to everything."""
    return Output(
        torch.randn(layers, images, queries, classes + 1, requires_grad=True),
        torch.randn(layers, images, queries, 8, requires_grad=True),
        torch.randn(images, 8, size, size, requires_grad=True),
    )


def perfect_output(target: Target, queries: int, classes: int) -> Output:
    """Return what says the right thing at stride 4, query i about target i; one layer, one image."""
    height, width = target.masks.shape[-2:]
    logits = torch.zeros(1, 1, queries, classes + 1)
    masks = torch.full((1, 1, queries, height // 4, width // 4), -10.0)
    for query, label in enumerate(target.labels.tolist()):
        logits[0, 0, query, label] = 8.0
        masks[0, 0, query][target.masks[query, ::4, ::4]] = 10.0
    return output_of(logits, masks)


def vanishing() -> Target:
    """Return targets [b0, b1, b2, n] of a 16 x 16 image whose b1 is one pixel that the stride-4 grid does not see."""
    labels = blocks("02", ".3")
    labels[1, 1] = 1
    return target_of(labels, range(4), novel=[3])


def blocks(*rows: str) -> Tensor:
    """Return a label map drawn with one character a block of 8 x 8 pixels; ``.`` is unlabelled."""
    small = torch.tensor([[255 if character == "." else int(character) for character in row] for row in rows])
    return small.repeat_interleave(8, 0).repeat_interleave(8, 1)
