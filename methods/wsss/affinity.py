"""PSA's AffinityNet: features whose distance says whether two neighbouring pixels are of one class.

B images. Label maps hold class ids, or 255 where the class is unknown. IRN learns its edges from the same pairs, and
with the same loss.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.errors import BenchmarkError
from methods.maskformer.upsampling import upsampled
from methods.wsss.geometry import PairGrid, check_size, over_pairs

IGNORE = 255
EPS = 1e-5  # in the logarithms and in the denominators, as released


class PairLabels(NamedTuple):
    """What is known of each pair, (B, P) bool each; a pair with an unknown pixel is in none of the three."""

    background: Tensor  # both background
    foreground: Tensor  # equal, not background
    negative: Tensor  # different


class PairWeights(NamedTuple):
    """Weights of the mean losses over the three kinds of pairs."""

    background: float
    foreground: float
    negative: float


WITH_BACKGROUND = PairWeights(0.25, 0.25, 0.5)
WITHOUT_BACKGROUND = PairWeights(0.0, 0.5, 0.5)


class PooledTaps(nn.Module):
    """Several feature maps of a backbone, each reduced by a 1x1 convolution and ELU, side by side on one grid.

    Maps of another size than that of ``level`` are resized bilinearly after the ELU; PSA's three are all at stride 8.

    Args:
        channels: of the maps (PSA: conv4, conv5 and conv6 of ResNet-38).
        widths: what each is reduced to.
        level: which map has the grid of the output; negative counts from the last.
    """

    def __init__(
        self, channels: Sequence[int] = (512, 1024, 4096), widths: Sequence[int] = (64, 128, 256), level: int = 0
    ) -> None:
        super().__init__()
        if len(channels) != len(widths):
            raise BenchmarkError(f"one width a feature map was expected, found {len(widths)} for {len(channels)} maps.")
        convs = [nn.Conv2d(c, w, 1, bias=False) for c, w in zip(channels, widths, strict=True)]
        for conv in convs:
            nn.init.kaiming_normal_(conv.weight)
        self.reduce = nn.ModuleList(convs)
        self.width = sum(widths)
        self.level = level

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps (B, channels[i], h_i, w_i) -> (B, sum of widths, h, w)."""
        size = maps[self.level].shape[-2:]
        reduced = [F.elu(conv(x)) for conv, x in zip(self.reduce, maps, strict=True)]
        return torch.cat([x if x.shape[-2:] == size else upsampled(x, size) for x in reduced], 1)


class AffinityHead(nn.Module):
    """AffinityNet on the maps of a backbone: taps, then a 1x1 convolution of the same width and ELU (PSA).

    The arguments are those of ``PooledTaps``.
    """

    def __init__(
        self, channels: Sequence[int] = (512, 1024, 4096), widths: Sequence[int] = (64, 128, 256), level: int = 0
    ) -> None:
        super().__init__()
        self.taps = PooledTaps(channels, widths, level)
        self.mix = nn.Conv2d(self.taps.width, self.taps.width, 1, bias=False)
        nn.init.xavier_uniform_(self.mix.weight, gain=4)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps (B, channels[i], h_i, w_i) -> f (B, sum of widths, h, w)."""
        mixed: Tensor = self.mix(self.taps(maps))
        return F.elu(mixed)


def pair_affinity(features: Tensor, grid: PairGrid) -> Tensor:
    """Return a_ij = exp(-mean_c |f_ic - f_jc|), in (0, 1]: (B, C, h, w) -> (B, P).

    Raises BenchmarkError if the features are not of the grid's size.
    """
    check_size(features, grid)
    windows = grid.windows()
    distances = [(first.of(features) - second.of(features)).abs().mean(1).flatten(1) for first, second in windows]
    return torch.exp(-torch.cat(distances, 1))


def pair_labels(labels: Tensor, grid: PairGrid, background: int | None = 0) -> PairLabels:
    """Return the kinds of all pairs of label maps (B, h, w).

    Args:
        labels: class ids or 255.
        grid: of the maps.
        background: its id; None where there is no background class, so that all equal pairs are foreground.
    """
    first, second = over_pairs(labels, grid)  # (B, P)
    valid = (first != IGNORE) & (second != IGNORE)
    equal = valid & (first == second)
    both_background = torch.zeros_like(equal) if background is None else equal & (first == background)
    return PairLabels(both_background, equal & ~both_background, valid & (first != second))


def affinity_loss(affinity: Tensor, kinds: PairLabels, weights: PairWeights = WITH_BACKGROUND) -> Tensor:
    """Return the affinity loss of PSA, RETAB and IRN, a scalar.

    The weighted sum of the mean of -log a over background and foreground pairs and that of -log(1 - a) over negative
    pairs. Means are over the whole batch, and 0 for a kind without pairs.

    Args:
        affinity: (B, P) in [0, 1], from ``pair_affinity`` or IRN's ``boundary.path_affinity``.
        kinds: from ``pair_labels``.
        weights: ``WITH_BACKGROUND`` as released, or ``WITHOUT_BACKGROUND``: half positive, half negative.
    """
    alike, unlike = -torch.log(affinity + EPS), -torch.log(1 + EPS - affinity)
    return (
        weights.background * _mean(alike, kinds.background)
        + weights.foreground * _mean(alike, kinds.foreground)
        + weights.negative * _mean(unlike, kinds.negative)
    )


def mixed_labels(base: Tensor, mined: Tensor, nonboundary: Tensor) -> Tensor:
    """Return the labels that RETAB's affinity network learns from: base ground truth, mined labels in what it leaves.

    Mined labels at predicted boundaries become 255. For pairs this means: two base pixels as in the ground truth, a
    base and a mined pixel negative, two mined pixels by their labels.

    Args:
        base: (..., h, w) base ids or 255.
        mined: (..., h, w) confident labels of other classes, or 255.
        nonboundary: (..., h, w) bool.
    """
    ignored = torch.full_like(mined, IGNORE)
    return torch.where(base != IGNORE, base, torch.where(nonboundary, mined, ignored))


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    return (values * chosen).sum() / (chosen.sum() + EPS)
