"""How precisely a run knows a cell of its table: intervals of its mean over seeds and over test images."""

from collections.abc import Mapping

import numpy as np

from benchmark.report.scores.estimates import Estimate, Sheet
from benchmark.report.scores.intervals import Draws, Interval, SeedMean, image_interval, seed_mean


def over_seeds(sheet: Sheet, cell: Estimate) -> SeedMean | None:
    """Return the mean over seeds and its spread; seeds that share a result count once. ``None`` without a result."""
    results = _results(cell)
    return seed_mean(list(results.values()), sheet.assumed, fixed=cell.seedless) if results else None


def over_images(sheet: Sheet, cell: Estimate, draws: Mapping[str, Draws]) -> Interval | None:
    """Return the interval of the mean over test images; ``None`` without a result.

    Args:
        sheet, cell: whose.
        draws: key of an evaluation -> what its test images, drawn again, give.
    """
    results = _results(cell)
    if not results:
        return None
    split = sheet.splits[cell.column].name
    mean = sum(results.values()) / len(results)
    return image_interval(mean, np.mean([draws[key].miou[split] for key in results], axis=0))


def _results(cell: Estimate) -> dict[str, float]:
    """Return key of an evaluation -> novel mIoU."""
    return {cell.keys[seed]: scores.novel for seed, scores in cell.scores.items()}
