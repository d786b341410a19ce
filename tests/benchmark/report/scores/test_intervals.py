"""Intervals over seeds and over test images."""

import numpy as np
import pytest
from scipy import stats

from benchmark.datasets.base import Split
from benchmark.metrics import Counts, mean_iou
from benchmark.report.claims.tolerance import SeedSpread, rules
from benchmark.report.scores.intervals import Draws, Interval, SeedMean, draw, image_interval, image_weights, seed_mean

ASSUMED = SeedSpread(sd=0.7, weight=4, source="a test")
SPLIT = Split("mini", "S1", (0, 1), (2, 3))


def test_without_an_assumption_it_is_students_interval() -> None:
    values = [30.0, 31.5, 30.5, 29.0]
    expected = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert seed_mean(values, None).interval == pytest.approx(expected)


def test_one_result_without_an_assumption_has_no_interval() -> None:
    alone = seed_mean([30.0], None)
    assert (alone.mean, alone.sd, alone.interval) == (30.0, None, None)
    assert alone.needed(lambda _: True) is None


def test_an_assumption_is_a_spread_that_weighs_degrees_of_freedom() -> None:
    three = seed_mean([29.0, 30.0, 31.0], ASSUMED)
    assert three.sd == pytest.approx(((4 * 0.7**2 + 2.0) / 6) ** 0.5)
    assert three.df == 6
    assert three.half_width(3) == pytest.approx(stats.t.ppf(0.975, 6) * (three.sd or 0) / 3**0.5)
    assert seed_mean([29.0, 30.0, 31.0], ASSUMED, times=2).sd == pytest.approx(((4 * 1.4**2 + 2.0) / 6) ** 0.5)


def test_more_seeds_that_spread_as_assumed_make_the_interval_narrower() -> None:
    widths = [seed_mean([30.0], ASSUMED).half_width(1)]
    widths += [seed_mean([30.0 - 0.7, 30.0 + 0.7] * n, ASSUMED).half_width(2 * n) for n in (1, 2, 5)]
    known = [width for width in widths if width]
    assert len(known) == 4
    assert known == sorted(known, reverse=True)


def test_a_result_in_which_no_seed_matters_is_exact() -> None:
    assert seed_mean([30.0], ASSUMED, fixed=True).interval == (30.0, 30.0)


def test_the_number_of_seeds_that_would_decide_is_the_least() -> None:
    mean = SeedMean(1.0, 2, 1.0, 5.0)
    needed = mean.needed(lambda interval: interval.low > 0)
    assert needed
    at, before = mean.half_width(needed), mean.half_width(needed - 1)
    assert at
    assert before
    assert at < 1.0 <= before


@pytest.mark.parametrize(("low", "high", "sign"), [(0.1, 2.0, 1), (-2.0, -0.1, -1), (-1.0, 1.0, 0), (0.0, 0.0, 0)])
def test_the_sign_of_an_interval_is_that_of_all_of_it(low: float, high: float, sign: int) -> None:
    assert Interval(low, high).sign == sign


@pytest.fixture
def counts() -> Counts:
    """Forty images of four classes; class 1 is seen on two of them alone."""
    rng = np.random.default_rng(0)
    truth = rng.integers(50, 100, (40, 4)).astype(np.int32)
    truth[2:, 1] = 0
    hits = (truth * rng.uniform(0.2, 0.8, truth.shape)).astype(np.int32)
    return Counts(tuple(map(str, range(40))), hits, hits + 5, truth, np.zeros_like(truth))


def drawn(counts: Counts) -> Draws:
    return draw(counts, [SPLIT], "the same")


def test_a_resample_is_images_drawn_again_and_pooled(counts: Counts) -> None:
    values, weights = drawn(counts).miou["S1"], image_weights(40)
    assert values.shape == (rules().resamples,)
    assert (weights.sum(axis=1) == 40).all()
    for resample in (0, 1, 500):
        again = np.repeat(np.arange(40), weights[resample])
        arrays = (counts.intersection, counts.prediction, counts.ground_truth, counts.prediction_on_ignored)
        picture = Counts(tuple(map(str, again)), *(array[again] for array in arrays))
        assert values[resample] == pytest.approx(mean_iou(picture, SPLIT.novel))


def test_the_interval_over_images_lies_around_the_estimate(counts: Counts) -> None:
    """One resample in seven lacks the rare class, whose IoU is far from the other's: the draws are moved as a whole."""
    rare = counts.intersection.copy()
    rare[:2, 1] = 1
    odd = Counts(counts.image_ids, rare, counts.prediction, counts.ground_truth, counts.prediction_on_ignored)
    center, values = mean_iou(odd, SPLIT.novel), drawn(odd).miou["S1"]
    assert abs(values.mean() - center) > 1
    interval = image_interval(center, values)
    assert interval
    assert (interval.low + values.mean() - center, interval.high + values.mean() - center) == pytest.approx(
        tuple(np.quantile(values, (0.025, 0.975)))
    )


def test_draws_repeat_and_are_paired_between_networks_on_the_same_images(counts: Counts) -> None:
    better = Counts(
        counts.image_ids,
        counts.intersection + 4 * (counts.ground_truth > 0).astype(np.int32),
        counts.prediction,
        counts.ground_truth,
        counts.prediction_on_ignored,
    )
    one, other = drawn(counts).miou["S1"], drawn(better).miou["S1"]
    assert (one == drawn(counts).miou["S1"]).all()
    alone, paired = (image_interval(0.0, values) for values in (other, other - one))
    assert alone
    assert paired
    assert paired.high - paired.low < 0.2 * (alone.high - alone.low)


def test_images_without_a_novel_class_have_no_interval() -> None:
    assert image_interval(0.0, np.full(100, np.nan)) is None
    nothing = np.zeros((0, 4), np.int32)
    empty = drawn(Counts((), nothing, nothing, nothing, nothing))
    assert np.isnan(empty.miou["S1"]).all()
