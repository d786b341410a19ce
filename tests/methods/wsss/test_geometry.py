"""Offsets, pairs and paths against loops over every pixel."""

from collections import Counter
from fractions import Fraction

import pytest
import torch

from benchmark.errors import BenchmarkError
from methods.wsss.geometry import (
    Border,
    Offset,
    PairGrid,
    grid_size,
    half_plane,
    over_pairs,
    pairs_of,
    path,
    path_groups,
    path_maximum,
    paths_by_length,
)

CPU = torch.device("cpu")


@pytest.mark.parametrize(("radius", "count"), [(3, 12), (4, 22), (5, 34), (10, 152)])
def test_offsets_are_half_of_all_neighbours(radius: int, count: int) -> None:
    offsets = half_plane(radius)
    assert len(offsets) == count
    both = {*offsets, *((-dy, -dx) for dy, dx in offsets)}
    reach = range(-radius, radius + 1)
    assert both == {(y, x) for y in reach for x in reach if 0 < y * y + x * x < radius * radius}
    assert len(both) == 2 * count
    assert offsets[: radius - 1] == tuple((0, dx) for dx in range(1, radius))
    assert list(offsets) == sorted(offsets)


def test_official_pairs_of_a_crop() -> None:
    pairs = pairs_of(PairGrid(56, 56, 5, "official"), CPU)
    assert len(pairs.first) == 84_864
    anchors = [y * 56 + x for y in range(52) for x in range(4, 52)]
    assert len(anchors) == 2496
    assert pairs.first.tolist() == 34 * anchors
    expected = [a + dy * 56 + dx for dy, dx in half_plane(5) for a in anchors]
    assert pairs.second.tolist() == expected
    assert torch.equal(pairs.offset, torch.arange(34).repeat_interleave(2496))


@pytest.mark.parametrize("size", [(6, 7), (2, 9), (1, 3), (9, 1), (1, 1)])
@pytest.mark.parametrize("radius", [2, 4])
def test_all_pairs_are_every_two_near_pixels_once(size: tuple[int, int], radius: int) -> None:
    height, width = size
    pixels = [(y, x) for y in range(height) for x in range(width)]
    expected = {
        (i, j)
        for i, p in enumerate(pixels)
        for j, q in enumerate(pixels)
        if i < j and (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2 < radius**2
    }
    pairs = pairs_of(PairGrid(height, width, radius), CPU)
    listed = list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    assert len(listed) == len(set(listed))
    assert set(listed) == expected
    offsets = half_plane(radius)
    for (i, j), k in zip(listed, pairs.offset.tolist(), strict=True):
        assert (pixels[j][0] - pixels[i][0], pixels[j][1] - pixels[i][1]) == offsets[k]


def test_official_pairs_of_a_map_too_small_for_any_anchor() -> None:
    assert len(pairs_of(PairGrid(3, 12, 4, "official"), CPU).first) == 0
    assert len(pairs_of(PairGrid(12, 6, 4, "official"), CPU).first) == 0
    assert len(pairs_of(PairGrid(4, 7, 4, "official"), CPU).first) == 22


def test_unusable_grids_are_refused() -> None:
    with pytest.raises(BenchmarkError, match="at least 2"):
        half_plane(1)
    with pytest.raises(BenchmarkError, match="'all' or 'official', found 'some'"):
        PairGrid(4, 4, 3, "some")  # type: ignore[arg-type]
    for call in (over_pairs, path_maximum):
        with pytest.raises(BenchmarkError, match="4 x 5 map were asked of a map of 5 x 4"):
            call(torch.zeros(1, 5, 4), PairGrid(4, 5, 3))


@pytest.mark.parametrize("border", ["all", "official"])
def test_values_over_pairs_are_in_the_order_of_the_pairs(border: Border) -> None:
    grid = PairGrid(8, 9, 3, border)
    maps = torch.rand(2, 3, 8, 9)
    pairs = pairs_of(grid, CPU)
    first, second = over_pairs(maps, grid)
    assert torch.equal(first, maps.flatten(2)[:, :, pairs.first])
    assert torch.equal(second, maps.flatten(2)[:, :, pairs.second])


@pytest.mark.parametrize("radius", [5, 10])
def test_paths_are_the_points_nearer_than_one_pixel_to_the_line(radius: int) -> None:
    for offset in half_plane(radius):
        length = offset.dy**2 + offset.dx**2
        expected = set()
        for y in range(-radius, radius + 1):
            for x in range(-radius, radius + 1):
                inside = 0 <= y <= offset.dy and min(0, offset.dx) <= x <= max(0, offset.dx)
                along = Fraction(y * offset.dy + x * offset.dx, length)
                if inside and (y - along * offset.dy) ** 2 + (x - along * offset.dx) ** 2 < 1:
                    expected.add((y, x))
        points = path(offset)
        assert set(points) == expected
        assert len(points) == len(expected)
        assert {(0, 0), offset} <= expected


def test_paths_by_hand() -> None:
    assert path(Offset(0, 2)) == ((0, 0), (0, 1), (0, 2))
    assert set(path(Offset(1, -1))) == {(0, 0), (0, -1), (1, 0), (1, -1)}
    assert set(path(Offset(2, 1))) == {(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)}
    assert set(path(Offset(4, 3))) - set(path(Offset(4, 3))[1:-1]) == {(0, 0), (4, 3)}
    assert (1, 2) not in path(Offset(4, 3))  # exactly one pixel from the line


@pytest.mark.parametrize(("radius", "groups"), [(5, 9), (10, 20)])
def test_groups_of_paths(radius: int, groups: int) -> None:
    by_length = paths_by_length(radius)
    assert len(by_length) == groups
    assert sorted(p for positions in by_length.values() for p in positions) == list(range(len(half_plane(radius))))
    for length, positions in by_length.items():
        assert {len(path(half_plane(radius)[p])) for p in positions} == {length}


@pytest.mark.parametrize("border", ["all", "official"])
def test_groups_hold_the_path_of_every_pair_once(border: Border) -> None:
    grid = PairGrid(7, 9, 4, border)
    pairs = pairs_of(grid, CPU)
    seen: Counter[int] = Counter()
    for group in path_groups(grid, CPU):
        for g, pair in enumerate(group.pairs.tolist()):
            seen[pair] += 1
            y, x = divmod(int(pairs.first[pair]), 9)
            points = path(half_plane(4)[int(pairs.offset[pair])])
            pixels = (pairs.first[pair] + group.shifts[:, group.kind[g]]).tolist()
            assert pixels == [(y + dy) * 9 + x + dx for dy, dx in points]
    assert seen == Counter(range(len(pairs.first)))


def test_gradient_of_a_path_maximum_is_at_the_maximum() -> None:
    maps = torch.tensor([[[0.1, 0.9, 0.3]], [[0.5, 0.5, 0.5]]]).requires_grad_()
    largest = path_maximum(maps, PairGrid(1, 3, 3))
    assert torch.equal(largest.detach(), torch.tensor([[0.9, 0.9, 0.9], [0.5, 0.5, 0.5]]))
    largest[:, 2].sum().backward()  # type: ignore[no-untyped-call]  # the pair of the two ends
    assert maps.grad is not None
    assert maps.grad.tolist() == [[[0, 1, 0]], [[1, 0, 0]]]


@pytest.mark.parametrize("side", range(1, 40))
def test_grid_size_is_that_of_a_strided_view(side: int) -> None:
    for stride in (4, 8):
        view = torch.zeros(side, side + 3)[::stride, ::stride]
        assert grid_size((side, side + 3), stride) == tuple(view.shape)


@pytest.mark.parametrize(("side", "expected"), [(1, 1), (4, 1), (5, 2), (500, 125), (501, 126)])
def test_grid_size_rounds_up(side: int, expected: int) -> None:
    assert grid_size((side, 4), 4) == (expected, 1)
