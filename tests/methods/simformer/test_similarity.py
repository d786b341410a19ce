from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from methods.simformer.points import downsample
from methods.simformer.similarity import BalanceQueue, pixel_similarity_loss, similarity_loss
from methods.simformer.simnet import SimNet

SWAP = torch.tensor([1, 0])


def base_labels(released: Mapping[str, Any]) -> Tensor:
    """Return the golden label map at 16 x 16, its novel classes (8 and up) hidden."""
    labels = downsample(torch.from_numpy(released["label_map"]), (16, 16))
    return torch.where(labels < 8, labels, 255)


def test_golden_loss(released: Mapping[str, Any], golden_points: dict[str, Tensor], golden_simnet: SimNet) -> None:
    loss = pixel_similarity_loss(
        golden_simnet,
        torch.from_numpy(released["feat"]),
        golden_points["base"],
        base_labels(released),
        SWAP,
        BalanceQueue(),
    )
    assert loss.item() == pytest.approx(float(released["sim_cce"]), abs=1e-5)


def test_golden_balance_weights(released: Mapping[str, Any]) -> None:
    balance = BalanceQueue()
    for counts, weights in zip(released["bal_counts"], released["bal_weights"], strict=True):
        balance.append(torch.from_numpy(counts))
        torch.testing.assert_close(balance.weights(), torch.from_numpy(weights), atol=1e-6, rtol=0)


def test_balance_counts_every_fifth_point_before_use() -> None:
    same = torch.zeros(2, 10, 10, dtype=torch.bool)
    same[:, 0, 0] = True  # on the 2 x 2 sub-grid of each image
    same[:, 1:5, 1:5] = True  # off it
    weights = BalanceQueue()(same)
    assert torch.equal(weights[same], torch.full((34,), 7 / 10))
    assert torch.equal(weights[~same], torch.full((166,), 3 / 10))


def test_balance_is_in_the_checkpoint() -> None:
    first, second = BalanceQueue(), BalanceQueue()
    for i in range(30):
        first.append(torch.tensor([i, 2 * i + 1]))
    second.load_state_dict(first.state_dict())
    for balance in (first, second):
        balance.append(torch.tensor([5, 6]))
    assert torch.equal(first.weights(), second.weights())
    assert first.counts.sum(0)[0] == sum(range(6, 30)) + 5


def expected_loss(similarity: Tensor, labels: Tensor, valid_rule: str) -> float:
    """Compute the loss pair by pair, images 0 and 1 being partners."""
    count = labels.shape[1]
    grid = [(b, i, j) for b in range(2) for i in range(count) for j in range(count)]
    same = {(b, i, j): labels[b, i] == labels[1 - b, j] for b, i, j in grid}
    positive = 1 + sum(bool(same[b, i, j]) for b, i, j in grid if i % 5 == 0 and j % 5 == 0)
    negative = 1 + sum(not same[b, i, j] for b, i, j in grid if i % 5 == 0 and j % 5 == 0)
    total = valid = 0.0
    for b, i, j in grid:
        ends = [bool(labels[b, i] != 255), bool(labels[1 - b, j] != 255)]
        if any(ends) if valid_rule == "or" else all(ends):
            p = float(similarity[b, i, j])
            chance = torch.tensor(p if same[b, i, j] else 1 - p, dtype=torch.float64)
            weight = (negative if same[b, i, j] else positive) / (positive + negative)
            total -= weight * max(float(chance.log()), -100)
            valid += 1
    return total / max(valid, 1e-5)


@pytest.mark.parametrize("valid_rule", ["or", "and"])
def test_loss_pair_by_pair(valid_rule: str) -> None:
    torch.manual_seed(0)
    labels = torch.tensor([[0, 0, 1, 255, 255, 1, 0], [0, 255, 1, 2, 255, 0, 2]])
    similarity = torch.rand(2, 7, 7)
    similarity[0, 0, 0] = 0  # same class: the logarithm is cut off at -100
    loss = similarity_loss(similarity, labels, SWAP, BalanceQueue(), valid_rule)  # type: ignore[arg-type]
    assert loss.item() == pytest.approx(expected_loss(similarity, labels, valid_rule), rel=1e-5)


def test_without_base_pixels_the_loss_is_zero() -> None:
    labels = torch.full((2, 6), 255)
    assert similarity_loss(torch.rand(2, 6, 6), labels, SWAP, BalanceQueue()).item() == 0


@pytest.mark.parametrize("detach", [True, False])
def test_gradient_reaches_the_segmenter_only_when_asked(detach: bool) -> None:
    features = torch.randn(2, 4, 5, 5, requires_grad=True)
    upstream = features * 2
    simnet = SimNet(4, 4, 1)
    points, labels = torch.randint(25, (2, 10)), torch.randint(3, (2, 5, 5))
    loss = pixel_similarity_loss(simnet, upstream, points, labels, SWAP, BalanceQueue(), detach_features=detach)
    loss.backward()  # type: ignore[no-untyped-call]
    assert (features.grad is None) == detach
    assert all(p.grad is not None for p in simnet.parameters())
