"""Label mining, rule by rule, against the rules written as loops over pixels."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from methods.wsss.crf import IRN_CRF, dense_crf
from methods.wsss.mining import (
    MiningSettings,
    argmax_labels,
    background_and_cams,
    class_ids,
    combined,
    irn_labels,
    known_base,
    mine,
    pooled,
    psa_labels,
    seeds,
)

RNG = np.random.default_rng
TAGS = (3, 7, 120)


def cams(tags: int = 3, size: tuple[int, int] = (12, 16), seed: int = 0) -> NDArray[np.float32]:
    """Return blobs in [0, 1], one a tag, side by side."""
    height, width = size
    y, x = np.mgrid[:height, :width]
    centres = [(i + 0.5) * width / max(1, tags) for i in range(tags)]
    blobs = [np.exp(-((y - height / 2) ** 2 + (x - c) ** 2) / 12) for c in centres]
    noise = 0.05 * RNG(seed).random((tags, *size))
    return np.clip(np.reshape(blobs, (tags, *size)) + noise, 0, 1).astype(np.float32)


def image() -> NDArray[np.uint8]:
    """Return an image in which each of the three blobs has a colour of its own, on grey."""
    scores = cams()
    regions = np.where(scores.max(0) > 0.25, scores.argmax(0) + 1, 0)
    colours = np.array([[128, 128, 128], [250, 0, 0], [0, 250, 0], [0, 0, 250]])
    return (colours[regions] + RNG(1).integers(0, 4, (12, 16, 3))).astype(np.uint8)


def test_psa_rule_on_random_scores() -> None:
    rng = RNG(0)
    strong, weak = (rng.random((4, 9, 11)).astype(np.float32) for _ in range(2))
    strong[:, 0, :3] = weak[:, 0, :3] = 1e-6
    labels = psa_labels(strong, weak)
    for y, x in np.ndindex(9, 11):
        la, ha = strong[:, y, x].argmax(), weak[:, y, x].argmax()
        expected = la or 255
        expected = 0 if ha == 0 else expected
        expected = 255 if max(strong[:, y, x].max(), weak[:, y, x].max()) < 1e-5 else expected
        assert labels[y, x] == expected
    assert set(np.unique(labels)) == {0, 1, 2, 3, 255}


def test_irn_rule_on_random_maps() -> None:
    sure, likely = RNG(0).integers(0, 4, (2, 20, 20))
    labels = combined(sure, likely)
    for y, x in np.ndindex(20, 20):
        expected = sure[y, x] or (255 if likely[y, x] else 0)
        assert labels[y, x] == expected


def test_irn_labels_are_the_rule_on_refined_seeds() -> None:
    scores = cams()
    refined = []
    for threshold in (0.35, 0.17):
        hard = np.concatenate([np.full((1, 12, 16), threshold), scores]).argmax(0)
        unary = np.where(hard == np.arange(4)[:, None, None], 0.7, 0.1)
        refined.append(dense_crf(image(), unary, IRN_CRF, "exact").argmax(0))
    labels = irn_labels(image(), scores, 0.35, 0.17, backend="exact")
    assert np.array_equal(labels, combined(*refined))
    assert set(np.unique(labels)) == {0, 1, 2, 3}


def test_scores_and_seeds_of_the_background() -> None:
    scores = cams()
    stack = background_and_cams(scores, 4)
    np.testing.assert_allclose(stack[0], (1 - scores.max(0)) ** 4, rtol=1e-6)
    np.testing.assert_array_equal(stack[1:], scores)
    assert (background_and_cams(scores[:0], 4) == 1).all()
    hard = seeds(scores, 0.3)
    assert ((hard == 0) == (scores.max(0) <= 0.3)).all()
    assert (hard[hard > 0] == scores.argmax(0)[hard > 0] + 1).all()
    assert not seeds(scores[:0], 0.3).any()


def test_pooled_completes_the_border_with_zeros() -> None:
    scores = RNG(0).random((2, 9, 16)).astype(np.float32)
    result = pooled(scores)
    assert result.shape == (2, 2, 2)
    np.testing.assert_allclose(result[:, 0, 1], scores[:, :8, 8:].mean((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(result[:, 1, 0], scores[:, 8, :8].sum(1) / 64, rtol=1e-5)


def test_class_ids_keep_255_and_take_the_background_out() -> None:
    local = np.array([[0, 1, 3, 255]], np.uint8)
    assert class_ids(local, TAGS).tolist() == [[255, 3, 120, 255]]
    assert class_ids(local, (1, 2, 3), background=0).tolist() == [[0, 1, 3, 255]]


def test_argmax_over_tags_ignores_below_tau() -> None:
    scores = RNG(0).random((3, 8, 8)).astype(np.float32)
    labels = argmax_labels(scores, TAGS, 0.6)
    for y, x in np.ndindex(8, 8):
        best = int(scores[:, y, x].argmax())
        assert labels[y, x] == (TAGS[best] if scores[best, y, x] >= 0.6 else 255)
    assert set(np.unique(labels)) == {*TAGS, 255}
    assert (argmax_labels(scores[:0], (), 0.6) == 255).all()


def test_known_base_is_one_hot_and_stays_inside_its_mask() -> None:
    scores = RNG(0).random((3, 4, 4)).astype(np.float32)
    base_mask = np.full((4, 4), 255, np.uint8)
    base_mask[0], base_mask[1] = 3, 120
    known = known_base(scores, TAGS, base_mask)
    assert (known[:, 0] == np.array([1, 0, 0])[:, None]).all()
    assert (known[:, 1] == np.array([0, 0, 1])[:, None]).all()
    assert not known[[0, 2], 2:].any()
    np.testing.assert_array_equal(known[1, 2:], scores[1, 2:])
    with pytest.raises(ValueError, match=r"classes \[5\], which are no tags"):
        known_base(scores, TAGS, np.full((4, 4), 5))


@pytest.mark.parametrize("rule", ["irn", "psa"])
def test_mined_with_reject_says_nothing_where_the_background_wins(rule: Any) -> None:
    scores = cams()
    labels = mine(image(), scores, TAGS, MiningSettings(rule=rule, backend="exact"))
    assert set(np.unique(labels)) == {*TAGS, 255}
    if rule == "irn":
        local = irn_labels(image(), scores, 0.35, 0.17, backend="exact")
        assert np.array_equal(labels, class_ids(local, TAGS))
    else:
        strong = dense_crf(image(), background_and_cams(scores, 4), MiningSettings(rule="psa").crf, "exact")
        never = np.ones_like(strong) * np.array([0, 1, 1, 1])[:, None, None]  # no certain background
        assert np.array_equal(labels, class_ids(psa_labels(strong, never), TAGS))


@pytest.mark.parametrize("rule", ["irn", "psa"])
def test_mined_without_background_is_ignored_exactly_below_tau(rule: Any) -> None:
    scores = cams()
    labels = mine(image(), scores, TAGS, MiningSettings(rule=rule, background="none", tau=0.4, backend="exact"))
    assert np.array_equal(labels == 255, scores.max(0) < 0.4)
    assert set(np.unique(labels)) == {*TAGS, 255}


@pytest.mark.parametrize("rule", ["irn", "psa"])
def test_mined_with_base_keeps_the_mask_and_lets_novel_tags_compete(rule: Any) -> None:
    scores = cams()
    base_mask = np.full((12, 16), 255, np.uint8)
    base_mask[:, :6] = 3
    settings = MiningSettings(rule=rule, background="base", backend="exact")
    labels = mine(image(), scores, TAGS, settings, base_mask)
    assert (labels[:, :6] == 3).all()
    assert set(np.unique(labels[:, 6:])) == {7, 120, 255}
    alone = mine(image(), scores[:1], TAGS[:1], settings, base_mask)
    assert (alone[:, 6:] == 255).all()


def test_mined_base_classes_do_not_leave_their_mask_though_the_crf_spreads_them() -> None:
    flat = np.full((12, 16, 3), 128, np.uint8)
    base_mask = np.full((12, 16), 3, np.uint8)
    base_mask[5:7, 7:9] = 255
    scores = np.full((2, 12, 16), 0.4, np.float32)
    settings = MiningSettings(rule="psa", background="base", backend="exact")
    known = known_base(scores, (3, 7), base_mask)
    assert (dense_crf(flat, known, settings.crf, "exact").argmax(0) == 0).all()
    assert np.array_equal(mine(flat, scores, (3, 7), settings, base_mask), base_mask)


@pytest.mark.parametrize("background", ["reject", "none"])
@pytest.mark.parametrize("rule", ["irn", "psa"])
def test_without_tags_nothing_is_known(rule: Any, background: Any) -> None:
    labels = mine(image(), cams(0), (), MiningSettings(rule=rule, background=background))
    assert labels.dtype == np.uint8
    assert labels.shape == (12, 16)
    assert (labels == 255).all()
    assert (irn_labels(image(), cams(0)) == 255).all()
    assert (psa_labels(np.ones((1, 3, 3)), np.ones((1, 3, 3))) == 255).all()


def test_mining_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="do not fit 2 tags"):
        mine(image(), cams(), (1, 2), MiningSettings())
    with pytest.raises(ValueError, match="base mask"):
        mine(image(), cams(), TAGS, MiningSettings(background="base"))
    with pytest.raises(ValueError, match="base mask"):
        mine(image(), cams(), TAGS, MiningSettings(), np.full((12, 16), 255))


def test_crf_of_the_settings_is_scaled() -> None:
    crf = MiningSettings(rule="psa", crf_scale=0.1, crf_iterations=3).crf
    assert (crf.appearance_sxy, crf.appearance_srgb, crf.iterations) == (8, 13, 3)
