"""Resizing by tiles is resizing, within rounding, and holds no more than it may."""

import pytest
import torch

from methods.maskformer import upsampling
from methods.maskformer.upsampling import resized, tiled_resize


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (40, 64), (41, 23), (12, 300)])
def test_tiles_put_together_are_the_resized_maps(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    maps = torch.rand(3, 12, 16)
    monkeypatch.setattr(upsampling, "TILE_VALUES", 3 * size[1] * 5)
    found = list(tiled_resize(maps, size))
    assert len(found) == -(-size[0] // 5)
    assert max(tile.numel() for tile in found) <= upsampling.TILE_VALUES
    torch.testing.assert_close(torch.cat(found, 1), resized(maps, size), rtol=0, atol=1e-6)


def test_a_small_image_is_one_tile_of_the_very_same_values() -> None:
    maps = torch.rand(3, 12, 16)
    (found,) = tiled_resize(maps, (50, 70))
    assert torch.equal(found, resized(maps, (50, 70)))
