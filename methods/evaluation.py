"""Prediction on the test images, kept as integer counts [6.3, 6.4]."""

from collections.abc import Mapping
from typing import Any

from benchmark.metrics import CountsBuilder, overall_miou
from benchmark.stage import StageContext
from methods.checkpoints import MODEL_FILE, load_model
from methods.prediction import predict
from methods.settings import InputSettings, from_json
from methods.snapshots import snapshot_file


def evaluate(context: StageContext) -> Mapping[str, Any]:
    """Stage function: writes ``counts.npz`` for the network of input stage ``model`` over one part of the dataset.

    With a parameter ``iteration`` it is the network that the training kept after so many of them.
    """
    dataset = context.dataset()
    classes = len(dataset.info.classes)
    settings = from_json(InputSettings, context.params["input"])
    file = snapshot_file(context.params["iteration"]) if "iteration" in context.params else MODEL_FILE
    model = load_model(context.inputs["model"] / file, context.device)
    counts = CountsBuilder(classes)
    ids = dataset.ids(context.params["part"])
    for done, image_id in enumerate(ids):
        counts.add(image_id, predict(model, dataset.image(image_id), settings), dataset.mask(image_id))
        context.progress(done + 1, len(ids))
    result = counts.build()
    result.save(context.out / "counts.npz")
    return {"miou": overall_miou(result), "images": len(ids)}
