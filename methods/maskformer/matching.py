"""Which query answers for which target: bipartite matching, without gradient [3]."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from benchmark.errors import BenchmarkError
from methods.maskformer.blocks import rows_at_once
from methods.maskformer.network import Output


class Target(NamedTuple):
    """The classes of one image, base classes first [1.2].

    Attributes:
        labels: (T,) int64 class ids.
        masks: (T, H, W) bool at full resolution, all False where ``has_mask`` is.
        has_mask: (T,) bool; False for a novel class, of which only the presence is known.
    """

    labels: Tensor
    masks: Tensor
    has_mask: Tensor


class Assignment(NamedTuple):
    """One image and layer: ``query[i]`` answers for ``target[i]``; (T,) int64 each on the CPU, queries ascending."""

    query: Tensor
    target: Tensor


class MatchCosts(NamedTuple):
    """Weights of the cost, and how the columns of the cost matrix are read back.

    ``column_order="official"`` repeats a fault of the released code: targets whose mask vanishes at the stride-4 grid
    move to the end of the matrix, but the columns are read back as if they had not.
    """

    class_weight: float = 1.0
    mask_weight: float = 20.0
    dice_weight: float = 1.0
    column_order: Literal["fixed", "official"] = "fixed"


DEFAULT_COSTS = MatchCosts()


def match(
    logits: Tensor, masks: Tensor, targets: Sequence[Target], costs: MatchCosts = DEFAULT_COSTS
) -> list[Assignment]:
    """Return the best assignment of each image for one layer: logits (B, Q, K+1), mask logits (B, Q, h, w)."""
    return match_stacked(logits[None], masks[None], targets, costs)[0]


@torch.no_grad()
def match_layers(
    output: Output, targets: Sequence[Target], costs: MatchCosts = DEFAULT_COSTS
) -> list[list[Assignment]]:
    """Return the best assignments of every layer: ``result[layer][image]``."""
    return match_stacked(output.logits, output.masks, targets, costs)


@torch.no_grad()
def match_stacked(
    logits: Tensor, masks: Tensor, targets: Sequence[Target], costs: MatchCosts
) -> list[list[Assignment]]:
    """Match every layer and image: logits (L, B, Q, K+1), mask logits (L, B, Q, h, w).

    Raises:
        BenchmarkError: an image has more targets than there are queries.
    """
    layers, batch, queries = logits.shape[:3]
    sizes = [len(target.labels) for target in targets]
    if max(sizes, default=0) > queries:
        raise BenchmarkError(
            f"an image has {max(sizes)} classes but the network only {queries} queries: raise maskformer.queries."
        )
    small = pad_sequence(downsampled_masks(targets, masks.shape[-2:]), batch_first=True)  # (B, T, h*w)
    labels = pad_sequence([t.labels for t in targets], batch_first=True)  # (B, T)
    visible = small.any(-1)  # (B, T): the target has a mask, and it survives the coarse grid
    columns = labels[None, :, None].expand(layers, batch, queries, -1)
    cost = -costs.class_weight * logits.softmax(-1).gather(-1, columns)  # (L, B, Q, T)
    rows = masks.transpose(0, 1).flatten(1, 2).flatten(2)  # (B, L*Q, h*w)
    parts = torch.split(rows, rows_at_once(rows, batch * rows.shape[-1]), dim=1)
    of_masks = torch.cat([mask_cost(part, small.float(), costs) for part in parts], dim=1)  # (B, L*Q, T)
    cost += (of_masks * visible[:, None]).view(batch, layers, queries, -1).transpose(0, 1)
    host = torch.cat([cost.flatten(0, 2), visible.to(cost.dtype)]).cpu().numpy()  # one copy for all
    # Where the network has diverged any assignment will do: the loss then says so.
    matrix = np.nan_to_num(host[:-batch]).reshape(layers, batch, queries, -1)
    shown = host[-batch:] > 0
    return [
        [_assign(matrix[layer, b, :, :size], shown[b, :size], costs) for b, size in enumerate(sizes)]
        for layer in range(layers)
    ]


def mask_cost(masks: Tensor, targets: Tensor, costs: MatchCosts) -> Tensor:
    """Return the weighted focal and dice cost (B, N, T) of mask logits m (B, N, hw) for binary targets t (B, T, hw).

    focal = 1/hw sum_xy [1/4 t (1-s)^2 softplus(-m) + 3/4 (1-t) s^2 softplus(m)], s = sigmoid(m)
    dice  = 1 - (2 s.t + 1) / (|s| + |t| + 1)

    Both are affine in t or in s.t: two matrix products give all pairs.
    """
    s, ce = masks.sigmoid(), F.softplus(masks)
    negative = s.square().mul_(ce).mul_(0.75)
    positive = (1 - s).square_().mul_(ce.sub_(masks)).mul_(0.25)  # softplus(-m) = softplus(m) - m
    t = targets.transpose(1, 2)  # (B, hw, T)
    focal = ((positive - negative) @ t + negative.sum(-1, keepdim=True)) / masks.shape[-1]
    dice = 1 - (2 * (s @ t) + 1) / (s.sum(-1, keepdim=True) + t.sum(1, keepdim=True) + 1)
    return costs.mask_weight * focal + costs.dice_weight * dice


def downsampled_masks(targets: Sequence[Target], size: Sequence[int]) -> list[Tensor]:
    """Return each image's masks at ``size`` by nearest neighbour, source index floor(i * in / out): (T, h*w) bool."""
    masks = torch.cat([target.masks for target in targets])  # (sum T, H, W)
    rows, columns = (
        torch.arange(new, device=masks.device) * old // new for new, old in zip(size, masks.shape[-2:], strict=True)
    )
    small = masks[:, rows[:, None], columns].flatten(1).bool()
    small &= torch.cat([target.has_mask for target in targets])[:, None]
    return list(torch.split(small, [len(target.labels) for target in targets]))


def _assign(cost: np.ndarray, visible: np.ndarray, costs: MatchCosts) -> Assignment:
    if costs.column_order == "official":
        cost = cost[:, np.argsort(~visible, kind="stable")]
    query, target = linear_sum_assignment(cost)
    return Assignment(torch.from_numpy(query), torch.from_numpy(target))
