"""Bilinear resizing: two matrix products where gradients flow, tiles of rows where maps are large.

Both give the values of ``interpolate(mode="bilinear", align_corners=False)`` to rounding. The backward pass of
``upsampled`` is deterministic on a GPU, where that of ``interpolate`` is not, and several times faster on small maps.
``tiled_resize`` never holds more than a tile, so that no image is too large for memory.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

TILE_VALUES = 1 << 27  # of a tile: 512 MiB; 100 maps of 1.3 megapixels are resized at once


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


def resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Return maps (C, h, w) bilinearly resized to (C, H, W), pixels as areas (``align_corners=False``)."""
    return F.interpolate(maps[None], size=size, mode="bilinear", align_corners=False)[0]


def tiled_resize(maps: Tensor, size: tuple[int, int]) -> Iterator[Tensor]:
    """Yield what ``resized`` returns from top to bottom, (C, rows, W) with at most ``TILE_VALUES`` or a single row.

    What fits into one tile is the very result of ``resized``; otherwise rounding differs.
    """
    height, width = size
    rows = max(1, TILE_VALUES // (len(maps) * width))
    if rows >= height:
        yield resized(maps, size)
        return
    centres = torch.arange(height, device=maps.device) + 0.5
    position = (centres * (maps.shape[1] / height) - 0.5).clamp_(min=0)
    above = position.floor().long()
    below = (above + 1).clamp_(max=maps.shape[1] - 1)
    share = (position - above).to(maps.dtype)[:, None]
    for tile in torch.split(torch.arange(height, device=maps.device), rows):
        mixed = torch.lerp(maps[:, above[tile]], maps[:, below[tile]], share[tile])
        yield resized(mixed, (len(tile), width))
