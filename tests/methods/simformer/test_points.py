from collections.abc import Mapping
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.errors import BenchmarkError
from methods.simformer.points import (
    NO_CLASS,
    at_points,
    base_classes_present,
    common_class,
    distillation_points,
    downsample,
    draw,
    labels_at_points,
    similarity_points,
)

SWAP = torch.tensor([1, 0])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_gather_is_bilinear_sampling_at_pixel_centres(
    released: Mapping[str, Any], golden_points: dict[str, Tensor]
) -> None:
    features = torch.from_numpy(released["feat"])
    labels = downsample(torch.from_numpy(released["label_map"]), (16, 16))
    for name, points in golden_points.items():
        grid = torch.from_numpy(released[f"pts_{name}"])[:, None]
        sampled = F.grid_sample(features, grid, mode="bilinear", align_corners=True)[:, :, 0].transpose(1, 2)
        torch.testing.assert_close(at_points(features, points), sampled, atol=1e-5, rtol=1e-5)
        nearest = F.grid_sample(labels[:, None].float(), grid, mode="nearest", align_corners=True)[:, 0, 0]
        assert torch.equal(labels_at_points(labels, points).float(), nearest)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_downsample_takes_floor_of_the_source_index(dtype: torch.dtype) -> None:
    labels = torch.arange(2 * 7 * 8).reshape(2, 7, 8).to(dtype)
    small = downsample(labels, (3, 2))
    assert small.dtype == dtype
    assert torch.equal(small, labels[:, [0, 2, 4]][:, :, [0, 4]])


def test_draw_stays_inside_a_large_region_without_repeats() -> None:
    region = torch.rand(5, 8, 8, generator=seeded(1)) < 0.5
    points = draw(region, 16, seeded())
    assert points.shape == (5, 16)
    assert region.flatten(1).gather(1, points).all()
    assert all(len(set(row)) == 16 for row in points.tolist())


def test_draw_covers_a_small_region_and_fills_up_from_outside() -> None:
    region = torch.zeros(2, 4, 4, dtype=torch.bool)
    region[0, 0, :3] = True
    points = draw(region, 6, seeded()).tolist()
    assert {0, 1, 2} < set(points[0])
    assert len(set(points[0])) == len(set(points[1])) == 6


def test_draw_is_uniform_inside_the_region() -> None:
    region = torch.zeros(4000, 3, 4, dtype=torch.bool)
    region[:, :, 1:] = True
    points = draw(region, 3, seeded())
    counts = torch.bincount(points.flatten(), minlength=12).double()
    assert counts[[0, 4, 8]].sum() == 0
    inside = counts[[1, 2, 3, 5, 6, 7, 9, 10, 11]]
    expected = 4000 * 3 / 9
    chi_square = ((inside - expected) ** 2 / expected).sum()
    assert chi_square < 26.1  # 0.1 % point at 8 degrees of freedom


def test_draw_says_when_the_map_is_too_small() -> None:
    with pytest.raises(BenchmarkError, match="only 16 pixels"):
        draw(torch.ones(1, 4, 4, dtype=torch.bool), 17, seeded())


def test_base_classes_present_leaves_the_ignored_out() -> None:
    labels = torch.tensor([[[0, 2]], [[255, 255]]], dtype=torch.uint8)
    assert base_classes_present(labels, 4).tolist() == [[True, False, True, False], [False] * 4]


def test_common_class_is_uniform_over_shared_classes_and_equal_in_a_pair() -> None:
    present = torch.tensor([[1, 1, 1, 0], [0, 1, 1, 1]]).bool().repeat(3000, 1)
    partner = torch.arange(6000).reshape(-1, 2).flip(1).flatten()
    chosen = common_class(present, partner, seeded())
    assert torch.equal(chosen, chosen[partner])
    ones = int((chosen[::2] == 1).sum())
    assert set(chosen.tolist()) == {1, 2}
    assert abs(ones - 1500) < 4 * (3000 / 4) ** 0.5


def test_common_class_without_shared_class_and_with_itself() -> None:
    present = torch.tensor([[True, False], [False, True]])
    assert common_class(present, SWAP, seeded()).tolist() == [NO_CLASS, NO_CLASS]
    assert common_class(present, torch.arange(2), seeded()).tolist() == [0, 1]


def halves() -> tuple[Tensor, Tensor]:
    """Return labels and padding of two 8 x 8 maps: class 3, class 5, ignored, ignored padding, two columns each."""
    columns = torch.tensor([3, 3, 5, 5, 255, 255, 255, 255], dtype=torch.uint8)
    labels = columns.expand(2, 8, 8)
    pad = torch.zeros(2, 8, 8, dtype=torch.bool)
    pad[:, :, 6:] = True
    return labels, pad


def test_similarity_points_are_of_the_common_class_first() -> None:
    labels, pad = halves()
    points = similarity_points(labels, pad, torch.tensor([3, 3]), 15, seeded())
    here = labels_at_points(labels, points)
    assert points.shape == (2, 15)
    assert (here[:, :12] == 3).all()
    assert (here[:, 12:] != 3).all()
    assert not labels_at_points(pad, points).any()


def test_similarity_points_of_a_pair_without_common_class_are_of_any_base_class() -> None:
    labels, pad = halves()
    points = similarity_points(labels, pad, torch.full((2,), NO_CLASS), 30, seeded(), positive_ratio=0.5)
    here = labels_at_points(labels, points)
    assert set(here[:, :15].flatten().tolist()) == {3, 5}
    assert set(here[:, 15:].flatten().tolist()) == {255}
    assert not labels_at_points(pad, points).any()


@pytest.mark.parametrize("exclude_pad", [False, True])
def test_distillation_points_are_not_base(exclude_pad: bool) -> None:
    labels, pad = halves()
    points = distillation_points(labels, pad, 16, seeded(), exclude_pad=exclude_pad)
    assert (labels_at_points(labels, points) == 255).all()
    assert labels_at_points(pad, points).any() != exclude_pad


def test_points_are_a_function_of_the_generator() -> None:
    labels, pad = halves()
    assert torch.equal(distillation_points(labels, pad, 9, seeded(4)), distillation_points(labels, pad, 9, seeded(4)))
    assert not torch.equal(
        distillation_points(labels, pad, 9, seeded(4)), distillation_points(labels, pad, 9, seeded(5))
    )
