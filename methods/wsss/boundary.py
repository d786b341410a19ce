"""Networks that predict class boundaries: IRN's edge branch, learnt from pairs, and RETAB's, learnt from masks.

B images. Label maps hold class ids, or 255 where the class is unknown.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.errors import BenchmarkError
from methods.maskformer.upsampling import upsampled
from methods.wsss.affinity import PooledTaps
from methods.wsss.geometry import PairGrid, grid_size, path_maximum
from methods.wsss.random_walk import Transition, transition

IGNORE = 255


class BoundaryTarget(NamedTuple):
    """What RETAB's boundary network is to say, (B, H, W) bool each; pixels in none have no loss.

    ``interiors`` are one or more sets of negatives that share half of the loss equally.
    """

    boundary: Tensor
    interiors: tuple[Tensor, ...]


class EdgeHead(nn.Module):
    """IRN's edge branch on the maps of a frozen backbone: no gradient flows back into the maps.

    Each map goes through a 1x1 convolution and group norm, is upsampled by the ratio of strides and cropped to the grid
    of ``level``, then ReLU; a last 1x1 convolution makes one logit of all.

    Args:
        channels: of the maps (IRN: stem and the four stages of ResNet-50).
        strides: of the maps.
        width: channels of each branch.
        groups: of the norms; must divide ``width``.
        level: which map has the grid of the output. Its stride must divide those of coarser maps.

    Raises:
        BenchmarkError: if the strides do not fit.
    """

    def __init__(
        self,
        channels: Sequence[int] = (64, 256, 512, 1024, 2048),
        strides: Sequence[int] = (4, 4, 8, 16, 16),
        width: int = 32,
        groups: int = 4,
        level: int = 1,
    ) -> None:
        super().__init__()
        if len(channels) != len(strides) or any(stride % strides[level] for stride in strides):
            raise BenchmarkError(
                f"one stride a feature map was expected, each a multiple of that of map {level}; "
                f"found strides {list(strides)} for {len(channels)} maps."
            )
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, width, 1, bias=False), nn.GroupNorm(groups, width)) for c in channels
        )
        self.factors = [stride // strides[level] for stride in strides]
        self.level = level
        self.edge = nn.Conv2d(len(channels) * width, 1, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps (B, channels[i], h_i, w_i) -> edge logits (B, h, w)."""
        height, width = maps[self.level].shape[-2:]
        levels = []
        for branch, factor, x in zip(self.branches, self.factors, maps, strict=True):
            y = branch(x.detach())
            if factor > 1:
                y = upsampled(y, (y.shape[-2] * factor, y.shape[-1] * factor))
            levels.append(F.relu(y[..., :height, :width]))
        logits: Tensor = self.edge(torch.cat(levels, 1))
        return logits[:, 0]


def mirrored_edge(logits: Tensor) -> Tensor:
    """Return the edge map (h, w) in [0, 1] of an image from the logits (2, h, w) of it and its mirror image (IRN)."""
    return torch.sigmoid((logits[0] + logits[1].flip(-1)) / 2)


def path_affinity(edge: Tensor, grid: PairGrid) -> Tensor:
    """Return a_ij = 1 - the largest edge on the path from i to j: edge (B, h, w) in [0, 1] -> (B, P) (IRN).

    With ``affinity.affinity_loss`` this is IRN's training loss. Raises BenchmarkError if sizes differ.
    """
    return 1 - path_maximum(edge, grid)


def edge_transition(edge: Tensor, radius: int = 5, beta: float = 10.0) -> Transition:
    """Return the walk that does not cross edges (h, w), in [0, 1] (IRN).

    It has all pairs inside the map. IRN gets the same by surrounding the map with edges of 1, which cut every pair that
    leaves it, and by cropping the matrix afterwards.
    """
    grid = PairGrid(edge.shape[-2], edge.shape[-1], radius, "all")
    return transition(path_affinity(edge[None], grid)[0], grid, beta)


class BoundaryHead(nn.Module):
    """RETAB's boundary network on the maps of a backbone: AffinityNet's taps, then one logit a pixel.

    The arguments are those of ``PooledTaps``.
    """

    def __init__(
        self, channels: Sequence[int] = (512, 1024, 4096), widths: Sequence[int] = (64, 128, 256), level: int = 0
    ) -> None:
        super().__init__()
        self.taps = PooledTaps(channels, widths, level)
        self.boundary = nn.Conv2d(self.taps.width, 1, 1, bias=False)
        nn.init.xavier_uniform_(self.boundary.weight, gain=4)

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Maps (B, channels[i], h_i, w_i) -> logits (B, *size), bilinear between the corner pixels."""
        logits: Tensor = self.boundary(self.taps(maps))
        return F.interpolate(logits, size=size, mode="bilinear", align_corners=True)[:, 0]


def void_target(labels: Tensor, background: int = 0) -> BoundaryTarget:
    """Return RETAB's own target from masks with void contours (B, H, W): 255 is boundary; background, foreground."""
    boundary, behind = labels == IGNORE, labels == background
    return BoundaryTarget(boundary, (behind, ~boundary & ~behind))


def base_target(labels: Tensor, radius: int = 2, pad: Tensor | None = None) -> BoundaryTarget:
    """Return the weak-shot target from base masks (B, H, W), 255 = unknown.

    Boundary is every pixel with another value within ``radius`` pixels in both directions, where unknown counts as a
    value. The other base pixels are the one set of negatives; the other unknown pixels may be anything: no loss.

    Args:
        labels: base ids or 255.
        radius: in pixels of ``labels``; a contour becomes 2 * radius pixels wide.
        pad: (B, H, W) bool, padding of a crop: no loss there, and its edge is no contour.
    """
    values, window = labels.float(), 2 * radius + 1
    inside = torch.ones_like(labels, dtype=torch.bool) if pad is None else ~pad
    # -inf in the padding and beyond the map never is the maximum.
    highest = F.max_pool2d(values.masked_fill(~inside, -torch.inf), window, 1, radius)
    lowest = -F.max_pool2d((-values).masked_fill(~inside, -torch.inf), window, 1, radius)
    boundary = inside & (highest != lowest)
    return BoundaryTarget(boundary, (inside & ~boundary & (labels != IGNORE),))


def boundary_loss(logits: Tensor, target: BoundaryTarget) -> Tensor:
    """Return the mean binary cross-entropy over boundaries plus that over the interiors, which share a weight of 1.

    The means are over the whole batch; a set without pixels is left out, and the others keep their weights (RETAB).

    Args:
        logits: (B, H, W).
        target: with two interiors, background and foreground, each weighs 1/2; a single one weighs 1.
    """
    loss = _mean(F.softplus(-logits), target.boundary)  # -log sigmoid
    for interior in target.interiors:
        loss = loss + _mean(F.softplus(logits), interior) / len(target.interiors)
    return loss


def nonboundary_map(probability: Tensor, threshold: float = 0.5, kernel: int = 0) -> Tensor:
    """Return where there is no boundary: maps (..., H, W) in [0, 1] -> bool (..., H, W) (RETAB).

    Args:
        probability: of a boundary.
        threshold: below it a pixel is no boundary.
        kernel: if not 0, odd: all pixels of a kernel x kernel window have to be below the threshold, as far as they
            are in the image.

    Raises:
        BenchmarkError: for an even kernel.
    """
    boundary = probability >= threshold
    if not kernel:
        return ~boundary
    if kernel < 0 or kernel % 2 == 0:
        raise BenchmarkError(f"boundary kernel: expected 0 or an odd number of pixels, found {kernel}.")
    maps = boundary.float().reshape(-1, 1, *boundary.shape[-2:])
    return (F.max_pool2d(maps, kernel, 1, kernel // 2) == 0).view(boundary.shape)


def at_stride(mask: Tensor, stride: int, *, aligned: bool = True) -> Tensor:
    """Return a mask (H, W) bool on the feature grid, nearest: (ceil(H / stride), ceil(W / stride)).

    Cell (y, x) takes the pixel (stride y, stride x). Not ``aligned``, as released: the mask is stretched over the grid,
    whose last row and column stand for pixels beyond the image, and so is off by up to a cell.
    """
    if aligned:
        return mask[::stride, ::stride]
    size = grid_size((mask.shape[0], mask.shape[1]), stride)
    return F.interpolate(mask[None, None].float(), size=size, mode="nearest")[0, 0].bool()


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """Return the mean of the chosen values, 0 if there are none."""
    return values.masked_fill(~chosen, 0).sum() / chosen.sum().clamp(min=1)
