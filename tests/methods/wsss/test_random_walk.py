"""Sparse walks against dense matrices that loops fill entry by entry."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.errors import BenchmarkError
from methods.wsss.geometry import Border, PairGrid, pairs_of
from methods.wsss.random_walk import (
    Transition,
    _steps_torch,
    background_response,
    class_map,
    edge_response,
    enlarged,
    known_response,
    pooled,
    propagate,
    retab_masks,
    transition,
    walk,
)

CPU = torch.device("cpu")
SMALL = PairGrid(6, 7, 3)


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def affinities(grid: PairGrid, seed: int = 0) -> Tensor:
    """Return random affinities of which many matter after sharpening."""
    return uniform(len(pairs_of(grid, CPU).first), seed=seed) ** 0.2


def dense_affinity(affinity: Tensor, grid: PairGrid) -> Tensor:
    """Return A (N, N) float64, from the pairs one by one."""
    matrix = torch.eye(grid.nodes, dtype=torch.float64)
    pairs = pairs_of(grid, CPU)
    for i, j, a in zip(pairs.first.tolist(), pairs.second.tolist(), affinity.tolist(), strict=True):
        matrix[i, j] = matrix[j, i] = a
    return matrix


def column_normalised(matrix: Tensor) -> Tensor:
    return matrix / matrix.sum(0)


def squared(matrix: Tensor, times: int) -> Tensor:
    for _ in range(times):
        matrix = matrix @ matrix
    return matrix


def dense(matrix: Transition) -> Tensor:
    """Return T (N, N), column j from the compressed row j."""
    starts, senders = matrix.starts.tolist(), matrix.senders.tolist()
    out = torch.zeros(len(starts) - 1, len(starts) - 1, dtype=matrix.weights.dtype)
    for j in range(len(out)):
        for e in range(starts[j], starts[j + 1]):
            assert out[senders[e], j] == 0
            out[senders[e], j] = matrix.weights[e]
    return out


@pytest.mark.parametrize("border", ["all", "official"])
def test_walk_is_the_power_of_the_dense_matrix(border: Border) -> None:
    grid = PairGrid(20, 26, 5, border)
    affinity, response = affinities(grid), uniform(4, 20, 26, seed=1)
    power = squared(column_normalised(dense_affinity(affinity, grid) ** 8), 8)
    expected = (response.double().flatten(1) @ power).view(4, 20, 26)
    result = walk(response, transition(affinity, grid, 8.0), 8)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result.double(), expected, atol=1e-5, rtol=0)
    assert expected.std() > 1e-3  # not yet the same everywhere


@pytest.mark.parametrize("steps_log2", [0, 1, 3])
def test_number_of_steps(steps_log2: int) -> None:
    affinity, response = affinities(SMALL).double(), uniform(2, 6, 7).double()
    power = torch.linalg.matrix_power(column_normalised(dense_affinity(affinity, SMALL) ** 2), 2**steps_log2)
    result = walk(response, transition(affinity, SMALL, 2.0), steps_log2)
    torch.testing.assert_close(result.flatten(1), response.flatten(1) @ power, atol=1e-12, rtol=0)


def test_torch_and_scipy_agree() -> None:
    affinity, response = affinities(SMALL), uniform(3, 6, 7)
    masks, known = retab_masks(uniform(6, 7, seed=2) > 0.3)[1], uniform(6, 7, seed=3) > 0.7
    matrix = transition(affinity, SMALL, senders=masks.senders, receivers=masks.receivers, known=known)
    of_torch = _steps_torch(response.flatten(1).T.contiguous(), matrix, 16).T.view(3, 6, 7)
    torch.testing.assert_close(walk(response, matrix, 4), of_torch)


def test_transition_matrix_entry_by_entry() -> None:
    affinity = affinities(SMALL)
    matrix = dense(transition(affinity, SMALL, 3.0))
    torch.testing.assert_close(matrix.sum(0), torch.ones(42))
    assert (matrix >= 0).all()
    torch.testing.assert_close(matrix.double(), column_normalised(dense_affinity(affinity, SMALL) ** 3))


def test_walk_conserves_what_column_normalisation_conserves() -> None:
    affinity = affinities(SMALL).double()
    matrix = transition(affinity, SMALL)
    response = uniform(3, 6, 7).double()
    result = walk(response, matrix)
    # Averages: constants stay, nothing leaves the range, channels that sum to 1 still do.
    torch.testing.assert_close(walk(torch.full((1, 6, 7), 0.3, dtype=torch.float64), matrix)[0, 2, 3].item(), 0.3)
    assert response.amin() <= result.amin() <= result.amax() <= response.amax()
    shares = response / response.sum(0)
    torch.testing.assert_close(walk(shares, matrix).sum(0), torch.ones(6, 7).double())
    # A is symmetric: the sum weighted by the pixels' total affinities stays.
    degree = (dense_affinity(affinity, SMALL) ** 8).sum(0).view(6, 7)
    torch.testing.assert_close((result * degree).sum((1, 2)), (response * degree).sum((1, 2)))


def test_a_cut_is_never_crossed() -> None:
    grid = PairGrid(5, 8, 4)
    pairs = pairs_of(grid, CPU)
    affinity = ((pairs.first % 8 < 4) == (pairs.second % 8 < 4)).float()
    response = torch.zeros(1, 5, 8)
    response[0, 2, 1] = 1
    result = walk(response, transition(affinity, grid))
    assert (result[..., 4:] == 0).all()
    assert result[..., :4].min() > 0.01


@pytest.mark.parametrize("stage", [0, 1])
def test_retab_stages_are_their_closed_forms(stage: int) -> None:
    grid = PairGrid(9, 10, 5)
    affinity, response = affinities(grid), uniform(3, 9, 10)
    nonboundary = uniform(9, 10, seed=4) > 0.3
    nb = nonboundary.flatten().tolist()
    matrix = dense_affinity(affinity, grid)
    for i in range(90):
        for j in range(90):
            kept = (nb[i] and nb[j]) if stage == 0 else not nb[j]
            matrix[i, j] = 1.0 if i == j else float(matrix[i, j]) * kept
    expected = response.double().flatten(1) @ squared(column_normalised(matrix**8), 8)
    masks = retab_masks(nonboundary)[stage]
    matrix_ = transition(affinity, grid, senders=masks.senders, receivers=masks.receivers)
    torch.testing.assert_close(walk(response, matrix_).double().flatten(1), expected, atol=1e-5, rtol=0)
    still = ~nonboundary if stage == 0 else nonboundary
    assert torch.equal(walk(response, matrix_)[:, still], response[:, still])
    assert not torch.equal(walk(response, matrix_)[:, ~still], response[:, ~still])


def test_boundary_pixels_send_nothing_in_stage_1_and_receive_from_all_in_stage_2() -> None:
    nonboundary = torch.ones(6, 7, dtype=torch.bool)
    nonboundary[:, 3:5] = False  # wider than a pair is long, or stage 1 would jump over it
    response = torch.zeros(2, 6, 7)
    response[0, :, 3:5] = 1  # only boundary pixels have class 0
    response[1, :, 6] = 1  # class 1 is at the right
    affinity = torch.ones(len(pairs_of(PairGrid(6, 7, 3), CPU).first))
    first, second = (
        transition(affinity, SMALL, senders=masks.senders, receivers=masks.receivers)
        for masks in retab_masks(nonboundary)
    )
    one = walk(response, first)
    assert (one[0, nonboundary] == 0).all()
    torch.testing.assert_close(one[1, :, 5:], torch.full((6, 2), 0.5), atol=1e-4, rtol=0)
    assert (one[1, :, :3] == 0).all()
    two = walk(one, second)
    assert torch.equal(two[:, nonboundary], one[:, nonboundary])
    assert (two[0, :, 3:5] < 1e-4).all()  # their own response has gone
    assert (two[1, :, 3:5] > 0.1).all()


def test_known_pixels_are_put_back_after_every_step() -> None:
    affinity, response = affinities(SMALL).double(), uniform(2, 6, 7).double()
    known = uniform(6, 7, seed=5) > 0.6
    step = column_normalised(dense_affinity(affinity, SMALL) ** 8)
    expected = response.flatten(1).clone()
    for _ in range(16):
        expected = expected @ step
        expected[:, known.flatten()] = response.flatten(1)[:, known.flatten()]
    result = walk(response, transition(affinity, SMALL, known=known), 4)
    torch.testing.assert_close(result.flatten(1), expected)
    assert torch.equal(result[:, known], response[:, known])


def test_clamping_with_masks() -> None:
    nonboundary, known = uniform(6, 7, seed=6) > 0.3, uniform(6, 7, seed=7) > 0.5
    masks = retab_masks(nonboundary)[0]
    matrix = transition(affinities(SMALL), SMALL, senders=masks.senders, receivers=masks.receivers, known=known)
    response = uniform(2, 6, 7)
    changed = (walk(response, matrix) != response).any(0)
    assert torch.equal(matrix.receivers.view(6, 7), nonboundary & ~known)
    assert changed.any()
    assert not (changed & (known | ~nonboundary)).any()


def test_half_precision_affinities_walk_in_single() -> None:
    affinity = affinities(SMALL).bfloat16()
    assert walk(uniform(1, 6, 7), transition(affinity, SMALL)).dtype == torch.float32


def test_walk_leaves_its_input_alone() -> None:
    response = uniform(2, 6, 7).requires_grad_()
    before = response.detach().clone()
    result = walk(response, transition(affinities(SMALL).requires_grad_(), SMALL))
    assert torch.equal(response, before)
    assert not result.requires_grad


def test_what_does_not_fit_the_grid_is_refused() -> None:
    with pytest.raises(BenchmarkError, match="affinities were expected"):
        transition(torch.ones(5), SMALL)
    with pytest.raises(BenchmarkError, match=r"boolean mask of 6 x 7 .* found torch.bool of shape \(7, 6\)"):
        transition(affinities(SMALL), SMALL, senders=torch.ones(7, 6, dtype=torch.bool))
    with pytest.raises(BenchmarkError, match=r"found torch.float32"):
        transition(affinities(SMALL), SMALL, known=torch.ones(6, 7))


def test_block_averages_at_the_edge() -> None:
    maps = uniform(2, 19, 8)
    inside, official = pooled(maps, 8), pooled(maps, 8, "official")
    assert inside.shape == official.shape == (2, 3, 1)
    torch.testing.assert_close(inside[:, :2], official[:, :2])
    torch.testing.assert_close(inside[:, 2, 0], maps[:, 16:].mean((1, 2)))
    torch.testing.assert_close(official[:, 2, 0], maps[:, 16:].sum((1, 2)) / 64)
    torch.testing.assert_close(pooled(torch.ones(1, 13, 17), 4), torch.ones(1, 4, 5))


def test_enlarged_is_interpolation_then_cropping() -> None:
    maps = uniform(2, 3, 4)
    expected = F.interpolate(maps[None], scale_factor=8, mode="bilinear", align_corners=False)[0, :, :19, :30]
    torch.testing.assert_close(enlarged(maps, 8, (19, 30)), expected)
    with pytest.raises(BenchmarkError, match="at stride 8 of 33 x 30"):
        enlarged(maps, 8, (33, 30))


def test_psa_end_to_end() -> None:
    cam = uniform(3, 19, 30)
    grid = PairGrid(3, 4, 3)
    affinity = affinities(grid)
    response = background_response(cam, 16)
    for k in range(3):
        assert torch.equal(response[k + 1], cam[k])
    assert response[0, 4, 5].item() == pytest.approx((1 - max(cam[:, 4, 5].tolist())) ** 16)
    padded = F.pad(response, (0, 2, 0, 5))
    blocks = torch.stack(
        [padded[:, 8 * y : 8 * y + 8, 8 * x : 8 * x + 8].mean((1, 2)) for y in range(3) for x in range(4)]
    )
    power = squared(column_normalised(dense_affinity(affinity, grid) ** 8), 8)
    walked = (blocks.T.double() @ power).float().view(4, 3, 4)
    expected = F.interpolate(walked[None], scale_factor=8, mode="bilinear")[0, :, :19, :30]
    result = propagate(response, transition(affinity, grid), 8, padding="official")
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=0)


def test_known_base_wins_where_it_is_known_and_spreads_where_it_is_not() -> None:
    cam = torch.zeros(1, 5, 8)
    cam[0, 2, 6] = 1.0
    cam[0, 2, 1] = 0.9  # a wrong peak inside the base region
    known = torch.zeros(5, 8, dtype=torch.bool)
    known[:, :4] = True
    response = known_response(cam, known)
    assert torch.equal(response[0], known.float())
    assert (response[1, :, :4] == 0).all()
    grid = PairGrid(5, 8, 3)
    pairs = pairs_of(grid, CPU)
    affinity = torch.where((pairs.first % 8 < 5) == (pairs.second % 8 < 5), 1.0, 0.0)  # column 4 looks like base
    result = walk(response, transition(affinity, grid, known=known))
    labels = class_map(result, torch.tensor([255, 7]), 0.01)
    assert (labels[:, :5] == 255).all()
    assert (labels[:, 5:] == 7).all()


def test_class_map_divides_by_one_maximum() -> None:
    response = torch.tensor([[[4.0, 1.0, 0.9, 0.0]], [[0.0, 0.5, 1.1, 0.0]]])
    classes = torch.tensor([12, 3])
    assert class_map(response, classes, 0.25).tolist() == [[12, 255, 3, 255]]
    assert class_map(response, classes, 0.2).tolist() == [[12, 12, 3, 255]]
    assert class_map(response, classes, 0.26, otherwise=0).tolist() == [[12, 0, 3, 0]]
    assert class_map(0 * response, classes, 0.0).tolist() == [[255] * 4]
    assert class_map(torch.zeros(0, 1, 4), torch.zeros(0), 0.2).tolist() == [[255] * 4]


def test_edge_response() -> None:
    response = edge_response(torch.tensor([[[0.5, 1.0]]]), torch.tensor([[0.2, 1.0]]), 1.3)
    assert response.flatten().tolist() == pytest.approx([0.8 * math.pow(0.5, 1.3), 0.0])
