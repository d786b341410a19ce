"""Bipartite matching against the released code, and its column-order fault."""

import pytest
import torch
from torch import Tensor

from benchmark.errors import BenchmarkError
from methods.maskformer.matching import (
    MatchCosts,
    Target,
    downsampled_masks,
    mask_cost,
    match,
    match_layers,
)
from tests.methods.maskformer.cases import blocks, output_of, perfect_output, random_output, target_of, vanishing


@pytest.mark.parametrize("column_order", ["fixed", "official"])
def test_matches_as_the_released_code(
    golden: dict[str, Tensor], golden_targets: list[Target], column_order: str
) -> None:
    costs = MatchCosts(column_order=column_order)  # type: ignore[arg-type]
    found = match(golden["logits"], golden["pred_masks"], golden_targets, costs)
    for image, (query, target) in enumerate(found):
        assert query.tolist() == golden[f"match{image}_q"].tolist()
        assert target.tolist() == golden[f"match{image}_t"].tolist()


def test_costs_equal_the_formulas_pair_by_pair() -> None:
    torch.manual_seed(0)
    m, t = 3 * torch.randn(2, 3, 50), (torch.rand(2, 4, 50) < 0.3).float()
    cost = mask_cost(m, t, MatchCosts(mask_weight=20.0, dice_weight=2.0))
    for b, n, k in [(0, 0, 0), (1, 2, 3), (0, 1, 2)]:
        p, y = m[b, n].sigmoid(), t[b, k]
        ce = -(y * p.log() + (1 - y) * (1 - p).log())
        focal = ((0.25 * y + 0.75 * (1 - y)) * (y * (1 - p) + (1 - y) * p) ** 2 * ce).mean()
        dice = 1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1)
        torch.testing.assert_close(cost[b, n, k], 20 * focal + 2 * dice)


def test_a_vanishing_base_mask_shifts_the_columns_only_in_official_order() -> None:
    target = vanishing()
    output = perfect_output(target, queries=4, classes=4)
    fixed = match_layers(output, [target])[0][0]
    official = match_layers(output, [target], MatchCosts(column_order="official"))[0][0]
    assert dict(zip(fixed.query.tolist(), fixed.target.tolist(), strict=True)) == {0: 0, 1: 1, 2: 2, 3: 3}
    assert dict(zip(official.query.tolist(), official.target.tolist(), strict=True)) == {0: 0, 1: 2, 2: 1, 3: 3}


def test_a_target_without_mask_takes_the_query_of_its_class_whatever_the_masks_say() -> None:
    target = target_of(blocks("33", "33"), range(4), novel=[3])
    logits = torch.zeros(1, 5, 5)
    logits[0, 4, 3] = 1.0
    found = match(logits, torch.randn(1, 5, 4, 4), [target])[0]
    assert (found.query.tolist(), found.target.tolist()) == ([4], [0])


def test_all_layers_at_once_equal_one_by_one() -> None:
    torch.manual_seed(1)
    output = random_output(layers=3, images=3, queries=7, classes=4, size=4)
    targets = [target_of(blocks(*rows), range(4), [2, 3]) for rows in (("01", "23"), ("..", ".."), ("33", "01"))]
    together = match_layers(output, targets)
    for layer, images in enumerate(together):
        alone = match(output.logits[layer], output.masks[layer], targets)
        for one, other in zip(images, alone, strict=True):
            assert one.query.tolist() == other.query.tolist()
            assert one.target.tolist() == other.target.tolist()
    assert [len(a.query) for a in together[0]] == [4, 0, 3]


def test_no_target_anywhere() -> None:
    output = random_output(layers=2, images=2, queries=3, classes=4, size=4)
    empty = target_of(blocks("..", ".."), range(4), [])
    assert all(len(a.query) == len(a.target) == 0 for images in match_layers(output, [empty, empty]) for a in images)


def test_more_targets_than_queries_is_an_error() -> None:
    output = random_output(layers=1, images=1, queries=2, classes=4, size=4)
    with pytest.raises(BenchmarkError, match="3 classes but the network only 2 queries"):
        match_layers(output, [target_of(blocks("01", "2."), range(4), [])])


def test_a_diverged_network_is_matched_somehow() -> None:
    logits = torch.full((1, 1, 3, 5), float("nan"))
    found = match_layers(output_of(logits, torch.randn(1, 1, 3, 4, 4)), [target_of(blocks("01", "2."), range(4), [])])
    assert sorted(found[0][0].target.tolist()) == [0, 1, 2]


def test_masks_are_sampled_at_floor_of_index_times_ratio() -> None:
    target = target_of(torch.arange(25).view(5, 5), range(25), [])
    small = downsampled_masks([target], (2, 2))[0]
    assert small.nonzero().tolist() == [[0, 0], [2, 1], [10, 2], [12, 3]]
