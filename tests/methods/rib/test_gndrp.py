"""RIB's parts against loops over every class and place, random and odd cases."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from methods.rib.gndrp import draw_companions, exploded, gndrp, tag_logits, target_reached

TAGGED = torch.tensor([[True, False, True, False, True], [False, False, False, True, True]])


def maps() -> Tensor:
    """Return maps (2, 5, 4, 3) of either sign; one tagged map is nowhere positive."""
    result = torch.randn(2, 5, 4, 3, generator=torch.Generator().manual_seed(0))
    result[0, 4] = -result[0, 4].abs() - 0.1
    return result


def gndrp_by_hand(m: Tensor, tagged: Tensor, tau: float, max_class: int = 1000, *, guard: bool = True) -> Tensor:
    logits = torch.zeros(m.shape[:2])
    for b in range(m.shape[0]):
        for k in range(m.shape[1]):
            values = m[b, k].flatten().tolist()
            peak, total = max(values), 0.0
            for value in values:
                everything = not tagged[b, k] or k >= max_class or (guard and peak <= 0)
                total += value if everything or value / peak < tau else 0.0
            logits[b, k] = total / len(values)
    return logits


@pytest.mark.parametrize("tau", [0.0, 0.4, 0.5, 1.5])
def test_gndrp_on_random_maps(tau: float) -> None:
    torch.testing.assert_close(gndrp(maps(), TAGGED, tau), gndrp_by_hand(maps(), TAGGED, tau))


def test_gndrp_of_the_released_code_masks_few_classes() -> None:
    mine = gndrp(maps(), TAGGED, 0.4, max_class=3, nonpositive="literal")
    torch.testing.assert_close(mine, gndrp_by_hand(maps(), TAGGED, 0.4, 3, guard=False))
    torch.testing.assert_close(mine[:, 3:], maps()[:, 3:].mean((2, 3)))
    assert not torch.isclose(mine[0, 0], maps()[0, 0].mean())


def test_gndrp_of_maps_nowhere_positive() -> None:
    m = maps().requires_grad_()
    for nonpositive, expected in (("mean", maps()[0, 4].mean()), ("literal", torch.tensor(0.0))):
        logit = gndrp(m, TAGGED, 0.4, nonpositive=nonpositive)[0, 4]  # type: ignore[arg-type]
        torch.testing.assert_close(logit, expected)
        (gradient,) = torch.autograd.grad(logit, m)
        assert bool(gradient.any()) == (nonpositive == "mean")
    assert gndrp(torch.zeros(1, 1, 2, 2), torch.ones(1, 1).bool(), 0.4).item() == 0


def test_gndrp_gradient_is_even_over_what_is_kept() -> None:
    m = maps().requires_grad_()
    gndrp(m, TAGGED, 0.4)[0, 0].backward()  # type: ignore[no-untyped-call]
    assert m.grad is not None
    kept = maps()[0, 0] / maps()[0, 0].max() < 0.4
    torch.testing.assert_close(m.grad[0, 0], kept / 12)
    assert m.grad.count_nonzero() == kept.sum()


def test_gndrp_keeps_more_as_tau_grows() -> None:
    m = maps().abs()
    logits = [gndrp(m, TAGGED, tau)[TAGGED] for tau in (0.0, 0.2, 0.4, 0.8, 1.01)]
    assert all((low <= high).all() for low, high in itertools.pairwise(logits))
    torch.testing.assert_close(logits[-1], m.mean((2, 3))[TAGGED])


def test_loss_is_the_plain_sum_over_tags() -> None:
    logits = torch.randn(2, 5)
    expected = sum(logits[r, k] for r in range(2) for k in range(5) if TAGGED[r, k])
    torch.testing.assert_close(tag_logits(logits, TAGGED), expected)


@pytest.mark.parametrize("rule", ["any", "per_class", "off"])
def test_explode_test_on_random_activations(rule: Any) -> None:
    rng = np.random.default_rng(0)
    answers = set()
    for _ in range(60):
        activation = rng.random((3, 4, 5)).astype(np.float32) ** rng.integers(1, 6)
        activation[0] *= rng.random() < 0.8  # a tag may be silent
        area = float(rng.uniform(0.3, 1))
        high = [[a > 0.3 * m.max() if m.max() > 0 else False for a in m.ravel()] for m in activation]
        shares = {
            "any": sum(map(any, zip(*high, strict=True))) / 20,
            "per_class": max(sum(row) / 20 for row in high),
            "off": 0,
        }
        answer = exploded(torch.from_numpy(activation), 0.3, area, rule)
        assert answer == (shares[rule] > area)
        answers.add(answer)
    assert answers == ({False} if rule == "off" else {False, True})
    assert not exploded(torch.zeros(0, 4, 5), 0.3, 0.1, rule)


def test_many_tags_fill_a_scene_without_any_of_them_spreading() -> None:
    quarters = torch.zeros(4, 4, 4)
    for i in range(4):
        quarters[i, i] = 1
    assert exploded(quarters, 0.3, 0.8, "any")
    assert not exploded(quarters, 0.3, 0.8, "per_class")


def test_stop_rules() -> None:
    tagged = torch.zeros(6, 9, dtype=torch.bool)
    tagged[:, :3] = True
    logits = torch.where(tagged, -40.0, 1e6)  # sum -720 over 18 pairs
    assert target_reached(logits, tagged, 719.0, "sum")
    assert not target_reached(logits, tagged, 721.0, "sum")
    assert target_reached(logits, tagged, 359.0, "mean")  # 359 / 9 < 40
    assert not target_reached(logits, tagged, 361.0, "mean")
    assert not target_reached(logits, tagged, 0.0, "off")


def test_mean_stop_rule_does_not_depend_on_the_number_of_tags() -> None:
    for tags in (1, 4, 9):
        tagged = torch.arange(9).expand(6, 9) < tags
        assert target_reached(torch.full((6, 9), 70.0), tagged, 600.0, "mean")
        assert not target_reached(torch.full((6, 9), 60.0), tagged, 600.0, "mean")


def tag_matrix(images: int = 60, share: float = 0.2) -> np.ndarray:
    tags: np.ndarray = np.random.default_rng(0).random((images, 8)) < share
    tags[0, :2] = True
    return tags


def draw(tags: np.ndarray, batch: int, steps: int, seed: int = 0, **switches: bool) -> Any:
    return draw_companions(tags, 0, batch, steps, np.random.default_rng(seed), **switches)


def test_companions_share_no_tag_and_are_all_of_them() -> None:
    tags = tag_matrix()
    own = set(np.flatnonzero(tags[0]))
    expected = {i for i in range(60) if not own & set(np.flatnonzero(tags[i]))}
    drawn = draw(tags, 1, 1000, with_replacement=False)
    assert sorted(drawn.batches.ravel()) == sorted(expected)
    assert (drawn.disjoint, drawn.sharing, drawn.reused) == (len(expected), 0, False)


def test_literal_companions_drop_the_incomplete_batch_and_may_be_none() -> None:
    tags = tag_matrix()
    literal = {"with_replacement": False, "fewest_shared": False}
    count = draw(tags, 1, 1).disjoint
    drawn = draw(tags, 7, 10, **literal)
    assert drawn.batches.shape == (count // 7, 7)
    assert draw(np.ones((5, 3), bool), 2, 10, **literal).batches.shape == (0, 2)


def test_companions_are_used_again_only_where_they_run_out() -> None:
    tags = tag_matrix()
    count = draw(tags, 1, 1).disjoint
    enough, short = draw(tags, 4, count // 4), draw(tags, 7, 10)
    assert not enough.reused
    assert len(np.unique(enough.batches)) == enough.batches.size
    assert short.reused
    assert short.batches.shape == (10, 7)
    uses = np.unique(short.batches, return_counts=True)[1]
    assert len(uses) == count
    assert uses.max() - uses.min() <= 1


def test_companions_fall_back_to_those_that_share_the_fewest_tags() -> None:
    tags = np.zeros((8, 6), bool)
    tags[0, :4] = True
    tags[1, 4] = True  # shares none
    tags[2:4, 0] = True  # one
    tags[4:, :3] = True  # three
    drawn = draw(tags, 4, 2)
    assert (drawn.disjoint, drawn.sharing) == (1, 3)
    assert {1, 2, 3} < set(drawn.batches[0])
    assert len({int(i) for seed in range(20) for i in draw(tags, 4, 2, seed).batches.ravel()}) == 7
    assert set(draw(tags, 4, 2, fewest_shared=False).batches.ravel()) == {1}


def test_a_lonely_image_has_no_companions() -> None:
    assert draw(np.ones((1, 3), bool), 2, 5).batches.shape == (0, 2)


def test_companions_are_a_function_of_the_generator() -> None:
    first, again, other = (draw(tag_matrix(), 4, 3, seed).batches for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
