"""How precisely a run knows a cell of its table: intervals of its mean over seeds and over test images."""

from collections.abc import Mapping

import numpy as np

from benchmark.report.scores.estimates import Estimate, Results
from benchmark.report.scores.intervals import Draws, Interval, SeedMean, image_interval, seed_mean


def over_seeds(results: Results, cell: Estimate) -> SeedMean | None:
    """Return the mean over seeds and its spread; seeds that share a result count once. ``None`` without a result."""
    values = _values(cell)
    return seed_mean(list(values.values()), results.assumed, fixed=cell.seedless) if values else None


def over_images(results: Results, cell: Estimate, draws: Mapping[str, Draws]) -> Interval | None:
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


def _values(cell: Estimate) -> dict[str, float]:
    """Return key of an evaluation -> novel mIoU."""
    return {cell.keys[seed]: scores.novel for seed, scores in cell.scores.items()}
