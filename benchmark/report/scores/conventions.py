"""Ways in which a mean IoU is computed from counts: named conventions, and mistakes that people make.

All are functions of the stored counts, so that a table can be read in each of them without images or networks.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.datasets.base import Split
from benchmark.metrics import Convention, Counts, averaged, iou, iou_of

Floats = NDArray[np.float64]
Ids = NDArray[np.intp]
ClassSet = Literal["novel", "base", "all"]


# What a mean runs over: m IoUs, 0..1, their classes, and the numbers of their images from 0, ascending, (m,) each. It
# first runs over the classes of each image, then over the images; numbers are all 0 where images are pooled before.
Terms = tuple[Floats, Ids, Ids]
Sets = Mapping[tuple[str, ClassSet], NDArray[np.bool_]]  # split and kind of its classes -> which these are, (K,)


class Reading(NamedTuple):
    """A way to compute the number of a cell.

    Attributes:
        name: short, as in the header of a CSV.
        words: what is done.
        terms: the IoUs of an evaluation and which of them count.
        classes: over which classes of the split the mean runs.
    """

    name: str
    words: str
    terms: Callable[[Counts], Terms]
    classes: ClassSet = "novel"


def _pooled(values: Floats, kept: NDArray[np.bool_]) -> Terms:
    """Return the terms of pooled images from the IoU of every class, NaN as 0, and which of them count, (K,) each."""
    classes = kept.nonzero()[0]
    return np.nan_to_num(values[classes]), classes, np.zeros_like(classes)


def _by(convention: Convention) -> Callable[[Counts], Terms]:
    return lambda counts: _pooled(iou(counts), averaged(counts, convention))


_by_paper = _by("paper")


def _every_class_counts(counts: Counts) -> Terms:
    return _pooled(iou(counts), np.ones(counts.classes, np.bool_))


def _ignored_as_errors(counts: Counts) -> Terms:
    pooled = counts.pooled
    predicted = pooled.prediction + pooled.prediction_on_ignored
    return _pooled(iou_of(pooled.intersection, predicted, pooled.ground_truth), averaged(counts, "paper"))


def _image_by_image(counts: Counts) -> Terms:
    images, classes = counts.ground_truth.nonzero()
    arrays = (counts.intersection, counts.prediction, counts.ground_truth)
    return iou_of(*(array[images, classes] for array in arrays)), classes, images


READINGS = (
    Reading("paper", "classes that the ground truth lacks are left out", _by_paper),
    Reading("detectron2", "the same, for a mean over some of the classes", _by("detectron2")),
    Reading("mmseg", "classes that the ground truth lacks count as 0 if predicted anywhere", _by("mmseg")),
    Reading("divisor", "wrong divisor: classes that the ground truth lacks count as 0", _every_class_counts),
    Reading("ignored", "wrong ignore index: predictions on ignored pixels count as errors", _ignored_as_errors),
    Reading("per_image", "mean over images of each image's own mean IoU, not pooled", _image_by_image),
    Reading("base", "the base classes of the split in place of the novel ones", _by_paper, "base"),
    Reading("all", "all classes in place of the novel ones", _by_paper, "all"),
)


def class_sets(splits: Mapping[str, Split], classes: int) -> Sets:
    """Return the sets that means run over: novel, base and all classes of every split."""
    return {
        (split.name, kind): np.isin(np.arange(classes), ids)
        for split in splits.values()
        for kind, ids in _kinds(split, classes)
    }


def _kinds(split: Split, classes: int) -> tuple[tuple[ClassSet, Sequence[int]], ...]:
    return ("novel", split.novel), ("base", split.base), ("all", range(classes))


def read_all(
    counts: Counts, sets: Sets, readings: Iterable[Reading] = READINGS
) -> Mapping[str, Mapping[tuple[str, ClassSet], float]]:
    """Return name of a reading -> set -> mean IoU in percent over it, NaN over nothing."""
    members = np.array(list(sets.values()))  # (S, K)
    known: dict[Callable[[Counts], Terms], Mapping[tuple[str, ClassSet], float]] = {}
    for reading in readings:
        if reading.terms not in known:
            means = _means(reading.terms(counts), members)
            known[reading.terms] = dict(zip(sets, means.tolist(), strict=True))
    return {reading.name: known[reading.terms] for reading in readings}


def _means(terms: Terms, members: NDArray[np.bool_]) -> Floats:
    """Return the mean over each set, NaN over nothing; members bool (S, K)."""
    values, classes, images = terms
    if not values.size:
        return np.full(len(members), np.nan)
    inside = members[:, classes]  # (S, m)
    starts = np.flatnonzero(np.diff(images, prepend=-1))  # of each image
    counted = np.add.reduceat(inside, starts, axis=1, dtype=np.float64)  # (S, images)
    sums = np.add.reduceat(inside * values, starts, axis=1)
    np.divide(sums, counted, out=sums, where=counted > 0)  # the mean of each image; 0 where it counts nowhere
    images = (counted > 0).sum(axis=1)
    means = np.full(len(members), np.nan)
    np.divide(sums.sum(axis=1), images, out=means, where=images > 0)
    return 100.0 * means
