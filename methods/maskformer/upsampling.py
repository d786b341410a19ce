"""Bilinear upsampling as two matrix products.

The same values as ``interpolate(mode="bilinear", align_corners=False)`` to rounding. Its backward pass is deterministic
on a GPU, where that of ``interpolate`` is not, and several times faster on small maps.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor


def upsampled(maps: Tensor, size: Sequence[int]) -> Tensor:
    """(N, h, w) -> (N, H, W), bilinear between pixel centres."""
    rows = interpolation_matrix(maps.shape[-2], size[0], maps.device)
    columns = interpolation_matrix(maps.shape[-1], size[1], maps.device)
    return rows @ (maps @ columns.T)


@lru_cache(maxsize=64)
def interpolation_matrix(old: int, new: int, device: torch.device) -> Tensor:
    """Return the weights (new, old) of one axis: what torch makes of the unit vectors. Shared: do not write to it."""
    with torch.inference_mode(False):
        unit = torch.eye(old, device=device)[None, None]
        return F.interpolate(unit, size=(new, old), mode="bilinear", align_corners=False)[0, 0]
