"""Gaussian filtering of many channels at once on a permutohedral lattice [wsss 7].

Adams, Baek and Davis 2010: d-dimensional places are lifted into the hyperplane of d + 1 coordinates that sum to zero.
A value is spread over the d + 1 corners of its simplex, blurred along the d + 1 directions of the lattice, and read at
the same corners. The lattice depends on the places alone: it is made once, and serves all channels and iterations.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from benchmark.errors import BenchmarkError

LARGEST = float(1 << 62)  # number of a corner


def lattice_filter(features: Tensor) -> Callable[[Tensor], Tensor]:
    """Return q (N, C) -> K q, up to a factor that is the same everywhere; K(i, j) = exp(-|f_i - f_j|^2 / 2).

    Args:
        features: (N, d) places in units of the Gaussian's sigma, N at least 1.

    Raises:
        BenchmarkError: the places are so far apart that corners cannot be numbered.
    """
    corners, weights = _corners(features.double())  # (N, d+1, d), (N, d+1)
    low = corners.amin((0, 1)) - corners.shape[1]  # neighbours differ by at most d
    extent = corners.amax((0, 1)) + corners.shape[1] - low + 1
    if float(extent.double().prod()) > LARGEST:
        raise BenchmarkError(
            "the CRF backend 'lattice' cannot number the corners of its lattice: a sigma of the appearance kernel is "
            "too small. Take the backend 'grid' or 'pydensecrf', or a larger sigma."
        )
    steps = torch.cat([extent.flip(0).cumprod(0).flip(0)[1:], extent.new_ones(1)])
    numbers, vertex = torch.unique(((corners - low) * steps).sum(-1), return_inverse=True)  # (M,) ascending, (N, d+1)
    neighbours = [(_found(numbers, step), _found(numbers, -step)) for step in _directions(steps)]
    order = vertex.flatten().argsort(stable=True)
    pixels, spread = order // vertex.shape[1], weights.float().flatten()[order]
    counts = torch.bincount(vertex.flatten(), minlength=len(numbers))
    first = counts.cumsum(0) - counts  # (M,) where each corner's pixels begin
    read = weights.float()

    def filtered(q: Tensor) -> Tensor:
        values = embedding_bag(pixels, q.contiguous(), first, mode="sum", per_sample_weights=spread)
        for above, below in neighbours:
            padded = torch.cat([values, values.new_zeros(1, values.shape[1])])  # zero where no corner is
            values = values + 0.5 * (padded[above] + padded[below])
        return embedding_bag(vertex, values, mode="sum", per_sample_weights=read)

    return filtered


def _corners(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return the simplex of each place: corners (N, d+1, d), without their last coordinate, and weights (N, d+1)."""
    size = features.shape[1] + 1
    lifted = features @ _basis(size, features)  # (N, d+1), sums to zero
    multiple = (lifted / size).round()
    rank = (lifted - multiple * size).argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    rank = rank + multiple.sum(1, keepdim=True).long()  # rounded coordinates may not sum to zero: some move on
    wrap = (rank < 0).long() - (rank >= size).long()
    rank, multiple = rank + size * wrap, multiple + wrap
    part = lifted / size - multiple
    weights = part.new_zeros(len(part), size + 1)
    weights.scatter_add_(1, size - 1 - rank, part).scatter_add_(1, size - rank, -part)
    weights[:, 0] += 1 + weights[:, size]
    corner = torch.arange(size, device=rank.device)[None, :, None]
    moved = torch.where(rank[:, None] < size - corner, corner, corner - size)  # (N, d+1, d+1)
    return ((multiple.long() * size)[:, None] + moved)[..., :-1], weights[:, :size]


def _basis(size: int, like: Tensor) -> Tensor:
    """Return an orthogonal basis (d, d+1) of the hyperplane, scaled so that all three steps have sigma 1."""
    basis = like.new_zeros(size - 1, size)
    for row in range(size - 1):
        basis[row, : row + 1] = 1
        basis[row, row + 1] = -(row + 1)
        basis[row] /= ((row + 1) * (row + 2)) ** 0.5
    scale: float = size * (2 / 3) ** 0.5
    return basis * scale


def _directions(steps: Tensor) -> list[Tensor]:
    """Return how much a corner's number grows along each of the d + 1 directions."""
    size = len(steps) + 1
    return [*(size * step - steps.sum() for step in steps), -steps.sum()]


def _found(numbers: Tensor, step: Tensor) -> Tensor:
    """Return the index (M,) of each corner's neighbour, M where there is none."""
    wanted = numbers + step
    index = torch.searchsorted(numbers, wanted).clamp_(max=len(numbers) - 1)
    return torch.where(numbers[index] == wanted, index, len(numbers))
