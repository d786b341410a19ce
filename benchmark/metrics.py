"""Pixels counted per image and class, and the mean IoU of any set of classes computed from these counts alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, get_args

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import BenchmarkError, unknown

EVALUATOR_VERSION = 1  # raised by hand whenever the same masks would give other counts or another mean
COUNTS_FILE = "counts.npz"  # every evaluation stage writes it

Convention = Literal["paper", "detectron2", "mmseg"]
Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

_ARRAYS = ("intersection", "prediction", "ground_truth", "prediction_on_ignored")


class Pooled(NamedTuple):
    """The arrays of ``Counts`` summed over the images: int64 (K,) each."""

    intersection: NDArray[np.int64]
    prediction: NDArray[np.int64]
    ground_truth: NDArray[np.int64]
    prediction_on_ignored: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Counts:
    """Pixel counts of n test images over K classes; every mIoU, split, subset or resample is a function of these.

    Pixels whose ground truth is ignored are in none of the first three arrays, only in ``prediction_on_ignored``.

    Attributes:
        image_ids: n identifiers, in the order of the rows.
        intersection: int32 (n, K), pixels predicted as the class and of the class.
        prediction: int32 (n, K), pixels predicted as the class.
        ground_truth: int32 (n, K), pixels of the class.
        prediction_on_ignored: int32 (n, K), pixels predicted as the class where the ground truth is ignored.
    """

    image_ids: tuple[str, ...]
    intersection: Ints
    prediction: Ints
    ground_truth: Ints
    prediction_on_ignored: Ints

    @property
    def classes(self) -> int:
        """K, the number of classes."""
        return int(self.intersection.shape[1])

    @cached_property
    def pooled(self) -> Pooled:
        """Sums over the images."""
        return Pooled(*(getattr(self, name).sum(axis=0, dtype=np.int64) for name in _ARRAYS))

    def equals(self, other: "Counts") -> bool:
        """Return whether these are the same images with the same counts."""
        same = (np.array_equal(getattr(self, name), getattr(other, name)) for name in _ARRAYS)
        return self.image_ids == other.image_ids and all(same)

    def save(self, path: Path) -> None:
        """Write a compressed ``.npz`` without pickles; the same counts give the same bytes."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        with path.open("wb") as file:
            np.savez_compressed(
                file, version=np.int64(EVALUATOR_VERSION), image_ids=np.array(self.image_ids, dtype=np.str_), **arrays
            )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what ``save`` wrote. Raises BenchmarkError for a broken file or one of another evaluator version."""
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                found = {name: file[name] for name in ("version", "image_ids", *_ARRAYS)}
        except FileNotFoundError as error:
            raise BenchmarkError(f"{path}: no such file. {_way_out(path)}") from error
        except Exception as error:  # zipfile, zlib and numpy have many words for damage
            raise BenchmarkError(
                f"{path}: the file of counts is damaged ({type(error).__name__}). {_way_out(path)}"
            ) from error
        _check(path, found)
        ids = tuple(str(name) for name in found["image_ids"])
        return cls(ids, *(found[name] for name in _ARRAYS))


def _check(path: Path, found: dict[str, NDArray[Any]]) -> None:
    """Refuse counts of another evaluator version and arrays that do not fit together."""
    if int(found["version"]) != EVALUATOR_VERSION:
        raise BenchmarkError(
            f"{path}: counted by evaluator version {int(found['version'])}, this is version {EVALUATOR_VERSION}; "
            f"numbers of two versions are not mixed. {_way_out(path)}"
        )
    shapes = {name: found[name].shape for name in _ARRAYS}
    if len(set(shapes.values())) != 1 or found["intersection"].shape[:1] != found["image_ids"].shape:
        raise BenchmarkError(f"{path}: arrays of unequal shapes {shapes}. {_way_out(path)}")
    if any(found[name].dtype != np.int32 or (found[name] < 0).any() for name in _ARRAYS):
        raise BenchmarkError(f"{path}: holds what is no number of pixels. {_way_out(path)}")
    if (found["intersection"] > np.minimum(found["prediction"], found["ground_truth"])).any():
        raise BenchmarkError(f"{path}: more pixels are right than there are. {_way_out(path)}")
    if len(np.unique(found["image_ids"])) != len(found["image_ids"]):
        raise BenchmarkError(f"{path}: an image is counted twice. {_way_out(path)}")


def _way_out(path: Path) -> str:
    return f"Delete the folder {path.parent} and run again."


class CountsBuilder:
    """Collects the counts of one image at a time.

    With ``partial`` a prediction may be ``NO_LABEL``: predicted as no class, it is a miss of the true one.
    """

    NO_LABEL = 255

    def __init__(self, classes: int, ignore: int = 255, *, partial: bool = False) -> None:
        self._classes = classes
        self._ignore = ignore
        self._partial = partial
        self._rows: dict[str, NDArray[np.int32]] = {}  # image id -> (4, K), in the order of _ARRAYS

    def add(self, image_id: str, prediction: NDArray[Any], ground_truth: NDArray[Any]) -> None:
        """Count one image: both arrays (H, W) of integers, the ground truth in 0..K-1 or ``ignore``.

        Raises BenchmarkError for an image that was counted before, another size, or an id out of range.
        """
        if image_id in self._rows:
            raise BenchmarkError(f"image {image_id!r} was counted already; an image counts once.")
        if prediction.shape != ground_truth.shape:
            raise BenchmarkError(
                f"image {image_id!r}: prediction of size {prediction.shape}, ground truth of size "
                f"{ground_truth.shape}; predict at the size of the ground truth."
            )
        # One joint histogram: row = true class (row K: ignored), column = predicted class (column K: no label).
        K = self._classes
        ignored = ground_truth == self._ignore
        self._check_ids(image_id, "ground truth", ground_truth[~ignored])
        if self._partial:
            prediction = np.where(prediction == self.NO_LABEL, K, prediction)
            self._check_ids(image_id, "prediction", prediction[prediction != K])
        else:
            self._check_ids(image_id, "prediction", prediction)
        rows = np.where(ignored, K, ground_truth).astype(np.intp)
        rows *= K + 1
        rows += prediction
        joint = np.bincount(rows.ravel(), minlength=(K + 1) ** 2).reshape(K + 1, K + 1)
        known = joint[:K]
        row = (np.diagonal(known), known.sum(axis=0)[:K], known.sum(axis=1), joint[K, :K])
        self._rows[image_id] = np.stack(row).astype(np.int32)

    def build(self) -> Counts:
        """Return the counts of the images added so far, in that order."""
        rows = np.array(list(self._rows.values()), dtype=np.int32).reshape(-1, len(_ARRAYS), self._classes)
        return Counts(tuple(self._rows), *(np.ascontiguousarray(rows[:, i]) for i in range(len(_ARRAYS))))

    def _check_ids(self, image_id: str, what: str, ids: NDArray[Any]) -> None:
        if not np.issubdtype(ids.dtype, np.integer):
            raise BenchmarkError(f"image {image_id!r}: {what} of type {ids.dtype}; class ids are integers.")
        low, high = (int(ids.min()), int(ids.max())) if ids.size else (0, 0)
        if low < 0 or high >= self._classes:
            ignore = f" or {self._ignore} (ignored)" if what == "ground truth" else ""
            raise BenchmarkError(
                f"image {image_id!r}: {what} holds class id {low if low < 0 else high}; expected "
                f"0..{self._classes - 1}{ignore}. Check the class list and the label conversion."
            )


def iou(counts: Counts) -> Floats:
    """Return the IoU of each class pooled over the images: float64 (K,) in 0..1, NaN where the ground truth has none.

    The rule of the paper: intersection / (ground truth + prediction - intersection), ignored pixels left out.
    """
    pooled = counts.pooled
    return iou_of(pooled.intersection, pooled.prediction, pooled.ground_truth)


def iou_of(intersection: NDArray[Any], prediction: NDArray[Any], truth: NDArray[Any]) -> Floats:
    """Return intersection / (truth + prediction - intersection), NaN where truth is 0; three arrays of one shape."""
    values = np.full(intersection.shape, np.nan)
    np.divide(intersection, truth + prediction - intersection, out=values, where=truth > 0)
    return values


def resampled_iou(counts: Counts, weights: NDArray[Any]) -> Floats:
    """Return the pooled IoU of each class in resamples of the images: float64 (R, K) in 0..1, NaN as in ``iou``.

    Args:
        counts: of n images.
        weights: (R, n), how often each of R resamples holds each image.
    """
    arrays = (counts.intersection, counts.prediction, counts.ground_truth)
    sums = weights.astype(np.float64) @ np.concatenate(arrays, axis=1).astype(np.float64)  # exact: below 2**53
    return iou_of(*np.split(sums, len(arrays), axis=1))


def mean_iou(counts: Counts, class_ids: Iterable[int], convention: Convention = "paper") -> float:
    """Return the mean IoU in percent (0..100) of the given classes: novel, base or any other set.

    The conventions differ in what becomes of a class that is absent from the ground truth of the whole test set:

    - ``paper``: left out, predicted or not (the novel and the base mIoU of SimFormer's evaluator);
    - ``detectron2``: left out, predicted or not (current detectron2; a mean over a subset is the same as the paper's);
    - ``mmseg``: left out when it was never predicted either; predicted anywhere outside ignored pixels it counts as 0.

    Raises BenchmarkError for an id out of range and where no class is left to average.
    """
    ids = _class_ids(counts, class_ids)
    kept = averaged(counts, convention)
    return _mean(np.nan_to_num(iou(counts))[ids], kept[ids], ids)


def overall_miou(counts: Counts, convention: Convention = "paper") -> float:
    """Return the mean IoU in percent over all K classes, as the evaluator of that convention prints it.

    Here ``paper`` differs from ``detectron2``: SimFormer's evaluator divides the sum of the IoUs by the number of
    classes in the ground truth *or* predicted, so that a class absent from the ground truth lowers the overall mIoU
    although it does not enter the novel or base mIoU. On all classes this is the rule of mmseg.
    """
    return mean_iou(counts, range(counts.classes), "mmseg" if convention == "paper" else convention)


def averaged(counts: Counts, convention: Convention) -> NDArray[np.bool_]:
    """Return which classes a mean over all of them runs over, bool (K,). Raises BenchmarkError as ``mean_iou``."""
    if convention not in get_args(Convention):
        raise unknown("convention for the mean IoU", convention, get_args(Convention))
    _, prediction, truth, _ = counts.pooled
    return (truth + prediction > 0) if convention == "mmseg" else (truth > 0)


def _class_ids(counts: Counts, class_ids: Iterable[int]) -> list[int]:
    ids = sorted(set(class_ids))
    wrong = [c for c in ids if not 0 <= c < counts.classes]
    if wrong:
        raise BenchmarkError(f"class ids {wrong} are out of range; the counts have classes 0..{counts.classes - 1}.")
    return ids


def _mean(values: Floats, kept: NDArray[np.bool_], ids: list[int]) -> float:
    if not kept.any():
        raise BenchmarkError(
            f"none of the classes {ids} occurs in the ground truth that was evaluated, so they have no mean IoU. "
            f"Evaluate more images or choose another split."
        )
    return float(100.0 * values[kept].mean())
