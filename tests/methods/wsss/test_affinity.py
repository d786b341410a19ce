"""AffinityNet: pairs and losses against loops over the pairs."""

import math

import pytest
import torch
from torch import Tensor

from benchmark.errors import BenchmarkError
from methods.wsss.affinity import (
    WITH_BACKGROUND,
    WITHOUT_BACKGROUND,
    AffinityHead,
    PairLabels,
    PooledTaps,
    affinity_loss,
    mixed_labels,
    pair_affinity,
    pair_labels,
)
from methods.wsss.geometry import Border, PairGrid, pairs_of

CPU = torch.device("cpu")


def two_random_maps() -> Tensor:
    """Return labels (2, 7, 8) with background 0, two classes and 255."""
    ids = torch.tensor([0, 4, 9, 255], dtype=torch.uint8)
    return ids[torch.randint(4, (2, 7, 8), generator=torch.Generator().manual_seed(0))]


@pytest.mark.parametrize("border", ["all", "official"])
@pytest.mark.parametrize("background", [0, 9, None])
def test_kinds_of_pairs(border: Border, background: int | None) -> None:
    grid = PairGrid(7, 8, 3, border)
    labels = two_random_maps()
    kinds = pair_labels(labels, grid, background)
    pairs = pairs_of(grid, CPU)
    for b, flat in enumerate(labels.flatten(1).tolist()):
        for p, (i, j) in enumerate(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)):
            valid = flat[i] != 255 and flat[j] != 255
            expected = (
                valid and flat[i] == flat[j] == background,
                valid and flat[i] == flat[j] != background,
                valid and flat[i] != flat[j],
            )
            assert tuple(bool(kind[b, p]) for kind in kinds) == expected
    assert kinds.background.any() == (background is not None)
    assert kinds.foreground.any()
    assert kinds.negative.any()


@pytest.mark.parametrize("border", ["all", "official"])
def test_affinity_of_every_pair(border: Border) -> None:
    grid = PairGrid(6, 7, 3, border)
    features = torch.randn(2, 5, 6, 7, generator=torch.Generator().manual_seed(0))
    affinity = pair_affinity(features, grid)
    pairs = pairs_of(grid, CPU)
    flat = features.double().flatten(2)
    for p, (i, j) in enumerate(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)):
        for b in range(2):
            distance = sum(abs(float(x)) for x in flat[b, :, i] - flat[b, :, j]) / 5
            assert affinity[b, p].item() == pytest.approx(math.exp(-distance), abs=1e-6)
    assert affinity.shape == (2, len(pairs.first))


def test_equal_features_have_affinity_one_and_the_grid_must_fit() -> None:
    assert (pair_affinity(torch.ones(1, 3, 4, 4), PairGrid(4, 4, 3)) == 1).all()
    with pytest.raises(BenchmarkError, match="4 x 5 map were asked of a map of 4 x 4"):
        pair_affinity(torch.ones(1, 3, 4, 4), PairGrid(4, 5, 3))


def hand_made() -> tuple[Tensor, PairLabels]:
    affinity = torch.tensor([[0.9, 0.8, 0.3], [0.6, 0.2, 0.5]])
    kinds = torch.tensor([[0, 1, 2], [1, 2, 3]])  # 3 is no pair at all
    return affinity, PairLabels(kinds == 0, kinds == 1, kinds == 2)


def test_loss_by_hand() -> None:
    affinity, kinds = hand_made()
    background = -math.log(0.9)
    foreground = -(math.log(0.8) + math.log(0.6)) / 2
    negative = -(math.log(0.7) + math.log(0.8)) / 2
    loss = affinity_loss(affinity, kinds, WITH_BACKGROUND)
    assert loss.item() == pytest.approx(background / 4 + foreground / 4 + negative / 2, abs=3e-5)
    loss = affinity_loss(affinity, kinds, WITHOUT_BACKGROUND)
    assert loss.item() == pytest.approx(foreground / 2 + negative / 2, abs=3e-5)


def test_constants_of_the_released_loss() -> None:
    affinity = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    kinds = PairLabels(*(torch.tensor([row]) for row in ([False, False], [True, False], [False, True])))
    expected = -math.log(1e-5) / (1 + 1e-5)
    assert affinity_loss(affinity, kinds, WITHOUT_BACKGROUND).item() == pytest.approx(expected, rel=1e-6)


def test_kinds_without_pairs_have_no_loss_and_no_bad_gradient() -> None:
    affinity = torch.tensor([[0.0, 1.0, 0.5]], requires_grad=True)
    empty = torch.zeros(1, 3, dtype=torch.bool)
    loss = affinity_loss(affinity, PairLabels(empty, empty, empty))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss == 0
    assert affinity.grad is not None
    assert (affinity.grad == 0).all()


def test_taps_resize_to_the_chosen_map() -> None:
    maps = [torch.randn(2, 3, 10, 7), torch.randn(2, 5, 5, 4), torch.randn(2, 6, 3, 2)]
    for level, size in ((0, (10, 7)), (1, (5, 4)), (-1, (3, 2))):
        assert PooledTaps((3, 5, 6), (2, 3, 4), level)(maps).shape == (2, 9, *size)
    with pytest.raises(BenchmarkError, match="found 2 for 3 maps"):
        PooledTaps((3, 5, 6), (2, 3))


def test_head_is_two_layers_of_elu() -> None:
    torch.manual_seed(0)
    head = AffinityHead((3, 5), (2, 4))
    maps = [torch.randn(1, 3, 4, 5), torch.randn(1, 5, 4, 5)]

    def elu(x: Tensor) -> Tensor:
        return torch.where(x > 0, x, x.exp() - 1)

    weights = [head.get_parameter(f"taps.reduce.{i}.weight")[:, :, 0, 0] for i in (0, 1)]
    reduced = [elu(torch.einsum("oc,bchw->bohw", w, x)) for w, x in zip(weights, maps, strict=True)]
    expected = elu(torch.einsum("oc,bchw->bohw", head.mix.weight[:, :, 0, 0], torch.cat(reduced, 1)))
    torch.testing.assert_close(head(maps), expected)
    assert {name for name, _ in head.named_parameters()} == {f"taps.reduce.{i}.weight" for i in (0, 1)} | {"mix.weight"}
    assert head.mix.weight.abs().max() <= 4 * math.sqrt(6 / 12)


def test_default_sizes_are_those_of_psa() -> None:
    features = AffinityHead()([torch.ones(1, c, 2, 3) for c in (512, 1024, 4096)])
    assert features.shape == (1, 448, 2, 3)


def test_training_tells_classes_apart() -> None:
    torch.manual_seed(0)
    labels = torch.full((1, 8, 8), 3)
    labels[..., 4:] = 5
    labels[0, :, 3] = 255
    maps = [torch.randn(1, 4, 8, 8) + labels.eq(5)[:, None]]
    head, grid = AffinityHead((4,), (8,)), PairGrid(8, 8, 3)
    kinds = pair_labels(labels, grid, None)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    losses = []
    for _ in range(15):
        loss = affinity_loss(pair_affinity(head(maps), grid), kinds, WITHOUT_BACKGROUND)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    affinity = pair_affinity(head(maps), grid)
    assert affinity[kinds.foreground].mean() > affinity[kinds.negative].mean() + 0.2


def test_mixed_labels() -> None:
    base = torch.tensor([[1, 1, 255, 255, 255]], dtype=torch.uint8)
    mined = torch.tensor([[9, 255, 9, 9, 255]], dtype=torch.uint8)
    nonboundary = torch.tensor([[True, False, False, True, True]])
    mixed = mixed_labels(base, mined, nonboundary)
    assert mixed.dtype == torch.uint8
    assert mixed.tolist() == [[1, 1, 255, 9, 255]]
    kinds = pair_labels(mixed[None], PairGrid(1, 5, 5), None)
    assert kinds.foreground.sum() == 1  # the two base pixels
    assert kinds.negative.sum() == 2  # each with the mined one
