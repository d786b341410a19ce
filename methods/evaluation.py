"""Prediction on the test images, kept as integer counts [6.3, 6.4], or of single images as label maps."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmark.datasets.base import Image
from benchmark.labels import mask_path, write_mask
from benchmark.metrics import CountsBuilder, overall_miou
from benchmark.settings import from_json
from benchmark.stage import StageContext
from methods.prediction import predict
from methods.settings import InputSettings
from methods.training.snapshots import snapshot_file
from methods.weights.checkpoints import MODEL_FILE, load_model

Predictor = Callable[[Image], np.ndarray]


def evaluate(context: StageContext) -> Mapping[str, Any]:
    """Stage function: writes ``counts.npz`` for the network of input stage ``model`` over one part of the dataset.

    With a parameter ``iteration`` it is the network that the training kept after so many of them.
    """
    dataset = context.dataset()
    predicted = _predictor(context)
    counts = CountsBuilder(len(dataset.info.classes))
    ids = dataset.ids(context.params["part"])
    for done, image_id in enumerate(ids):
        counts.add(image_id, predicted(dataset.image(image_id)), dataset.mask(image_id))
        context.progress(done + 1, len(ids))
    result = counts.build()
    result.save(context.out / "counts.npz")
    return {"miou": overall_miou(result), "images": len(ids)}


def predict_images(context: StageContext) -> Mapping[str, Any]:
    """Stage function: writes a label map of each of ``images``, predicted by the network that ``evaluate`` counts."""
    dataset = context.dataset()
    predicted = _predictor(context)
    ids = context.params["images"]
    for done, image_id in enumerate(ids):
        write_mask(mask_path(context.out, image_id), predicted(dataset.image(image_id)).astype(np.uint8))
        context.progress(done + 1, len(ids))
    return {"images": len(ids)}


def _predictor(context: StageContext) -> Predictor:
    """Return the function from an image to its class ids, (H0, W0)."""
    settings = from_json(InputSettings, context.params["input"])
    file = snapshot_file(context.params["iteration"]) if "iteration" in context.params else MODEL_FILE
    model = load_model(context.inputs["model"] / file, context.device)
    return lambda image: predict(model, image, settings)
