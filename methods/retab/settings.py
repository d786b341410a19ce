"""The settings of RETAB: one part a stage, and all of them together as the section ``retab`` of a profile.

A stage is given its own part and so cannot depend on a setting that is not in its key. Defaults follow the released
code where it says something, and the adaptation to base masks (specification retab, section 7c) where it cannot: RETAB
was made for images that have all masks or none, and for one background class. Nothing here imports torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from pydantic import Field

from methods.settings import Count, Natural, Positive, Share, Sizes, Weight, to_json


@dataclass(frozen=True)
class CamPart:
    """S0, class activation maps of the pre-trained classifier. Neither split nor seed is in their key."""

    cam_flavour: Literal["psa", "irn"] = "psa"
    cam_scales: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1.0, 0.5, 1.5, 2.0)
    cam_flip: bool = True
    cam_last_stride: Literal[1, 2] = 1  # of the backbone's last stage; 2 is how it was trained


@dataclass(frozen=True)
class NetworkPart:
    """What both networks look like: 1x1 convolutions on the last feature maps of the backbone."""

    stride: Count = 8  # of the working grid; one of the maps has it
    widths: Sizes = (64, 128, 256)  # of the taps on the last maps, finest first


@dataclass(frozen=True)
class TrainingPart(NetworkPart):
    """How both networks are trained: AdamW in place of the released SGD without momentum."""

    batch: Count = 8
    weight_decay: Weight = 5e-4
    backbone_lr_multiplier: Weight = 0.1  # 0 freezes the backbone
    freeze_norms: bool = True  # batch norms of the backbone keep their statistics and weights
    clip: Positive = 1.0
    warmup: Natural = 0
    poly: Weight = 0.9


@dataclass(frozen=True)
class RadiusPart:
    """How wide a contour is."""

    boundary_radius: Count = 3  # pixels to either side of a contour that are boundary


@dataclass(frozen=True)
class BoundaryPart(TrainingPart, RadiusPart):
    """S1, the boundary network."""

    boundary_iterations: Natural = 9_000  # 8 epochs of COCO-Stuff-10K
    boundary_lr: Positive = 1e-3  # of the head


@dataclass(frozen=True)
class NonboundaryPart(NetworkPart):
    """S2, where the boundary network sees no boundary."""

    boundary_threshold: Share = 0.5
    boundary_kernel: Natural = 0  # odd: all pixels of a window must lie below the threshold


@dataclass(frozen=True)
class ResponsePart:
    """What a class activation map becomes where base masks are known: zero on base pixels."""

    renormalise: bool = True  # each map by its maximum over unknown pixels, not over the image


@dataclass(frozen=True)
class MiningPart(NonboundaryPart, ResponsePart, RadiusPart):
    """Labels of the affinity network: base masks, and confident novel tags away from boundaries."""

    mining: Literal["cam", "crf"] = "cam"  # the highest map; or after a CRF as released, which takes its time
    mining_tau: Share = 0.35  # a map below says nothing
    mining_crf_scale: Positive = 1.0  # factor on the CRF's distances in pixels, for small images
    known_contour: bool = True  # unknown pixels within boundary_radius of a base mask are boundary as well


@dataclass(frozen=True)
class PairPart:
    """Which pixels of the working grid are compared."""

    affinity_radius: Annotated[int, Field(ge=2)] = 5
    border: Literal["all", "official"] = "all"  # official: pixels at the border have fewer neighbours


@dataclass(frozen=True)
class AffinityPart(TrainingPart, PairPart):
    """S3, the mixed affinity network."""

    affinity_iterations: Natural = 9_000
    affinity_lr: Positive = 1e-3  # of the head


@dataclass(frozen=True)
class WalkPart(NonboundaryPart, ResponsePart, PairPart):
    """S4, the two-stage propagation and what is read from it."""

    beta: Positive = 8.0
    steps_log2: Natural = 8  # of each of the two stages
    clamp: bool = True  # cells within base masks keep their response at every step; False: only at the start
    between_stages: Literal["grid", "image"] = "grid"  # image: upsampled and pooled again in between, as released
    padding: Literal["inside", "official"] = "inside"  # official: blocks at the border count zeros outside the image
    alignment: Literal["pixel", "official"] = "pixel"  # official: the boundary map is stretched over the grid
    tau: Share = 0.1  # of the highest response of a novel tag in the image; below it a pixel has no label
    base_channel: Literal["reject", "ignore"] = "reject"  # whether "known base" competes in the unknown region


@dataclass(frozen=True)
class RetabSettings(CamPart, BoundaryPart, MiningPart, AffinityPart, WalkPart):
    """Region expansion by transferring affinity and boundary, for pixel-level base masks."""

    seconds_per_iteration: Weight = 10.0  # of either network; CPU seconds; for estimates only
    seconds_per_image: Weight = 20.0  # of either step over all images; CPU seconds; for estimates only


def part(cls: type, settings: RetabSettings) -> dict[str, Any]:
    """Return the fields of one part as stage parameters."""
    values = to_json(settings)
    return {field.name: values[field.name] for field in fields(cls)}


# What the released code does where the defaults mend it, as far as it applies to base masks (sections 2, 6 and 7c).
OFFICIAL: Mapping[str, Any] = {
    "retab.renormalise": False,
    "retab.mining": "crf",
    "retab.known_contour": False,
    "retab.border": "official",
    "retab.clamp": False,
    "retab.between_stages": "image",
    "retab.padding": "official",
    "retab.alignment": "official",
    "retab.tau": 0.0,
}

MINI: Mapping[str, Any] = {
    "stride": 4,
    "widths": [16, 32, 64],
    "backbone_lr_multiplier": 1.0,
    "warmup": 20,
    "boundary_radius": 2,
    "boundary_iterations": 300,
    "boundary_lr": 3e-3,
    "affinity_radius": 3,
    "affinity_iterations": 300,
    "affinity_lr": 3e-3,
    "steps_log2": 5,
    "mining_crf_scale": 0.125,
    "tau": 0.05,
    "base_channel": "ignore",
    "seconds_per_iteration": 0.03,
    "seconds_per_image": 0.01,
}
"""Section ``retab`` of the profile ``mini``.

Chosen on training images of split S1 alone, with nothing trained on the pseudo labels: the learning rate and the
backbone's multiplier by the loss of the boundary network, and with the radius by its precision and recall on the true
contours (0.71 and 0.83); ``tau`` and ``base_channel`` by the level of the pseudo labels, their novel mIoU over the
pixels that have a class: 75.2, where the highest activation map has 70.6. ``tau`` 0 has 76.3, but names two thirds of
the pixels without any class, against half. ``base_channel`` is a deviation: with ``reject`` and ``tau`` 0.1 it is 62.8,
perhaps because a cell of the grid is 4 of 64 pixels, so that "known base" reaches far beyond its masks. Iterations and
the remaining sizes are as they were first set; a boundary radius of 1, an affinity radius of 4, and
16 or 64 steps change the level by about a point or less.
"""

SMOKE: Mapping[str, Any] = {
    "cam_scales": [1.0, 0.5],
    "stride": 4,
    "widths": [4, 8, 8],
    "batch": 4,
    "boundary_radius": 1,
    "boundary_iterations": 4,
    "affinity_radius": 3,
    "affinity_iterations": 4,
    "steps_log2": 3,
    "mining_crf_scale": 0.125,
    "seconds_per_iteration": 0.03,
    "seconds_per_image": 0.005,
}
"""Section ``retab`` of the profile ``smoke``."""
