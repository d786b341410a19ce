"""L_sim: SimNet learns from base pixels whether two pixels are of one class (pixel-pixel similarity learning)."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.simformer.points import IGNORE, at_points, labels_at_points
from methods.simformer.simnet import SimNet

ValidRule = Literal["or", "and"]


class BalanceQueue(nn.Module):
    """How rare equal and different pairs were of late, as weights of the two.

    Two FIFO queues of the latest ``length`` counts of negative and positive pairs, each starting with a single 1, kept
    as one buffer (oldest first, zeros where nothing was counted yet), so that a checkpoint holds them.

    Args:
        length: of the queues.
        stride: pairs are counted on every ``stride``-th point of both images.
    """

    counts: Tensor

    def __init__(self, length: int = 25, stride: int = 5) -> None:
        super().__init__()
        self.stride = stride
        counts = torch.zeros(length, 2, dtype=torch.long)  # (length, 2): negative, positive
        counts[-1] = 1
        self.register_buffer("counts", counts)

    def append(self, negative_positive: Tensor) -> None:
        """Add the counts (2,) of one step; the oldest fall out."""
        self.counts.copy_(torch.cat([self.counts[1:], negative_positive[None]]))

    def weights(self) -> Tensor:
        """Return (w_neg, w_pos) = (pos, neg) / (pos + neg), from the sums of the queues: (2,)."""
        total = self.counts.sum(0)
        return total.flip(0) / total.sum()

    def forward(self, same: Tensor) -> Tensor:
        """Count the pairs ``same`` (B, J, J) bool, then return the weight of each: (B, J, J)."""
        counted = same[:, :: self.stride, :: self.stride]
        positive = counted.sum()
        self.append(torch.stack([counted.numel() - positive, positive]))
        negative_weight, positive_weight = self.weights()
        return torch.where(same, positive_weight, negative_weight)


def similarity_loss(
    similarity: Tensor, labels: Tensor, partner: Tensor, balance: BalanceQueue, valid_rule: ValidRule = "or"
) -> Tensor:
    """Return the balanced binary cross-entropy of ``similarity`` against 1[label_i = label_j], a scalar.

    A pair counts if at least one ("or") or both ("and") of its pixels are base pixels. The balance queue counts every
    pair, as the released code does; there hidden novel pixels still have their ids, here they are 255 and equal.

    Args:
        similarity: (B, J, J), of point i of image b with point j of image partner[b].
        labels: (B, J) base ids or 255.
        partner: (B,).
        balance: updated with this step's pairs before it is used.
        valid_rule: see above.
    """
    here, there = labels[:, :, None], labels[partner][:, None]
    same = here == there  # (B, J, J)
    if valid_rule == "or":
        valid = (here != IGNORE) | (there != IGNORE)
    else:
        valid = (here != IGNORE) & (there != IGNORE)
    loss = F.binary_cross_entropy(similarity, same.float(), weight=balance(same) * valid, reduction="sum")
    return loss / valid.sum().clamp(min=1)


def pixel_similarity_loss(
    simnet: SimNet,
    features: Tensor,
    points: Tensor,
    labels: Tensor,
    partner: Tensor,
    balance: BalanceQueue,
    *,
    valid_rule: ValidRule = "or",
    detach_features: bool = True,
) -> Tensor:
    """Return L_sim, a scalar.

    With ``detach_features``, as released, it trains SimNet only and never the segmenter.

    Args:
        simnet: compares the points of each image with those of its partner.
        features: P (B, D, h, w), the pixel embeddings.
        points: (B, J) from ``similarity_points``.
        labels: (B, h, w) base ids or 255.
        partner: (B,).
        balance: see ``similarity_loss``.
        valid_rule: see ``similarity_loss``.
        detach_features: no gradient to the features.
    """
    embeddings = at_points(features.detach() if detach_features else features, points)  # (B, J, D)
    similarity = simnet(embeddings, embeddings[partner])
    return similarity_loss(similarity, labels_at_points(labels, points), partner, balance, valid_rule)
