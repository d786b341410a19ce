"""Which pixels of the stride-4 map are compared by L_sim and L_dist.

B images; ``partner`` (B,) names the other image of each pair and is its own inverse: partner[partner[b]] = b. Label
maps hold base ids, or 255 wherever there is no base mask (novel, unlabelled and padded pixels). A point is a flat index
into the h x w map. The released code reads bilinearly at exact pixel centres, which is the same as picking the pixel.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.errors import BenchmarkError

IGNORE = 255
NO_CLASS = -1


def downsample(labels: Tensor, size: tuple[int, int]) -> Tensor:
    """Return labels (B, H, W) at ``size`` (h, w), nearest: source index = floor(target index * H / h)."""
    return F.interpolate(labels[:, None].float(), size=size, mode="nearest")[:, 0].to(labels.dtype)


def base_classes_present(labels: Tensor, classes: int) -> Tensor:
    """Return which of the ``classes`` ids occur in each label map (B, H, W): (B, classes) bool."""
    seen = torch.zeros(len(labels), IGNORE + 1, dtype=torch.bool, device=labels.device)
    return seen.scatter_(1, labels.flatten(1).long(), value=True)[:, :classes]


def common_class(present: Tensor, partner: Tensor, generator: torch.Generator) -> Tensor:
    """Return C*, one class drawn uniformly from those in both crops of a pair: (B,) ids, NO_CLASS where none is shared.

    Args:
        present: (B, K) bool, base classes in each crop at full resolution.
        partner: (B,).
        generator: on the device of ``present``.
    """
    both = present & present[partner]  # (B, K)
    noise = torch.rand(both.shape, generator=generator, device=both.device)
    noise = noise + noise[partner]  # the same in both images of a pair, exchangeable between classes
    chosen = noise.masked_fill(~both, -1).argmax(1)
    return torch.where(both.any(1), chosen, NO_CLASS)


def draw(region: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return ``count`` different pixels of each region (B, h, w) bool as flat indices (B, count).

    Uniform, without replacement, by taking the largest scores 1[in region] + U(0, 0.1); a region with fewer pixels is
    taken whole and filled up from outside it. Raises BenchmarkError when the map has fewer than ``count`` pixels.
    """
    inside = region.flatten(1)
    if count > inside.shape[1]:
        raise BenchmarkError(
            f"{count} points were asked for, but the feature map has only {inside.shape[1]} pixels "
            f"({region.shape[1]} x {region.shape[2]}). Lower simformer.points or use larger crops."
        )
    noise = torch.rand(inside.shape, generator=generator, device=inside.device)
    return (inside + 0.1 * noise).topk(count, dim=1).indices


def similarity_points(
    labels: Tensor, pad: Tensor, common: Tensor, count: int, generator: torch.Generator, positive_ratio: float = 0.8
) -> Tensor:
    """Return the J points of each image that SimNet learns from, first those in region R, then the rest: (B, J).

    R holds the pixels of class C*, or all base pixels if the pair shares no base class. The rest comes from outside R
    and outside the padding: other base classes, novel and unlabelled pixels.

    Args:
        labels: (B, h, w) base ids or 255.
        pad: (B, h, w) bool, padded pixels.
        common: (B,) from ``common_class``.
        count: J.
        generator: on the device of ``labels``.
        positive_ratio: the part of J that is drawn from R.
    """
    of_class = labels == common[:, None, None]
    region = torch.where((common == NO_CLASS)[:, None, None], labels != IGNORE, of_class)
    positive = round(positive_ratio * count)
    points = draw(region, positive, generator), draw(~pad & ~region, count - positive, generator)
    return torch.cat(points, dim=1)


def distillation_points(
    labels: Tensor, pad: Tensor, count: int, generator: torch.Generator, *, exclude_pad: bool = False
) -> Tensor:
    """Return J points of each image from all that is not base: novel, unlabelled and, by default, padding: (B, J).

    The arguments are those of ``similarity_points``.
    """
    region = labels == IGNORE
    return draw(region & ~pad if exclude_pad else region, count, generator)


def at_points(maps: Tensor, points: Tensor) -> Tensor:
    """Return the vectors of maps (B, C, h, w) at points (B, J): (B, J, C)."""
    index = points[:, None].expand(-1, maps.shape[1], -1)
    return maps.flatten(2).gather(2, index).transpose(1, 2)


def labels_at_points(labels: Tensor, points: Tensor) -> Tensor:
    """Return the labels of maps (B, h, w) at points (B, J): (B, J)."""
    return labels.flatten(1).gather(1, points)
