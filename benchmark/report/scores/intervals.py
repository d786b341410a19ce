"""How precisely a result is known: intervals over seeds, and over the test images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics import Counts, resampled_iou
from benchmark.report.claims.tolerance import SeedSpread, rules
from benchmark.report.scores.estimates import CellEstimate, Results

if TYPE_CHECKING:
    from benchmark.datasets.base import Split

MOST_SEEDS = 100  # beyond that no number of seeds is named

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """Both ends, in points of mIoU."""

    low: float
    high: float

    @property
    def sign(self) -> int:
        """+1 or -1 where all of it lies on that side of zero, else 0."""
        return 1 if self.low > 0 else -1 if self.high < 0 else 0


@dataclass(frozen=True)
class SeedMean:
    """The mean of a result over seeds, and what its spread is taken to be.

    Attributes:
        mean: over the seeds, in points of mIoU.
        n: number of results; seeds that share one count once.
        sd: standard deviation of a single result; ``None`` where one result alone cannot tell and nothing is assumed.
        df: degrees of freedom of ``sd``.
    """

    mean: float
    n: int
    sd: float | None
    df: float

    @property
    def interval(self) -> Interval | None:
        """The t interval for the mean over all seeds there could be."""
        half = self.half_width(self.n)
        return None if half is None else Interval(self.mean - half, self.mean + half)

    def half_width(self, n: int) -> float | None:
        """Return the half-width of the interval that n seeds would have if mean and spread stayed as they are."""
        if self.sd is None:
            return None
        if self.sd == 0.0:
            return 0.0
        from scipy.special import stdtrit  # the quantile of Student's t, without the second that scipy.stats takes

        return float(stdtrit(self.df + n - self.n, rules().tail)) * self.sd / float(n**0.5)

    def needed(self, decides: Callable[[Interval], bool]) -> int | None:
        """Return the least number of seeds, up to ``MOST_SEEDS``, whose interval around the present mean decides."""
        for n in range(self.n + 1, MOST_SEEDS + 1):
            half = self.half_width(n)
            if half is not None and decides(Interval(self.mean - half, self.mean + half)):
                return n
        return None


def seed_mean(
    values: Sequence[float], assumed: SeedSpread | None, *, times: float = 1.0, fixed: bool = False
) -> SeedMean:
    """Return the mean of results of different seeds, at least one, and their spread.

    The variance is that of the results and the assumed one, weighed by their degrees of freedom (the moderated t
    statistic of Smyth, 2004): one seed rests on the assumption alone, many hardly feel it.

    Args:
        values: one for each result.
        assumed: what is known beforehand; with ``None`` the results speak alone.
        times: what the assumed standard deviation is multiplied by: that of a difference is larger.
        fixed: whether no seed plays a part, so that repeating would give the same again.
    """
    mean, n = fmean(values), len(values)
    if fixed:
        return SeedMean(mean, n, 0.0, np.inf)
    squares = sum((value - mean) ** 2 for value in values)
    weight, prior = (assumed.weight, assumed.sd * times) if assumed else (0.0, 0.0)
    df = weight + n - 1
    return SeedMean(mean, n, float(((weight * prior**2 + squares) / df) ** 0.5) if df else None, df)


@cache
def image_weights(images: int) -> NDArray[np.int64]:
    """Return how often each of R resamples holds each of n images, drawn with replacement: int64 (R, n)."""
    if not images:
        return np.zeros((rules().resamples, 0), np.int64)
    rng = np.random.default_rng(rules().seed)
    return rng.multinomial(images, np.full(images, 1 / images), size=rules().resamples)


class Draws(NamedTuple):
    """One evaluation, its test images drawn again and again.

    Attributes:
        images: digest of the ids of the images, in order: draws over the same ones can be paired.
        miou: split -> mean novel IoU in percent of each resample, float64 (R,); NaN where it shows no novel class.
    """

    images: str
    miou: Mapping[str, Floats]


def draw(counts: Counts, splits: "Sequence[Split]", images: str) -> Draws:
    """Return the draws of one evaluation for the given splits: its images are resampled, then pooled, then averaged."""
    values = resampled_iou(counts, image_weights(len(counts.image_ids)))
    means = {split.name: _mean_present(values[:, list(split.novel)]) for split in splits}
    return Draws(images, means)


def image_interval(center: float, draws: Floats) -> Interval | None:
    """Return the percentiles of the draws, shifted so that their mean is the estimate.

    A resample that lacks a rare class leaves it out of the mean, which moves all draws to one side. ``None`` where no
    resample shows a novel class.
    """
    known = draws[~np.isnan(draws)]
    if not known.size:
        return None
    low, high = np.quantile(known, (1 - rules().tail, rules().tail)) - known.mean() + center
    return Interval(float(low), float(high))


def _mean_present(values: Floats) -> Floats:
    """Return the mean of each row over what is no NaN, times 100; NaN for rows of nothing else."""
    present = ~np.isnan(values)
    counted = present.sum(axis=1)
    means = np.full(len(values), np.nan)
    np.divide(np.where(present, values, 0.0).sum(axis=1), counted, out=means, where=counted > 0)
    return 100.0 * means


def over_seeds(results: Results, cell: CellEstimate) -> SeedMean | None:
    """Return the mean over seeds and its spread; seeds that share a result count once. ``None`` without a result."""
    values = _values(cell)
    return seed_mean(list(values.values()), results.assumed, fixed=cell.seedless) if values else None


def over_images(results: Results, cell: CellEstimate, draws: Mapping[str, Draws]) -> Interval | None:
    """Return the interval of the mean over test images; ``None`` without a result.

    Args:
        results, cell: whose.
        draws: key of an evaluation -> what its test images, drawn again, give.
    """
    values = _values(cell)
    if not values:
        return None
    split = results.splits[cell.column].name
    mean = sum(values.values()) / len(values)
    return image_interval(mean, np.mean([draws[key].miou[split] for key in values], axis=0))


def _values(cell: CellEstimate) -> dict[str, float]:
    """Return key of an evaluation -> novel mIoU."""
    return {cell.keys[seed]: scores.novel for seed, scores in cell.scores.items()}
