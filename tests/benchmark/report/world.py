"""Synthetic test sets of the paper's classes, networks scored on them, and tables printed from their counts.

What a table prints is computed here pixel count by pixel count in plain Python, the right way or with a mistake in it,
so that nothing of the code under test says what is true.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics import Counts
from benchmark.plan import PlannedCell
from benchmark.splits import class_names, splits
from benchmark.tables import Table, load_table

DATASET = "coco-stuff-10k"
K = len(class_names(DATASET))
SPLITS = splits(DATASET)
IMAGES = 60
PIXELS = 10_000  # of an image

Ints = NDArray[np.int32]
Mistake = Callable[[Counts, Iterable[int]], float]


class TestSet(NamedTuple):
    """Ground truth of the images; no image shows a class of ``absent``."""

    truth: Ints  # (IMAGES, K)
    ignored: Ints  # (IMAGES,)
    ease: NDArray[np.float64]  # (K,), by which classes differ
    absent: tuple[int, ...]


def draw_test_set(absent: Iterable[int] = (), ignored: float = 0.1) -> TestSet:
    """Return images of twenty classes each; every class that is not absent is shown, ``ignored`` is a share, 0..1."""
    rng = np.random.default_rng(0)
    absent = tuple(absent)
    shown = np.array([c for c in range(K) if c not in absent])
    truth = np.zeros((IMAGES, K), np.int32)
    for i in range(IMAGES):
        chosen = {*rng.choice(shown, 20, replace=False), shown[(3 * i) % len(shown)], shown[(3 * i + 1) % len(shown)]}
        chosen |= {shown[(3 * i + 2) % len(shown)]}
        truth[i, list(chosen)] = rng.multinomial(
            round((1 - ignored) * PIXELS), rng.dirichlet(np.full(len(chosen), 4.0))
        )
    rest = PIXELS - truth.sum(axis=1)
    return TestSet(truth, rest.astype(np.int32), rng.uniform(0.2, 0.9, K), absent)


def score(test: TestSet, skill: float, seed: list[int], false_alarms: bool) -> Counts:
    """Return the counts of a network: of each class a share is found, the rest becomes other classes of the image.

    With ``false_alarms`` it also becomes classes that no image shows.
    """
    rng = np.random.default_rng(seed)
    share = np.clip(test.ease * skill + rng.normal(0, 0.02, K), 0.02, 0.98)
    hits = np.floor(test.truth * share).astype(np.int32)
    wrong = test.truth.sum(axis=1) - hits.sum(axis=1)
    prediction, on_ignored = hits.copy(), np.zeros_like(hits)
    for i in range(IMAGES):
        candidates = [*np.flatnonzero(test.truth[i]), *(test.absent if false_alarms else ())]
        even = np.full(len(candidates), 1 / len(candidates))
        prediction[i, candidates] += rng.multinomial(wrong[i], even).astype(np.int32)
        on_ignored[i, candidates] += rng.multinomial(test.ignored[i], even).astype(np.int32)
    ids = tuple(f"{i:012d}" for i in range(IMAGES))
    return Counts(ids, hits, prediction, test.truth, on_ignored)


SKILL = {"RETAB*": 0.55, "SimFormer": 0.65, "SimFormer*": 0.75, "FullyOracle": 0.95}


def scorer(test: TestSet, false_alarms: bool = False) -> Callable[[PlannedCell], Counts]:
    """Return a function from a cell of Table 3 to its counts; more novel classes are harder for all but FullyOracle."""

    @cache
    def scored(row: str, split: str, seed: int) -> Counts:
        number = int(split[1:])
        harder = 0.0 if row == "FullyOracle" else 0.02 * number
        return score(test, SKILL[row] - harder, [seed, number, list(SKILL).index(row)], false_alarms)

    return lambda cell: scored(cell.row, cell.split, cell.seed)


def mean_over(ids: Iterable[int], value: Callable[[int], float | None]) -> float:
    return 100 * fmean(one for c in ids if (one := value(c)) is not None)


def right(counts: Counts, ids: Iterable[int]) -> float:
    """Pooled over the images, classes without ground truth left out."""
    return mean_over(ids, lambda c: _pooled_iou(counts, c))


def with_ignored(counts: Counts, ids: Iterable[int]) -> float:
    """Return the mean where the ignore index is wrong: predictions on ignored pixels are errors."""

    def value(c: int) -> float | None:
        union = sum(int(array[:, c].sum()) for array in (counts.ground_truth, counts.prediction)) + int(
            counts.prediction_on_ignored[:, c].sum()
        )
        hits = int(counts.intersection[:, c].sum())
        return hits / (union - hits) if counts.ground_truth[:, c].any() else None

    return mean_over(ids, value)


def with_every_class(counts: Counts, ids: Iterable[int]) -> float:
    """Return the mean where the divisor is wrong: classes without ground truth are zeros."""
    return mean_over(ids, lambda c: _pooled_iou(counts, c) or 0.0)


def per_image(counts: Counts, ids: Iterable[int]) -> float:
    """Return the mean over images of each image's own mean."""
    ids, means = list(ids), []
    for row in zip(counts.intersection, counts.prediction, counts.ground_truth, strict=True):
        values = [hits[c] / (found[c] + true[c] - hits[c]) for hits, found, true in [row] for c in ids if true[c]]
        means += [fmean(map(float, values))] if values else []
    return 100 * fmean(means)


def _pooled_iou(counts: Counts, c: int) -> float | None:
    hits, found, true = (
        int(array[:, c].sum()) for array in (counts.intersection, counts.prediction, counts.ground_truth)
    )
    return hits / (found + true - hits) if true else None


def print_table(
    counts: Callable[[PlannedCell], Counts],
    mistake: Mistake = right,
    swapped: Mapping[tuple[str, str], str] | None = None,
    digits: Callable[[float], float] = lambda value: round(value, 1),
    seeds: Iterable[int] = (0, 1, 2),
) -> Table:
    """Return Table 3 as it would be printed from these counts.

    Args:
        counts: of a cell.
        mistake: how the mean is computed.
        swapped: (row, column) -> split whose novel classes are taken.
        digits: what becomes of a number on paper.
        seeds: over which a cell is averaged.
    """
    table = load_table("3")
    printed: dict[str, tuple[float, ...]] = {}
    for row in table.rows:
        for column in table.columns:
            split = (swapped or {}).get((row.label, column.label), column.split)
            values = [mistake(counts(_cell(row.label, column.split, seed)), SPLITS[split].novel) for seed in seeds]
            printed[row.label] = (*printed.get(row.label, ()), digits(fmean(values)))
    return table.model_copy(update={"paper": printed})


def _cell(row: str, split: str, seed: int) -> Any:
    return PlannedCell("3", row, "", "", "", split, seed, None, None)
