"""Maps resized to an image of any size, a band of its rows at a time: no image is too large for memory."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

HELD = 1 << 27  # values of a band: 512 MiB; 100 maps of 1.3 megapixels are resized at once


def resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Return maps (C, h, w) bilinearly resized to (C, H, W), pixels as areas (``align_corners=False``)."""
    return F.interpolate(maps[None], size=size, mode="bilinear", align_corners=False)[0]


def resized_bands(maps: Tensor, size: tuple[int, int]) -> Iterator[Tensor]:
    """Yield what ``resized`` returns from top to bottom, (C, rows, W) with at most ``HELD`` values or a single row.

    What fits into one band is the very result of ``resized``; otherwise rounding differs.
    """
    height, width = size
    rows = max(1, HELD // (len(maps) * width))
    if rows >= height:
        yield resized(maps, size)
        return
    centres = torch.arange(height, device=maps.device) + 0.5
    position = (centres * (maps.shape[1] / height) - 0.5).clamp_(min=0)
    above = position.floor().long()
    below = (above + 1).clamp_(max=maps.shape[1] - 1)
    share = (position - above).to(maps.dtype)[:, None]
    for band in torch.split(torch.arange(height, device=maps.device), rows):
        mixed = torch.lerp(maps[:, above[band]], maps[:, below[band]], share[band])
        yield resized(mixed, (len(band), width))
