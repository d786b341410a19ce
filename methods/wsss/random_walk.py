"""Random walks that spread class responses over similar pixels (PSA and IRN), and RETAB's two-stage variant.

N = h * w pixels. With A_ij the affinity of pixels i and j, 1 on the diagonal and 0 for all that are no pair, PSA takes
T_ij = A_ij^beta / sum_i A_ij^beta and returns response . T^(2^t): after every step, pixel j has the average of what it
and its neighbours i had, weighted by T_ij. The power of T is never formed: 2^t steps with at most 2 * 34 + 1 non-zeros
a column (radius 5) give the same numbers for a fraction of the work.

The recipes, with ``transition``, ``walk`` and ``propagate`` below:

* PSA: response ``background_response(cam, 16)`` at full size, beta 8, t = 8, stride 8.
* IRN: response ``edge_response(cam, edge)`` on the stride-4 grid, beta 10, t = 8, then ``class_map``.
* RETAB: ``propagate`` twice, with the two pairs of masks of ``retab_masks``, beta 8, t = 8; the second time starts from
  the result of the first, background included.
* Weak-shot, no background class: response ``known_response``, and ``known`` clamps base pixels at every step.
"""

import warnings
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import scipy.sparse
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.errors import BenchmarkError
from methods.maskformer.upsampling import upsampled
from methods.wsss.geometry import PairGrid, grid_size, pairs_of

IGNORE = 255


class Transition(NamedTuple):
    """T, stored by receiving pixel in compressed rows: row j has the weights T_ij of its senders i, which sum to 1.

    Entries that a mask removed are stored as zeros. ``receivers`` (N,) bool: the others keep their response.
    """

    starts: Tensor  # (N+1,) int32
    senders: Tensor  # (nnz,) int32
    weights: Tensor  # (nnz,)
    receivers: Tensor


class Masks(NamedTuple):
    """Which pixels send to others and which receive from others, (h, w) bool each."""

    senders: Tensor
    receivers: Tensor


class _Pattern(NamedTuple):
    """Where the entries of a grid's matrix stand, sorted by row; the e-th is the ``source[e]``-th of [a, a, 1]."""

    starts: Tensor  # (N+1,) int32
    rows: Tensor  # (nnz,) int64, receivers
    columns: Tensor  # (nnz,) int64, senders
    source: Tensor  # (nnz,) int64


def transition(
    affinity: Tensor,
    grid: PairGrid,
    beta: float = 8.0,
    *,
    senders: Tensor | None = None,
    receivers: Tensor | None = None,
    known: Tensor | None = None,
) -> Transition:
    """Return the transition of one image.

    Args:
        affinity: (P,) a_ij in [0, 1] of the pairs of ``grid``; a pixel's affinity to itself is 1.
        grid: of the feature map.
        beta: the exponent that sharpens the affinities.
        senders: (h, w) bool, pixels whose response others may take; all by default.
        receivers: (h, w) bool, pixels that take others' responses; all by default.
        known: (h, w) bool, pixels clamped to their initial response at every step; they still send.

    Raises:
        BenchmarkError: if the affinities or a mask do not fit the grid.
    """
    pattern = _pattern(grid, affinity.device)
    pairs = len(pairs_of(grid, affinity.device).first)
    if affinity.shape != (pairs,):
        raise BenchmarkError(f"{pairs} affinities were expected for {grid}, found a shape of {tuple(affinity.shape)}.")
    sends, receives = _flat_mask(senders, grid, affinity), _flat_mask(receivers, grid, affinity)
    if known is not None:
        receives = receives & ~_flat_mask(known, grid, affinity)
    precision = torch.promote_types(affinity.dtype, torch.float32)  # half precision is for networks only
    sharpened = affinity.detach().double() ** beta  # single sums are off by 1e-6, which 2^8 steps make 1e-4
    weights = torch.cat([sharpened, sharpened, sharpened.new_ones(grid.nodes)])[pattern.source]
    allowed = (pattern.rows == pattern.columns) | (sends[pattern.columns] & receives[pattern.rows])
    weights = weights * allowed
    total = torch.segment_reduce(weights, "sum", lengths=pattern.starts.diff().long())  # (N,), at least 1
    weights = (weights / total[pattern.rows]).to(precision)
    return Transition(pattern.starts, pattern.columns.int(), weights, receives)


def walk(response: Tensor, matrix: Transition, steps_log2: int = 8) -> Tensor:
    """Return ``response`` (C, h, w) after 2^steps_log2 steps, (C, h, w) in the precision of the transition.

    scipy multiplies on the CPU, several times faster there than torch, which multiplies on a GPU.
    """
    x = response.detach().flatten(1).T.to(matrix.weights.dtype)  # (N, C)
    steps = _steps_scipy if x.device.type == "cpu" else _steps_torch
    return steps(x.contiguous(), matrix, 2**steps_log2).T.reshape(response.shape)


def propagate(
    response: Tensor,
    matrix: Transition,
    stride: int,
    steps_log2: int = 8,
    padding: Literal["inside", "official"] = "inside",
) -> Tensor:
    """Return a full-size response (C, H, W) after a walk on the grid at ``stride`` (PSA, RETAB): (C, H, W).

    It is averaged over stride x stride blocks (see ``pooled``), walks, is upsampled bilinearly and cropped.
    """
    size = response.shape[-2:]
    walked = walk(pooled(response, stride, padding), matrix, steps_log2)
    return enlarged(walked, stride, (size[0], size[1]))


def pooled(maps: Tensor, stride: int, padding: Literal["inside", "official"] = "inside") -> Tensor:
    """Return the block averages of maps (C, H, W): (C, ceil(H / stride), ceil(W / stride)).

    Blocks that reach over the right or lower edge are averaged over the pixels inside; ``official`` counts zeros in the
    padding, background included, as PSA and RETAB do.
    """
    if padding == "official":
        rows, columns = (-side % stride for side in maps.shape[-2:])
        maps = F.pad(maps, (0, columns, 0, rows))
    return F.avg_pool2d(maps[None], stride, ceil_mode=True)[0]


def enlarged(maps: Tensor, stride: int, size: tuple[int, int]) -> Tensor:
    """Return maps (C, h, w) upsampled bilinearly by ``stride`` and cropped to ``size`` (H, W)."""
    if grid_size(size, stride) != tuple(maps.shape[-2:]):
        found = f"{maps.shape[-2]} x {maps.shape[-1]}"
        raise BenchmarkError(f"a map at stride {stride} of {size[0]} x {size[1]} pixels was expected, found {found}.")
    large = upsampled(maps, (maps.shape[-2] * stride, maps.shape[-1] * stride))
    return large[..., : size[0], : size[1]].contiguous()


def background_response(cam: Tensor, power: float = 16.0) -> Tensor:
    """Return [(1 - max_k CAM_k)^power, CAM] of CAM (K, H, W) in [0, 1]: (K+1, H, W) (PSA)."""
    return torch.cat([(1 - cam.amax(0, keepdim=True)) ** power, cam])


def edge_response(cam: Tensor, edge: Tensor, power: float = 1.0) -> Tensor:
    """Return CAM^power (1 - edge) of CAM (K, h, w) and edge (h, w), both in [0, 1]: (K, h, w) (IRN; RIB: 1.3)."""
    return cam**power * (1 - edge)


def known_response(cam: Tensor, known: Tensor) -> Tensor:
    """Return [known, CAM outside known]: (K+1, H, W), the weak-shot form with a channel "known base" first.

    Args:
        cam: (K, H, W), one a novel class of the image.
        known: (H, W) bool, pixels with a base label.
    """
    return torch.cat([known[None].to(cam.dtype), cam * ~known])


def retab_masks(nonboundary: Tensor) -> tuple[Masks, Masks]:
    """Return the masks of RETAB's propagation stages 1 and 2 for a map (h, w) bool, False at boundaries.

    Stage 1 (A1): boundary pixels neither send nor receive. Stage 2 (A2): only boundary pixels receive, from everyone,
    so that all other responses stay as they are.
    """
    return Masks(nonboundary, nonboundary), Masks(torch.ones_like(nonboundary), ~nonboundary)


def class_map(response: Tensor, classes: Tensor, threshold: float, otherwise: int = IGNORE) -> Tensor:
    """Return the class of the largest response wherever that exceeds ``threshold``: (C, H, W) -> (H, W) int64.

    As IRN, responses are first divided by their one maximum over classes and pixels. ``otherwise`` is what the
    constant channel stands for: the background id, or 255 (reject) where there is no background class.

    Args:
        response: (C, H, W), not negative.
        classes: (C,) ids of the channels.
        threshold: the value of the constant channel, which comes first and so wins ties.
        otherwise: see above.
    """
    if not len(response):
        return torch.full(response.shape[1:], otherwise, device=response.device)
    value, channel = (response / response.max().clamp(min=1e-12)).max(0)
    return torch.where(value > threshold, classes.to(response.device).long()[channel], otherwise)


@lru_cache(maxsize=8)
def _pattern(grid: PairGrid, device: torch.device) -> _Pattern:
    """Return the pattern of a grid's matrix: both directions of every pair, then the diagonal, sorted by row."""
    with torch.inference_mode(False):
        first, second, _ = pairs_of(grid, device)
        itself = torch.arange(grid.nodes, device=device)
        rows, columns = torch.cat([second, first, itself]), torch.cat([first, second, itself])
        source = (rows * grid.nodes + columns).argsort()
        rows = rows[source]
        counts = torch.bincount(rows, minlength=grid.nodes)
        starts = F.pad(counts.cumsum(0), (1, 0)).int()
        return _Pattern(starts, rows, columns[source], source)


def _flat_mask(mask: Tensor | None, grid: PairGrid, affinity: Tensor) -> Tensor:
    """Return a mask (h, w) as (N,) bool on the device of the affinities; all True without one."""
    if mask is None:
        return torch.ones(grid.nodes, dtype=torch.bool, device=affinity.device)
    if tuple(mask.shape) != grid.size or mask.dtype != torch.bool:
        raise BenchmarkError(
            f"a boolean mask of {grid.height} x {grid.width} pixels was expected, "
            f"found {mask.dtype} of shape {tuple(mask.shape)}."
        )
    return mask.flatten().to(affinity.device)


def _steps_scipy(x: Tensor, matrix: Transition, steps: int) -> Tensor:
    """Return x (N, C) after ``steps`` steps; only the rows of receivers are multiplied."""
    now = x.numpy().copy()
    receivers = np.flatnonzero(matrix.receivers.numpy())
    parts = (matrix.weights.numpy(), matrix.senders.numpy(), matrix.starts.numpy())
    square = scipy.sparse.csr_matrix(parts, shape=(len(now), len(now)))
    rows = square[receivers]
    rows.eliminate_zeros()
    for _ in range(steps):
        now[receivers] = rows @ now
    return torch.from_numpy(now)


def _steps_torch(x: Tensor, matrix: Transition, steps: int) -> Tensor:
    """Return x (N, C) after ``steps`` steps."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # compressed rows are "beta" in torch
        square = torch.sparse_csr_tensor(matrix.starts, matrix.senders, matrix.weights, (len(x), len(x)))
        for _ in range(steps):
            x = square @ x
    return x
