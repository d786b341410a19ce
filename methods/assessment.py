"""How good label maps of the training images are, before anything learns from them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmark.datasets.base import Mask
from benchmark.labels import mask_path, read_mask
from benchmark.metrics import CountsBuilder, overall_miou
from benchmark.stage import StageContext


def assess(context: StageContext) -> Mapping[str, Any]:
    """Stage function: writes ``counts.npz`` of the label maps in input stage ``labels``, over the training images.

    A pixel without a label (an id that is no class) counts as a miss wherever the ground truth has one. Returns, over
    pixels with ground truth, the share that has a label and the share of these that is right.
    """
    dataset = context.dataset()
    classes = len(dataset.info.classes)
    counts = CountsBuilder(classes, partial=True)
    ids = dataset.ids("train")
    for done, image_id in enumerate(ids, start=1):
        truth = dataset.mask(image_id)
        counts.add(image_id, _labels(context, image_id, truth.shape, classes), truth)
        context.progress(done, len(ids))
    result = counts.build()
    result.save(context.out / "counts.npz")
    labelled = int(result.prediction.sum())
    return {
        "miou": overall_miou(result),
        "images": len(ids),
        "labelled_share": labelled / max(1, int(result.ground_truth.sum())),
        "right_where_labelled": int(result.intersection.sum()) / max(1, labelled),
    }


def _labels(context: StageContext, image_id: str, size: tuple[int, ...], classes: int) -> Mask:
    labels = read_mask(mask_path(context.inputs["labels"], image_id), size)
    return np.where(labels < classes, labels, np.uint8(CountsBuilder.NO_LABEL))
