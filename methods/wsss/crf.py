"""Fully connected CRF: sharpens class scores along the edges of the image, by mean-field inference.

    U_i(l) = -log max(p_i(l), floor),  Q <- softmax(-U + sum_m w_m D_m^-1/2 K_m D_m^-1/2 Q),  Q_0 = softmax(-U)
    K_m(i, j) = exp(-|f_i - f_j|^2 / 2),  D_m = diag(K_m 1)

with f = (x, y) / sxy (smoothness) and f = ((x, y) / sxy, rgb / srgb) (appearance); the self terms K(i, i) stay. This is
what pydensecrf computes, approximately, with its default kernels [wsss 5].
"""

import importlib
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.datasets import IGNORE
from benchmark.errors import BenchmarkError, unknown
from methods.wsss.lattice import lattice_filter
from methods.wsss.settings import CrfBackend

Scores = NDArray[np.float32]
Filter = Callable[[Tensor], Tensor]  # (C, H, W) -> (C, H, W), K applied to every channel

EXACT_PIXELS = 12_000  # of the largest image whose pixel pairs are all visited; 600 MB there
LEAST = -60.0  # exponent; exp is slow where it underflows, and e-27 of a label is none
GRID_NUMBERS = 1 << 26  # held at once in a bilateral grid; more labels are filtered one after another


class CrfParameters(NamedTuple):
    """Kernels and schedule.

    Attributes:
        smooth_sxy, smooth_weight: of the smoothness kernel; sxy in pixels.
        appearance_sxy, appearance_srgb, appearance_weight: of the appearance kernel; srgb in grey levels of 0..255.
        iterations: of mean field.
        floor: smallest probability; the scores need not sum to one.
    """

    smooth_sxy: float
    smooth_weight: float
    appearance_sxy: float
    appearance_srgb: float
    appearance_weight: float
    iterations: int
    floor: float = 1e-5

    def scaled(self, factor: float) -> "CrfParameters":
        """Return the parameters for an image ``factor`` times as large: distances in pixels grow with it."""
        return self._replace(smooth_sxy=self.smooth_sxy * factor, appearance_sxy=self.appearance_sxy * factor)


# What each released code uses it for.
PSA_CRF = CrfParameters(3, 3, 80, 13, 10, 10)  # PSA and RETAB: class activation maps to confident labels
IRN_CRF = CrfParameters(3, 3, 50, 5, 10, 10)  # IRN and RIB: hard labels
OAA_CRF = CrfParameters(3, 1, 80, 4, 3, 1, floor=1e-4)  # MCIS and OAA, at test
DEEPLAB_CRF = CrfParameters(1, 3, 67, 3, 4, 10)  # DeepLab in PyTorch, at test
RESNET38_CRF = CrfParameters(3, 3, 83, 5, 4, 10)  # ResNet-38 segmentation, at test


def dense_crf(
    image: NDArray[np.uint8],
    probabilities: NDArray[np.floating],
    parameters: CrfParameters,
    backend: CrfBackend = "auto",
    device: str = "cpu",
) -> Scores:
    """Return the CRF's marginals (C, H, W) float32, which sum to one over C.

    One label gives ones everywhere, no label or no pixel an array without content. Time and memory grow with C: pass
    the classes that the image is known to have, not all of a dataset.

    Args:
        image: (H, W, 3) uint8 RGB.
        probabilities: (C, H, W) scores, at least 0; below ``parameters.floor`` they count as the floor.
        parameters: one of the constants above, or others.
        backend: ``pydensecrf`` (optional extra "crf"), ``exact`` (all pairs of pixels; small images), ``grid``
            (bilateral grid; approximate), ``lattice`` (pydensecrf's approximation in torch, all labels at once; never
            chosen unasked), or ``auto`` for the first of the others that there is and that can.
        device: where ``exact``, ``grid`` and ``lattice`` compute.

    Raises:
        ValueError: shapes or types do not fit, or a score is not finite.
        BenchmarkError: the backend does not exist, is not installed, or the image is too large for it.
    """
    _check(image, probabilities)
    chosen = resolved_backend(backend, *image.shape[:2])
    if probabilities.size == 0 or len(probabilities) == 1:
        return np.ones(probabilities.shape, np.float32)
    unary = -np.log(np.clip(probabilities, parameters.floor, 1.0)).astype(np.float32)  # (C, H, W)
    if chosen == "pydensecrf":
        return _permutohedral(image, unary, parameters)
    return _mean_field(torch.tensor(image).to(device), torch.from_numpy(unary).to(device), parameters, chosen)


def resolved_backend(backend: CrfBackend, height: int, width: int) -> CrfBackend:
    """Return what ``auto`` and ``torch`` stand for here; other names as they are, after checks.

    Raises as ``dense_crf`` does.

    ``exact`` is the formula. pydensecrf's messages are 2 to 6 % off it: fewer than 0.5 % of the labels change where the
    scores are clear, 1 to 3 % where they leave much open. A result should record which backend it was.
    """
    if backend not in get_args(CrfBackend):
        raise unknown("CRF backend", backend, get_args(CrfBackend))
    if backend == "auto" and _pydensecrf():
        return "pydensecrf"
    if backend in {"auto", "torch"}:
        return "exact" if height * width <= EXACT_PIXELS else "grid"
    if backend == "pydensecrf" and not _pydensecrf():
        raise BenchmarkError(
            "the CRF backend 'pydensecrf' is not installed. Install it with the extra \"crf\" (needs a C++ compiler): "
            "pip install pydensecrf2. Or take the backend 'torch'."
        )
    if backend == "exact" and height * width > EXACT_PIXELS:
        raise BenchmarkError(
            f"the CRF backend 'exact' is for images of at most {EXACT_PIXELS} pixels; this one has {height} x {width} "
            f"= {height * width}. Take 'grid', 'pydensecrf' or 'torch'."
        )
    return backend


def label_scores(labels: NDArray[np.integer], count: int, confidence: float = 0.7) -> Scores:
    """Return IRN's scores for hard labels, (count, H, W): ``confidence`` for the label, the rest shared by the others.

    Args:
        labels: (H, W), 0..count-1; 255 gives 1 / count to each.
        count: number of labels; a single one gets 1.
        confidence: of the label.

    Raises:
        ValueError: a label is outside 0..count-1 and not 255.
    """
    wrong = np.unique(labels[(labels != IGNORE) & ((labels < 0) | (labels >= count))])
    if len(wrong):
        raise ValueError(f"labels {wrong[:5].tolist()} are outside 0..{count - 1}")
    if count == 1:
        return np.ones((1, *labels.shape), np.float32)
    is_label = labels == np.arange(count).reshape(-1, 1, 1)
    scores = np.where(is_label, confidence, (1 - confidence) / max(1, count - 1))
    return np.where(labels == IGNORE, 1 / max(1, count), scores).astype(np.float32)


def label_crf(
    image: NDArray[np.uint8],
    labels: NDArray[np.integer],
    count: int,
    parameters: CrfParameters = IRN_CRF,
    backend: CrfBackend = "auto",
    device: str = "cpu",
) -> NDArray[np.int64]:
    """Return hard labels (H, W) refined by the CRF; the arguments are those of ``label_scores`` and ``dense_crf``."""
    refined: NDArray[np.int64] = dense_crf(image, label_scores(labels, count), parameters, backend, device).argmax(0)
    return refined


def _check(image: NDArray[np.uint8], probabilities: NDArray[np.floating]) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"a CRF needs an image (H, W, 3) of uint8, not {image.shape} of {image.dtype}")
    if probabilities.ndim != 3 or probabilities.shape[1:] != image.shape[:2]:
        raise ValueError(f"scores {probabilities.shape} do not fit an image of {image.shape[:2]}: (C, H, W) is needed")
    if not np.isfinite(probabilities).all():
        raise ValueError("scores hold NaN or infinite values")


def _pydensecrf() -> Any:
    """Return the module, None where it is not installed or does not load."""
    try:
        return importlib.import_module("pydensecrf.densecrf")
    except ImportError:
        return None


def _permutohedral(image: NDArray[np.uint8], unary: Scores, p: CrfParameters) -> Scores:
    """Return the marginals by pydensecrf: kernels on a permutohedral lattice."""
    count, height, width = unary.shape
    writable = np.require(image, requirements=["C", "W"])  # it changes nothing, but asks for it
    crf = _pydensecrf().DenseCRF2D(width, height, count)
    crf.setUnaryEnergy(np.ascontiguousarray(unary.reshape(count, -1)))
    crf.addPairwiseGaussian(sxy=p.smooth_sxy, compat=p.smooth_weight)
    crf.addPairwiseBilateral(sxy=p.appearance_sxy, srgb=p.appearance_srgb, rgbim=writable, compat=p.appearance_weight)
    return np.array(crf.inference(p.iterations), np.float32).reshape(unary.shape)


def _mean_field(image: Tensor, unary: Tensor, p: CrfParameters, backend: CrfBackend) -> Scores:
    """Return the marginals of unary energies (C, H, W) for an image (H, W, 3)."""
    appearances = {"exact": _all_pairs, "grid": _bilateral_grid, "lattice": _lattice}
    appearance = appearances[backend](image, p)
    smooth = _normalised(_smoothing(unary.shape[1], unary.shape[2], p.smooth_sxy, unary.device), unary)
    appearance = _normalised(appearance, unary)
    q = (-unary).softmax(0)
    for _ in range(p.iterations):
        q = (p.smooth_weight * smooth(q) + p.appearance_weight * appearance(q) - unary).softmax(0)
    marginals: Scores = q.cpu().numpy()
    return marginals


def _normalised(kernel: Filter, like: Tensor) -> Filter:
    """Return the filter D^-1/2 K D^-1/2, with D = diag(K 1)."""
    scale = (kernel(torch.ones_like(like[:1])) + 1e-20).rsqrt()  # (1, H, W)
    return lambda q: scale * kernel(scale * q)


def _smoothing(height: int, width: int, sxy: float, device: torch.device) -> Filter:
    """Return the smoothness kernel: a Gaussian is a product of its axes, so two small matrices do it exactly."""
    rows, columns = (_gaussian(torch.arange(length, device=device) / sxy) for length in (height, width))
    return lambda q: rows @ q @ columns


def _gaussian(places: Tensor) -> Tensor:
    return (-0.5 * (places[:, None] - places) ** 2).exp()


def _features(image: Tensor, p: CrfParameters) -> Tensor:
    """Return y / sxy, x / sxy, rgb / srgb of every pixel, (H*W, 5)."""
    height, width = image.shape[:2]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = torch.stack([y, x], dim=-1).to(image.device) / p.appearance_sxy
    return torch.cat([places, image / p.appearance_srgb], dim=-1).flatten(0, 1)


def _all_pairs(image: Tensor, p: CrfParameters) -> Filter:
    """Return the appearance kernel as a dense (H*W, H*W) matrix."""
    features = _features(image, p)
    distance = torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist")
    kernel = distance.square_().mul_(-0.5).clamp_(min=LEAST).exp_()
    return lambda q: (q.flatten(1) @ kernel).view_as(q)


def _lattice(image: Tensor, p: CrfParameters) -> Filter:
    """Return the appearance kernel on pydensecrf's kind of lattice, all labels at once."""
    filtered = lattice_filter(_features(image, p))
    return lambda q: filtered(q.flatten(1).T).T.reshape(q.shape)


def _bilateral_grid(image: Tensor, p: CrfParameters) -> Filter:
    """Return the appearance kernel on a dense 5-D grid with cells of one sigma.

    Pixels are spread over the 32 corners of their cell, the grid is blurred along each axis with 5 taps of variance
    2/3 (spreading and reading add the missing 1/3), and read at the same corners.
    """
    features = _features(image, p)
    features = features - features.amin(0)
    low = features.floor().long()  # (N, 5)
    part = features - low
    shape = (low.amax(0) + 2).tolist()
    steps = [int(np.prod(shape[axis + 1 :])) for axis in range(5)]
    first = (low * torch.tensor(steps, device=low.device)).sum(1)  # (N,) flat cell index of the lowest corner
    corners = [
        (first + sum(itertools.compress(steps, corner)), _corner_weight(part, corner))
        for corner in itertools.product((0, 1), repeat=5)
    ]
    cells = int(np.prod(shape))

    def filtered(q: Tensor) -> Tensor:  # (c, H, W), few enough channels
        values = q.flatten(1).T  # (N, c)
        grid = values.new_zeros(cells, values.shape[1])
        for index, weight in corners:
            grid.scatter_add_(0, index[:, None].expand_as(values), weight[:, None] * values)
        grid = _blurred(grid.view(*shape, -1)).view_as(grid)
        read = torch.zeros_like(values)
        for index, weight in corners:
            read += weight[:, None] * grid[index]
        return read.T.reshape(q.shape)

    channels = max(1, GRID_NUMBERS // cells)
    return lambda q: torch.cat([filtered(some) for some in torch.split(q, channels)])


def _corner_weight(part: Tensor, corner: tuple[int, ...]) -> Tensor:
    """Return the multilinear weight (N,) of one corner, from the places within the cell (N, 5)."""
    upper = torch.tensor(corner, dtype=torch.bool, device=part.device)
    return torch.where(upper, part, 1 - part).prod(1)


def _blurred(grid: Tensor) -> Tensor:
    """Return the grid (g1, ..., g5, C) after exp(-x^2 / (2 * 2/3)), x = -2..2, along its five axes; zero outside."""
    for axis in range(5):
        length = grid.shape[axis]
        out = grid.clone()
        for shift in range(1, min(3, length)):
            tap = float(np.exp(-0.75 * shift**2))
            out.narrow(axis, shift, length - shift).add_(grid.narrow(axis, 0, length - shift), alpha=tap)
            out.narrow(axis, 0, length - shift).add_(grid.narrow(axis, shift, length - shift), alpha=tap)
        grid = out
    return grid
