"""What stages do again and again, for measurements of their speed: nothing here imports torch."""

from typing import Any, get_args

from benchmark.files import canonical_json
from benchmark.stage import Change, Stage, Work
from methods.settings import Precision

SHAPE_FIELDS = (  # all that says how a network computes once it is trained
    "backbone",
    "backbone_width",
    "feature_channels",
    "hidden",
    "heads",
    "ffn",
    "layers",
    "queries",
    "pre_norm",
    "memory_stride",
    "class_seed",
)
HEAD_FIELDS = ("hidden", "dilation")  # likewise, of LargeFOV
IMAGE = Work(images=1)
OWN_WEIGHTS: Change = {"maskformer": {"weights": ""}, "weights_sha256": None}  # random ones are as fast as a file's


def training(
    section: str, batch: int, iterations: str = "iterations", *, precise: bool = False, kept: bool = False
) -> Work:
    """Return the work of a training.

    Args:
        section: its parameter with the schedule.
        batch: images of an iteration.
        iterations: name of the field that says how many there are.
        precise: whether the schedule has a precision.
        kept: whether it says how many networks are kept on the way.
    """
    on_the_way: dict[str, Any] = {section: {"snapshots": None}} if kept else {}
    return Work(
        images=batch,
        speed_neutral={**OWN_WEIGHTS, **on_the_way},
        shortened={section: {iterations: 1}},
        precisions={name: {section: {"precision": name}} for name in get_args(Precision)} if precise else {},
    )


def inference(model: Stage) -> Work:
    """Return the work of predicting images one by one with the network of a stage, the last or one on the way."""
    shapes = {"maskformer": SHAPE_FIELDS, "largefov": HEAD_FIELDS}
    network = {
        section: {name: model.params[section][name] for name in fields if name in model.params[section]}
        for section, fields in shapes.items()
        if section in model.params
    }
    return Work(images=1, network=canonical_json(network), speed_neutral={"iteration": None})
