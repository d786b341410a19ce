"""MaskFormer: Q queries, each with a class distribution and a mask over the image [2]."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from methods.maskformer.backbones import build_backbone
from methods.maskformer.pixel_decoder import PixelDecoder, xavier_conv
from methods.maskformer.transformer import TransformerDecoder, sine_encoding
from methods.planning.checks import check_network
from methods.settings import MaskFormerSettings

PIXEL_MEAN = (123.675, 116.280, 103.530)  # RGB on the 0..255 scale [2.1]
PIXEL_STD = (58.395, 57.120, 57.375)


class Output(NamedTuple):
    """What the network says about a batch. L decoder layers, Q queries, K classes, stride-4 grid h x w.

    Attributes:
        logits: (L, B, Q, K+1) class logits; column K is "no object".
        embeddings: (L, B, Q, D) mask embeddings e.
        features: (B, D, h, w) pixel embeddings P.
    """

    logits: Tensor
    embeddings: Tensor
    features: Tensor

    @property
    def masks(self) -> Tensor:
        """(L, B, Q, h, w) mask logits e . P of every layer; a product of that size at each access."""
        masks = self.embeddings.transpose(0, 1).flatten(1, 2) @ self.features.flatten(2)  # (B, L*Q, h*w)
        layers, batch, queries = self.logits.shape[:3]
        return masks.view(batch, layers, queries, *self.features.shape[-2:]).transpose(0, 1)

    @property
    def last(self) -> "Output":
        """The output of the last layer alone, L = 1: what inference and the pair losses read."""
        return Output(self.logits[-1:], self.embeddings[-1:], self.features)


class MaskFormer(nn.Module):
    """Backbone, pixel decoder, transformer decoder and the two heads, which all layers share [2.5]."""

    def __init__(self, settings: MaskFormerSettings, classes: int) -> None:
        super().__init__()
        s, dim = settings, settings.hidden
        self.backbone = build_backbone(s)
        self.memory_level = self.backbone.strides.index(s.memory_stride)
        self.pixel_decoder = PixelDecoder(self.backbone.channels, s.feature_channels)
        self.memory_projection = xavier_conv(self.backbone.channels[self.memory_level], dim, 1, bias=True)
        self.queries = nn.Embedding(s.queries, dim)
        self.decoder = TransformerDecoder(dim, s.heads, s.ffn, s.layers, s.dropout, pre_norm=s.pre_norm)
        self.class_head = nn.Linear(dim, classes + 1)
        self.mask_head = nn.Sequential(
            nn.Linear(dim, dim),
            nn.ReLU(inplace=True),
            nn.Linear(dim, dim),
            nn.ReLU(inplace=True),
            nn.Linear(dim, s.feature_channels),
        )
        # Not in the paper: query i starts as a specialist of class i. None adds no parameter.
        self.class_bias = nn.Parameter(s.class_seed * torch.eye(s.queries, classes + 1)) if s.class_seed else None

    def forward(self, images: Tensor) -> Output:
        """Normalised images (B, 3, H, W) -> logits, mask embeddings and pixel embeddings."""
        maps = self.backbone(images)
        features = self.pixel_decoder(maps)  # (B, D, h, w)
        memory = self.memory_projection(maps[self.memory_level])  # (B, d, h', w')
        position = sine_encoding(*memory.shape[-2:], memory.shape[1], memory.device)
        states = self.decoder(memory.flatten(2).transpose(1, 2), position, self.queries.weight)  # (L, B, Q, d)
        logits = self.class_head(states)
        if self.class_bias is not None:
            logits = logits + self.class_bias
        return Output(logits, self.mask_head(states), features)


def build_maskformer(settings: MaskFormerSettings, classes: int) -> MaskFormer:
    """Return the network, randomly initialised. Raises BenchmarkError for settings that do not fit together."""
    check_network(settings)
    return MaskFormer(settings, classes)


def normalise(images: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 RGB -> (B, 3, H, W) float32, zero mean and unit variance over ImageNet [2.1]."""
    mean = torch.tensor(PIXEL_MEAN, device=images.device)
    std = torch.tensor(PIXEL_STD, device=images.device)
    return ((images.float() - mean) / std).permute(0, 3, 1, 2)


_NORMS = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm)


def parameter_groups(
    model: nn.Module, extra_modules: Iterable[nn.Module], lr: float, weight_decay: float, backbone_multiplier: float
) -> list[dict[str, Any]]:
    """Return the optimiser's groups [2.6]; each parameter is in exactly one.

    The backbone learns at ``lr * backbone_multiplier``; norms and embeddings do not decay, every other bias does.
    Parameters that take no gradient are left out.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    seen: set[int] = set()
    for name, module in [(n, m) for root in (model, *extra_modules) for n, m in root.named_modules()]:
        key = (
            lr * backbone_multiplier if "backbone" in name else lr,
            0.0 if isinstance(module, (*_NORMS, nn.Embedding)) else weight_decay,
        )
        for parameter in module.parameters(recurse=False):
            if parameter.requires_grad and id(parameter) not in seen:
                seen.add(id(parameter))
                groups.setdefault(key, []).append(parameter)
    return [{"params": params, "lr": rate, "weight_decay": decay} for (rate, decay), params in groups.items()]
