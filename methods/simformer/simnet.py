"""SimNet: the network that says how likely two pixels are of the same class.

The released network concatenates both pixel embeddings for every pair of points and runs 1x1 convolutions. The first
layer is linear, W [a_i ; b_j] = W_a a_i + W_b b_j, so here it is applied to points rather than to pairs, and its batch
normalisation too: the J x J x 2D tensor is never made. The result is the same.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SumNorm(nn.BatchNorm1d):
    """Batch normalisation over all sums u_i + v_j of B pairs of images, with or without forming the sums."""

    def of_sums(self, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return (u', v') such that u'_i + v'_j = BatchNorm(u_i + v_j); u is (B, I, C) and v is (B, J, C)."""
        if self.training:
            mean, variance = _moments_of_sums(u, v)
            self._remember(mean, variance, count=u.shape[0] * u.shape[1] * v.shape[1])
        else:
            assert self.running_mean is not None
            assert self.running_var is not None
            mean, variance = self.running_mean, self.running_var
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return u * scale + (self.bias - mean * scale), v * scale

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        assert self.momentum is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)


def _moments_of_sums(u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and biased variance (C,) of all u[b, i] + v[b, j]; within one b the two parts are uncorrelated."""
    centre = u.mean(1) + v.mean(1)  # (B, C)
    within = u.var(1, correction=0) + v.var(1, correction=0)  # (B, C)
    return centre.mean(0), (within.mean(0) + centre.var(0, correction=0))


class PairBlock(nn.Module):
    """The first residual block: two sets of points in, one vector for each of their pairs out."""

    def __init__(self, channels: int, hidden: int, absolute_difference: bool) -> None:
        super().__init__()
        inputs = channels * (3 if absolute_difference else 2)
        self.absolute_difference = absolute_difference
        self.main1 = nn.Linear(inputs, hidden)
        self.norm1 = SumNorm(hidden)
        self.main2 = nn.Linear(hidden, hidden)
        self.norm2 = nn.BatchNorm1d(hidden)
        self.skip = nn.Linear(inputs, hidden)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Return (B*I*J, hidden) for points a (B, I, D) and b (B, J, D)."""
        if self.absolute_difference:
            difference = (a[:, :, None] - b[:, None]).abs()  # (B, I, J, D)
            x = self.norm1(_of_pairs(self.main1, a, b, difference).flatten(0, 2)).relu_()
            skip = _of_pairs(self.skip, a, b, difference).relu_()
        else:
            u, v = self.norm1.of_sums(*_of_points(self.main1, a, b))
            x = _sums(u, v).relu_().flatten(0, 2)
            skip = _sums(*_of_points(self.skip, a, b)).relu_()
        main: Tensor = self.norm2(self.main2(x)).relu_()
        return main + skip.flatten(0, 2)


def _of_points(layer: nn.Linear, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return u (B, I, C) and v (B, J, C) such that layer([a_i ; b_j]) = u_i + v_j."""
    channels = a.shape[2]
    weight_a, weight_b = layer.weight[:, :channels], layer.weight[:, channels : 2 * channels]
    return F.linear(a, weight_a, layer.bias), F.linear(b, weight_b)


def _of_pairs(layer: nn.Linear, a: Tensor, b: Tensor, difference: Tensor) -> Tensor:
    """Return layer([a_i ; b_j ; difference_ij]), (B, I, J, C)."""
    u, v = _of_points(layer, a, b)
    return F.linear(difference, layer.weight[:, 2 * a.shape[2] :]).add_(u[:, :, None]).add_(v[:, None])


def _sums(u: Tensor, v: Tensor) -> Tensor:
    """Return all u_i + v_j, (B, I, J, C)."""
    return u[:, :, None] + v[:, None]


class Block(nn.Module):
    """A further residual block on rows (N, hidden)."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.main1 = nn.Linear(hidden, hidden)
        self.norm1 = nn.BatchNorm1d(hidden)
        self.main2 = nn.Linear(hidden, hidden)
        self.norm2 = nn.BatchNorm1d(hidden)

    def forward(self, rows: Tensor) -> Tensor:
        x = self.norm1(self.main1(rows)).relu_()
        main: Tensor = self.norm2(self.main2(x)).relu_()
        return rows + main


class SimNet(nn.Module):
    """Similarity in [0, 1] of every pixel of one set with every pixel of another.

    Batch statistics are taken over all pairs of one call, so call it for each group of images that the paper's setting
    keeps on one GPU.

    Args:
        channels: D, of the pixel embeddings.
        hidden: width of the residual blocks.
        blocks: their number, at least 1.
        absolute_difference: also feed the absolute difference of a_i and b_j; not in the paper.
    """

    def __init__(
        self, channels: int = 256, hidden: int = 256, blocks: int = 3, absolute_difference: bool = False
    ) -> None:
        super().__init__()
        self.first = PairBlock(channels, hidden, absolute_difference)
        self.rest = nn.Sequential(*(Block(hidden) for _ in range(blocks - 1)))
        self.head = nn.Linear(hidden, 2)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the similarities (B, I, J) of points a (B, I, D) and b (B, J, D)."""
        rows = self.rest(self.first(a, b))
        different, same = self.head.weight
        # A softmax over two logits is the logistic function of their difference: one product a pair.
        logits = torch.addmv(self.head.bias[1] - self.head.bias[0], rows, same - different)
        return torch.sigmoid(logits).view(a.shape[0], a.shape[1], b.shape[1])
