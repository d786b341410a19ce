"""The settings of RIB: one part a stage, and all of them together as the section ``rib`` of a profile.

A stage is given its own part and so cannot depend on a setting that is not in its key. Defaults are the released values
for COCO with what goes wrong there for many classes, or without a background class, mended [rib 4, 6].
Nothing here imports torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from benchmark.settings import not_identity
from methods.settings import Count, Natural, Positive, Share, Weight
from methods.wsss.settings import CrfBackend

Radius = Annotated[int, Field(ge=2)]


@dataclass(frozen=True)
class CamPart:
    """Where the classifier looks: the views of an image whose activations add up."""

    cam_scales: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1.0, 0.5, 1.5, 2.0)
    cam_flip: bool = True
    cam_last_stride: Literal[1, 2] = 1  # of the backbone's last stage; 2 is how it was trained


@dataclass(frozen=True)
class FinetunePart:
    """B, fine-tuning image by image. One step makes no update: plain class activation maps, "CAM+IRN" as a control."""

    steps: Count = 10
    lr: Positive = 5e-6  # of the backbone; VOC 8e-6
    classifier_multiplier: Weight = 10.0
    poly: Weight = 0.9
    weight_decay: Weight = 1e-4
    momentum: Annotated[float, Field(ge=0, lt=1)] = 1e-4  # the released SGD is given the weight decay; 0.9 was meant
    trained_stages: Count = 2  # the last ones; all before keep their weights
    unpooled_scales: tuple[Positive, ...] = (0.5,)  # give activations, but no logits
    tau: Share = 0.5  # VOC 0.4
    max_class: Count | None = None  # [rib 4.2] 20: only classes below are masked
    nonpositive: Literal["mean", "literal"] = "mean"
    companions: Count = 15  # a step; VOC 20
    companion_long_side: tuple[Count, Count] = (320, 640)
    companion_crop: Count = 512
    with_replacement: bool = True  # [rib 4.6]
    fewest_shared: bool = True  # [rib 4.6]
    stop_threshold: Positive = 1000.0  # VOC 600
    stop_rule: Literal["sum", "mean", "off"] = "mean"  # [rib 4.7]
    explode_rule: Literal["any", "per_class", "off"] = "per_class"  # [rib 4.8]
    explode_threshold: Share = 0.3
    explode_area: Share = 0.8  # VOC 0.7


@dataclass(frozen=True)
class BackgroundPart:
    """What the background of IRN is where every pixel has a class.

    ``reject`` lets it compete and says nothing where it wins; ``none`` has the tags alone compete; ``class`` makes a
    class of it, as released, from which the edges learn as from any other.
    """

    background: Literal["reject", "none", "class"] = "reject"


@dataclass(frozen=True)
class MiningPart(BackgroundPart):
    """C, confident labels for the edge network."""

    confident: Share = 0.35  # score of the background, or with "none" the activation below which nothing is said
    confident_background: Share = 0.17  # "class": surely background is what does not even beat this
    crf_scale: Positive = 1.0  # factor on the CRF's distances in pixels, for small images
    crf_iterations: Natural = 10
    crf_backend: CrfBackend = "auto"  # what is installed; the stage's parameters say which


@dataclass(frozen=True)
class HeadPart:
    """What the edge network looks like: a head on the frozen maps of the classifier's backbone, at stride 4."""

    edge_width: Count = 32
    edge_groups: Count = 4


@dataclass(frozen=True)
class EdgePart(HeadPart, BackgroundPart):
    """D, the edge network: AdamW in place of the released SGD, and the augmentation that all trainings share."""

    edge_iterations: Natural = 850  # 3 epochs of COCO-Stuff-10K
    edge_batch: Count = 32
    edge_lr: Positive = 1e-3
    edge_weight_decay: Weight = 1e-4
    edge_clip: Positive = 1.0
    edge_poly: Weight = 0.9
    edge_radius: Radius = 10
    edge_border: Literal["all", "official"] = "all"  # official: pixels at the border have fewer neighbours


@dataclass(frozen=True)
class RejectPart:
    """When a pixel has no label."""

    reject: Share = 0.22  # of the highest response in the image; a pixel below has none. VOC 0.27


@dataclass(frozen=True)
class WalkPart(HeadPart, RejectPart):
    """E, the random walk and the dense labels after it."""

    walk_radius: Radius = 5
    power: Positive = 1.3  # of the activation before the walk; IRN 1
    beta: Positive = 10.0
    steps_log2: Natural = 8


@dataclass(frozen=True)
class MergePart(RejectPart):
    """F, what becomes of the labels where base masks are known.

    ``all``: the highest response of all tags, which on an unknown pixel may be a base class, and then says nothing: RIB
    as weakly supervised segmentation knows it. ``novel``: novel tags compete among themselves on unknown pixels, and
    ``reject`` is of the highest response there; stronger, and no longer free of masks.
    """

    argmax: Literal["all", "novel"] = "all"


@dataclass(frozen=True)
class RibSettings(CamPart, FinetunePart, MiningPart, EdgePart, WalkPart, MergePart):
    """Reducing information bottleneck, for scenes of many classes."""

    seconds_per_iteration: Weight = not_identity(20.0)  # of the edge network; CPU seconds; for estimates only
    seconds_per_image: Weight = not_identity(750.0)  # of fine-tuning; CPU seconds; for estimates only


# What the released code does where the defaults mend it [rib 4].
OFFICIAL: Mapping[str, Any] = {
    "rib.max_class": 20,
    "rib.nonpositive": "literal",
    "rib.with_replacement": False,
    "rib.fewest_shared": False,
    "rib.stop_rule": "sum",
    "rib.explode_rule": "any",
    "rib.background": "class",
    "rib.edge_border": "official",
}
