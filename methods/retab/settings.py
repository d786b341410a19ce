"""The settings of RETAB: one part a stage, and all of them together as the section ``retab`` of a profile.

A stage is given its own part and so cannot depend on a setting that is not in its key. Defaults follow the released
code where it says something, and the adaptation to base masks [retab 7c] where it cannot: RETAB
was made for images that have all masks or none, and for one background class. Nothing here imports torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from benchmark.settings import not_identity
from methods.settings import Count, Natural, Positive, Share, Sizes, Weight
from methods.wsss.settings import CrfBackend


@dataclass(frozen=True)
class InitialPart:
    """Whose activation maps are the initial response: plain ones (section ``cam``), or RIB's (section ``rib``)."""

    initial: Literal["cam", "rib"] = "cam"


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
    mining_crf_backend: CrfBackend = "auto"  # what is installed; the stage's parameters say which
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
class RetabSettings(InitialPart, BoundaryPart, MiningPart, AffinityPart, WalkPart):
    """Region expansion by transferring affinity and boundary, for pixel-level base masks."""

    seconds_per_iteration: Weight = not_identity(10.0)  # of either network; CPU seconds; for estimates only
    seconds_per_image: Weight = not_identity(20.0)  # of either step over all images; CPU seconds; for estimates only


# What the released code does where the defaults mend it, as far as it applies to base masks [retab 2, 6, 7c].
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
