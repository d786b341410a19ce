"""Pixel decoder: backbone maps become pixel embeddings at the finest stride (FPN with group norm) [2.3]."""

from collections.abc import Sequence
from math import gcd

import torch.nn.functional as F
from torch import Tensor, nn

GROUPS = 32


def group_norm(channels: int) -> nn.GroupNorm:
    """Return group norm with 32 groups, or with the most groups below that divide both 32 and ``channels``."""
    return nn.GroupNorm(gcd(GROUPS, channels), channels)


def xavier_conv(inputs: int, outputs: int, kernel: int, *, bias: bool) -> nn.Conv2d:
    """Return a same-size convolution, weights Kaiming-uniform with a = 1 over the fan-in, bias 0."""
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)
    nn.init.kaiming_uniform_(conv.weight, a=1)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


class PixelDecoder(nn.Module):
    """Top-down pyramid over the backbone maps, coarsest to finest; the result is P, the pixel embeddings."""

    def __init__(self, channels: Sequence[int], dim: int) -> None:
        super().__init__()
        *finer, coarsest = channels
        self.top = _smoothing(coarsest, dim)
        self.laterals = nn.ModuleList(
            nn.Sequential(xavier_conv(c, dim, 1, bias=False), group_norm(dim)) for c in reversed(finer)
        )
        self.smoothings = nn.ModuleList(_smoothing(dim, dim) for _ in finer)
        self.mask_features = xavier_conv(dim, dim, 3, bias=True)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps finest first, (B, C_i, h_i, w_i) each -> (B, D, h, w) at the size of the finest."""
        *finer, coarsest = maps
        y = self.top(coarsest)
        for x, lateral, smoothing in zip(reversed(finer), self.laterals, self.smoothings, strict=True):
            y = smoothing(lateral(x) + F.interpolate(y, size=x.shape[-2:], mode="nearest"))
        features: Tensor = self.mask_features(y)
        return features


def _smoothing(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(xavier_conv(inputs, outputs, 3, bias=False), group_norm(outputs), nn.ReLU(inplace=True))
