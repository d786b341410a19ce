from collections import Counter

import numpy as np
import pytest

from methods.simformer.pairs import PairSampler

NOVEL = frozenset({10, 11, 12})


def partners(labels: list[set[int]], index: int, draws: int = 300, **options: str) -> Counter[int]:
    sampler = PairSampler([frozenset(x) for x in labels], NOVEL, **options)  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    return Counter(sampler.partner(index, rng) for _ in range(draws))


def random_labels(images: int, seed: int = 0) -> list[frozenset[int]]:
    rng = np.random.default_rng(seed)
    return [frozenset(np.flatnonzero(rng.random(13) < 0.25).tolist()) for _ in range(images)]


@pytest.mark.parametrize("sampler", ["official", "deconf_fixed"])
def test_partners_share_exactly_one_novel_class_where_they_can(sampler: str) -> None:
    labels = random_labels(200)
    pairs = PairSampler(labels, NOVEL, sampler)  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    enough = 2 if sampler == "official" else 1
    for index in (i for i, x in enumerate(labels) if len(x & NOVEL) >= enough):
        for _ in range(5):
            partner = pairs.partner(index, rng)
            assert len(labels[index] & labels[partner] & NOVEL) == 1
            assert partner != index


@pytest.mark.parametrize("sampler", ["official", "deconf_fixed"])
def test_partners_depend_on_the_generator_alone(sampler: str) -> None:
    labels = random_labels(1200)
    first, second = (PairSampler(labels, NOVEL, sampler, seed=3) for _ in range(2))  # type: ignore[arg-type]
    order = np.random.default_rng(1).permutation(1200)[:100].tolist()
    forward = {i: first.partner(i, np.random.default_rng(i)) for i in order}
    backward = {i: second.partner(i, np.random.default_rng(i)) for i in reversed(order)}
    assert forward == backward


@pytest.mark.parametrize("sampler", ["official", "deconf_fixed"])
def test_classes_are_drawn_uniformly_and_the_rarest_a_little_more(sampler: str) -> None:
    labels = [{10, 11}] + [{10}] * 3 + [{11}] * 40 + [{12}]
    draws = 20_000
    counts = partners(labels, 0, draws, sampler=sampler)
    rare = sum(counts[i] for i in range(1, 4))
    expected = 0.01 + 0.99 / 2
    assert rare / draws == pytest.approx(expected, abs=4 * (0.25 / draws) ** 0.5)
    assert rare + sum(counts[i] for i in range(4, 44)) == draws
    each = np.array([counts[i] for i in range(4, 44)])
    mean = each.mean()
    assert ((each - mean) ** 2 / mean).sum() < 73  # 0.1 % point of chi square at 39 degrees of freedom


def test_official_never_uses_the_list_of_an_image_with_one_novel_class() -> None:
    labels = [{0, 10}, {1, 10}, {0}, {0, 11}]
    assert set(partners(labels, 0, sampler="official")) == {2, 3}
    assert set(partners(labels, 0, sampler="deconf_fixed")) == {1}


def test_official_falls_back_to_the_image_itself() -> None:
    assert set(partners([{0, 10}, {1, 10}], 0, sampler="official")) == {0}  # nobody else shares a base class
    assert set(partners([{10, 11}, {10, 11}, {12}], 0, sampler="official")) == {0}  # nobody shares exactly one
    assert set(partners([{0}, {0}], 0, sampler="official")) == {1}
    assert set(partners([set(), {0}], 0, sampler="official")) == {0}


def test_official_may_choose_a_class_without_candidates() -> None:
    counts = partners([{10, 11}, {10}], 0, 4000, sampler="official")
    assert counts[1] / 4000 == pytest.approx(0.505, abs=0.04)
    assert counts[0] + counts[1] == 4000


def test_fixed_falls_back_step_by_step() -> None:
    labels = [{0, 10, 11}, {10}, {10, 11}, {0}, {1}]
    assert set(partners(labels, 0, sampler="deconf_fixed")) == {1}
    assert set(partners([labels[0], *labels[2:]], 0, sampler="deconf_fixed")) == {1}  # shares both novel classes
    assert set(partners([labels[0], *labels[3:]], 0, sampler="deconf_fixed")) == {1}  # shares a base class
    assert set(partners([labels[0], *labels[4:]], 0, sampler="deconf_fixed")) == {0}
    assert set(partners([{0}, {0, 10}, {1}], 0, sampler="deconf_fixed")) == {1}  # no novel class of its own


def released_list(candidates: int, cap: int, rng: np.random.Generator) -> list[int]:
    """Build a list the way the released code does."""
    kept: list[int] = []
    for candidate in range(candidates):
        kept.append(candidate)
        if len(kept) > cap:
            del kept[rng.integers(cap)]
    return kept


def test_capped_lists_forget_early_files_as_released() -> None:
    images = 1501
    labels = [frozenset({10, 11}), *[frozenset({10})] * images]
    thirds = np.zeros(3)
    reference = np.zeros(3)
    repeats = 10
    rng = np.random.default_rng(0)
    for seed in range(repeats):
        kept = PairSampler(labels, NOVEL, seed=seed)._capped(np.arange(images), 500, 0, 10)
        assert len(set(kept.tolist())) == 500
        thirds += np.bincount(kept * 3 // images, minlength=3)
        reference += np.bincount(np.array(released_list(images, 500, rng)) * 3 // images, minlength=3)
    assert np.abs(thirds - reference).max() / repeats < 20
    assert thirds / repeats == pytest.approx([68, 109, 323], abs=15)


def test_official_lists_are_capped_and_the_same_at_every_call() -> None:
    labels = [{10, 11}] + [{10}] * 700 + [{11}]
    few = partners(labels, 0, 15_000, sampler="official")
    assert len(few) == 501
    labels = [{0}] * 300
    assert len(partners(labels, 0, 2500, sampler="official")) in {49, 50}  # the image itself may be on its list
    assert len(partners(labels, 0, 2500, sampler="deconf_fixed")) == 299
