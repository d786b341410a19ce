"""How informative a dataset is: classes an image, unlabelled pixels, balance of the classes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.datasets.base import IGNORE, Dataset, Part


class Balance(NamedTuple):
    """Attributes of one part of a dataset.

    Attributes:
        classes_per_image: mean number of classes an image holds.
        void_share: share of the pixels without a class, 0..1.
        pixel_share: (K,) share of the labelled pixels that each class has; sums to 1.
        image_share: (K,) share of the images in which each class occurs.
    """

    classes_per_image: float
    void_share: float
    pixel_share: NDArray[np.float64]
    image_share: NDArray[np.float64]


def balance(dataset: Dataset, part: Part = "train") -> Balance:
    """Read every mask of a part and say how balanced they are."""
    pixels = np.stack(
        [np.bincount(dataset.mask(i).ravel(), minlength=IGNORE + 1) for i in dataset.ids(part)]
    )  # (n, 256)
    labelled = pixels[:, : len(dataset.info.classes)]
    return Balance(
        classes_per_image=float((labelled > 0).sum(axis=1).mean()),
        void_share=float(pixels[:, IGNORE].sum() / pixels.sum()),
        pixel_share=labelled.sum(axis=0) / labelled.sum(),
        image_share=(labelled > 0).mean(axis=0),
    )
