"""Edges and boundaries: pair affinities, targets and maps against loops over pixels."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.errors import BenchmarkError
from methods.wsss.affinity import WITHOUT_BACKGROUND, affinity_loss, pair_labels
from methods.wsss.boundary import (
    BoundaryHead,
    BoundaryTarget,
    EdgeHead,
    at_stride,
    base_target,
    boundary_loss,
    edge_transition,
    mirrored_edge,
    nonboundary_map,
    path_affinity,
    void_target,
)
from methods.wsss.geometry import Border, PairGrid, half_plane, pairs_of
from methods.wsss.random_walk import edge_response, walk

CPU = torch.device("cpu")


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def looped_affinity(edge: list[list[float]], y: int, x: int, dy: int, dx: int) -> float:
    """Return 1 - the largest edge among the pixels nearer than 1 to the line from (y, x) to (y + dy, x + dx)."""
    largest = 0.0
    for py in range(dy + 1):
        for px in range(min(dx, 0), max(dx, 0) + 1):
            if (dy * px - dx * py) ** 2 / (dy * dy + dx * dx) < 1:
                largest = max(largest, edge[y + py][x + px])
    return 1 - largest


@pytest.mark.parametrize("radius", [2, 4, 5])
def test_path_affinity_of_all_pairs(radius: int) -> None:
    edges = uniform(2, 8, 9)
    grid = PairGrid(8, 9, radius)
    affinity = path_affinity(edges, grid)
    for b, edge in enumerate(edges.tolist()):
        expected = [
            looped_affinity(edge, y, x, dy, dx)
            for dy, dx in half_plane(radius)
            for y in range(8)
            for x in range(9)
            if 0 <= y + dy < 8 and 0 <= x + dx < 9
        ]
        torch.testing.assert_close(affinity[b], torch.tensor(expected), atol=1e-6, rtol=0)


def padded_like_irn(edge: Tensor, radius: int) -> Tensor:
    """Return A (N, N) of an edge map (h, w) as IRN makes it: surrounded by 1, official pairs, cropped."""
    height, width = edge.shape
    padded = F.pad(edge, (radius, radius, 0, radius), value=1.0)
    rows = padded.tolist()
    matrix = torch.zeros(padded.numel(), padded.numel(), dtype=torch.float64)
    wide = padded.shape[1]
    reach = radius - 1
    for dy, dx in half_plane(radius):
        for y in range(padded.shape[0] - reach):
            for x in range(reach, wide - reach):
                i, j = y * wide + x, (y + dy) * wide + x + dx
                matrix[i, j] = matrix[j, i] = looped_affinity(rows, y, x, dy, dx)
    keep = torch.tensor([y * wide + x + radius for y in range(height) for x in range(width)])
    return matrix[keep][:, keep]


def test_all_pairs_are_what_irn_gets_by_padding() -> None:
    edge = uniform(6, 7)
    expected = padded_like_irn(edge, 4)
    grid = PairGrid(6, 7, 4)
    pairs = pairs_of(grid, CPU)
    matrix = torch.zeros(42, 42)
    matrix[pairs.first, pairs.second] = path_affinity(edge[None], grid)[0]
    torch.testing.assert_close((matrix + matrix.T).double(), expected, atol=1e-6, rtol=0)


def test_official_pairs_are_fewer_of_the_same() -> None:
    edge = uniform(1, 9, 10)
    affinities = []
    borders: tuple[Border, ...] = ("all", "official")
    for border in borders:
        grid = PairGrid(9, 10, 4, border)
        pairs = pairs_of(grid, CPU)
        keys = zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
        affinities.append(dict(zip(keys, path_affinity(edge, grid)[0].tolist(), strict=True)))
    everything, official = affinities
    assert 0 < len(official) < len(everything)
    assert official.items() <= everything.items()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 5e-5), (torch.float64, 1e-12)])
def test_irn_propagation(dtype: torch.dtype, tolerance: float) -> None:
    edge, cam = uniform(7, 8).to(dtype) ** 3, uniform(3, 7, 8, seed=1).to(dtype)
    matrix = padded_like_irn(edge, 5) ** 10 + torch.eye(56, dtype=torch.float64)
    matrix = matrix / matrix.sum(0)
    for _ in range(8):
        matrix = matrix @ matrix
    expected = (cam.double() ** 1.3 * (1 - edge.double())).flatten(1) @ matrix
    result = walk(edge_response(cam, edge, 1.3), edge_transition(edge, 5, 10.0), 8)
    torch.testing.assert_close(result.double().flatten(1), expected, atol=tolerance, rtol=0)
    assert expected.std() > 1e-3


def test_edge_learning_finds_the_contour() -> None:
    labels = torch.full((1, 8, 8), 3)
    labels[..., 4:] = 5
    labels[..., 3:5] = 255
    grid = PairGrid(8, 8, 4)
    logits = (0.1 * torch.randn(1, 8, 8, generator=torch.Generator().manual_seed(0))).requires_grad_()
    kinds = pair_labels(labels, grid, None)
    optimizer = torch.optim.Adam([logits], lr=0.3)
    for _ in range(30):
        optimizer.zero_grad()
        loss = affinity_loss(path_affinity(logits.sigmoid(), grid), kinds, WITHOUT_BACKGROUND)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    edge = logits.detach().sigmoid()[0]
    assert (edge[:, 3:5].amax(1) > 0.7).all()
    assert edge[:, [0, 1, 6, 7]].max() < 0.3


def test_edge_head_on_odd_sizes() -> None:
    torch.manual_seed(0)
    head = EdgeHead((4, 6, 8), (4, 4, 8), width=8, groups=2, level=1)
    maps = [torch.randn(2, 4, 7, 9), torch.randn(2, 6, 7, 9), torch.randn(2, 8, 4, 5)]
    for x in maps:
        x.requires_grad_()
    logits = head(maps)
    levels = []
    for branch, factor, x in zip(head.branches, (1, 1, 2), maps, strict=True):
        assert isinstance(branch, nn.Sequential)
        conv, norm = branch
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.GroupNorm)
        y = torch.einsum("oc,bchw->bohw", conv.weight[:, :, 0, 0], x)
        grouped = y.reshape(2, 2, -1)
        deviation = grouped - grouped.mean(2, keepdim=True)
        y = (deviation / (grouped.var(2, keepdim=True, unbiased=False) + norm.eps).sqrt()).view(y.shape)
        y = F.interpolate(y, scale_factor=factor, mode="bilinear", align_corners=False)
        levels.append(y[..., :7, :9].clamp(min=0))
    weight, bias = head.edge.weight[0, :, 0, 0], head.edge.bias
    assert bias is not None
    torch.testing.assert_close(logits, torch.einsum("c,bchw->bhw", weight, torch.cat(levels, 1)) + bias)
    logits.sum().backward()
    assert all(x.grad is None for x in maps)
    assert all(p.grad is not None for p in head.parameters())


def test_edge_head_of_irn_and_strides_that_do_not_fit() -> None:
    head = EdgeHead()
    maps = [torch.ones(1, c, s, s) for c, s in zip((64, 256, 512, 1024, 2048), (7, 7, 4, 2, 2), strict=True)]
    assert head(maps).shape == (1, 7, 7)
    assert sum(p.numel() for p in head.parameters()) == 32 * (64 + 256 + 512 + 1024 + 2048) + 5 * 64 + 161
    for strides in ((8, 4), (4, 6), (4,)):
        with pytest.raises(BenchmarkError, match="multiple of that of map 0"):
            EdgeHead((3, 3), strides, level=0)


def test_mirrored_edge_averages_logits() -> None:
    logits = torch.tensor([[[0.0, 4.0]], [[2.0, -2.0]]])
    assert mirrored_edge(logits).tolist()[0] == pytest.approx([1 / (1 + math.exp(1)), 1 / (1 + math.exp(-3))])


def test_boundary_head_is_bilinear_between_corners() -> None:
    torch.manual_seed(0)
    head = BoundaryHead((3, 5), (2, 4))
    maps = [torch.randn(2, 3, 4, 5), torch.randn(2, 5, 2, 3)]
    small = head.boundary(head.taps(maps))[:, 0]
    large = head(maps, (25, 33))
    assert large.shape == (2, 25, 33)
    torch.testing.assert_close(large[:, ::8, ::8], small)
    torch.testing.assert_close(large[:, 4, 0], (small[:, 0, 0] + small[:, 1, 0]) / 2)
    assert head.boundary.bias is None


def cross_entropies(logits: Tensor, boundary: Tensor) -> list[float]:
    probability = torch.sigmoid(logits.double())
    return torch.where(boundary, -probability.log(), -(1 - probability).log()).flatten().tolist()


def test_boundary_loss_by_hand_and_with_empty_sets() -> None:
    labels = torch.tensor([[[255, 255, 0], [0, 4, 4]], [[0, 7, 7], [0, 0, 4]]])
    logits = torch.randn(2, 2, 3, generator=torch.Generator().manual_seed(0))
    weights = {"boundary": 1.0, "background": 0.5, "foreground": 0.5}
    for missing in ([], ["boundary"], ["background"], ["foreground"], ["boundary", "foreground"]):
        now = labels.clone()
        for name in missing:
            old = {"boundary": now == 255, "background": now == 0, "foreground": (now > 0) & (now < 255)}[name]
            now[old] = {"boundary": 4, "background": 4, "foreground": 0}[name]
        entropy = cross_entropies(logits, now == 255)
        name_of = {255: "boundary", 0: "background", 4: "foreground", 7: "foreground"}
        expected = 0.0
        for name in weights:
            values = [e for e, v in zip(entropy, now.flatten().tolist(), strict=True) if name_of[v] == name]
            expected += weights[name] * sum(values) / len(values) if values else 0.0
        assert boundary_loss(logits, void_target(now)).item() == pytest.approx(expected, abs=1e-6)


def test_one_interior_weighs_one_and_pixels_in_no_set_weigh_nothing() -> None:
    logits = torch.tensor([[[1.0, -2.0, 100.0]]], requires_grad=True)
    target = BoundaryTarget(torch.tensor([[[True, False, False]]]), (torch.tensor([[[False, True, False]]]),))
    loss = boundary_loss(logits, target)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-2)))
    loss.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert (logits.grad != 0).tolist() == [[[True, True, False]]]
    nothing = torch.zeros(1, 1, 3, dtype=torch.bool)
    assert boundary_loss(logits, BoundaryTarget(nothing, (nothing,))) == 0


@pytest.mark.parametrize("radius", [1, 2, 3])
@pytest.mark.parametrize("with_pad", [False, True])
def test_base_target_pixel_by_pixel(radius: int, with_pad: bool) -> None:
    generator = torch.Generator().manual_seed(radius)
    ids = torch.tensor([2, 11, 255], dtype=torch.uint8)
    labels = ids[torch.randint(3, (2, 3, 4), generator=generator)]
    labels = labels.repeat_interleave(5, 1).repeat_interleave(5, 2)  # (2, 15, 20), blocks
    pad = torch.zeros(2, 15, 20, dtype=torch.bool)
    if with_pad:
        pad[:, 11:] = True
        pad[:, :, 17:] = True
        labels[pad] = 255
    target = base_target(labels, radius, pad if with_pad else None)
    (interior,) = target.interiors
    for b in range(2):
        for y in range(15):
            for x in range(20):
                near = {
                    int(labels[b, v, u])
                    for v in range(max(0, y - radius), min(15, y + radius + 1))
                    for u in range(max(0, x - radius), min(20, x + radius + 1))
                    if not pad[b, v, u]
                }
                changes = len(near) > 1 and not pad[b, y, x]
                assert bool(target.boundary[b, y, x]) == changes
                here = int(labels[b, y, x])
                assert bool(interior[b, y, x]) == (not changes and here != 255 and not pad[b, y, x])
    assert target.boundary.any()


def test_base_target_of_one_region() -> None:
    for value, expected in ((7, True), (255, False)):
        target = base_target(torch.full((1, 6, 6), value), 2)
        assert not target.boundary.any()
        assert (target.interiors[0] == expected).all()


@pytest.mark.parametrize("kernel", [0, 1, 3, 5])
def test_nonboundary_map_needs_the_whole_window(kernel: int) -> None:
    probability = uniform(2, 9, 11) ** 0.1  # mostly near 1
    result = nonboundary_map(1 - probability, 0.3, kernel)
    reach = kernel // 2
    for b in range(2):
        for y in range(9):
            for x in range(11):
                window = 1 - probability[b, max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
                assert bool(result[b, y, x]) == bool((window < 0.3).all())
    assert result.any()
    assert not result.all()
    assert torch.equal(nonboundary_map(1 - probability[0], 0.3, kernel), result[0])


def test_threshold_itself_is_boundary_and_even_kernels_are_refused() -> None:
    assert nonboundary_map(torch.tensor([[0.5, 0.49]])).tolist() == [[False, True]]
    for kernel in (2, -3):
        with pytest.raises(BenchmarkError, match=f"odd number of pixels, found {kernel}"):
            nonboundary_map(torch.zeros(4, 4), kernel=kernel)


def test_masks_on_the_feature_grid() -> None:
    mask = uniform(17, 24) > 0.5
    aligned, stretched = at_stride(mask, 8), at_stride(mask, 8, aligned=False)
    assert aligned.shape == stretched.shape == (3, 3)
    assert torch.equal(aligned, mask[[0, 8, 16]][:, [0, 8, 16]])
    assert torch.equal(stretched, mask[[0, 5, 11]][:, [0, 8, 16]])
    assert torch.equal(at_stride(mask[:16], 8), at_stride(mask[:16], 8, aligned=False))
