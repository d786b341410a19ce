"""The settings of the labels that are read from class activation maps. Nothing here imports torch."""

from dataclasses import dataclass
from typing import Literal

from methods.settings import Share


@dataclass(frozen=True)
class CamLabelSettings:
    """What becomes of class activation maps where base masks are known.

    ``all``: the highest activation of all tags, which on an unknown pixel may be a base class, and then says nothing:
    weakly supervised segmentation as it is. ``novel``: novel tags compete among themselves on unknown pixels.
    """

    argmax: Literal["all", "novel"] = "all"
    tau: Share = 0.0  # of the highest activation in the image; a pixel below has no label
