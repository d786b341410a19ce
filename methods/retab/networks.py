"""RETAB's two networks: a head on the last feature maps of the pre-trained backbone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmark.errors import BenchmarkError
from benchmark.settings import from_json
from benchmark.stage import StageContext
from methods.maskformer.backbones import Backbone, build_backbone
from methods.retab.settings import NetworkPart, TrainingPart
from methods.settings import MaskFormerSettings
from methods.wsss.affinity import AffinityHead
from methods.wsss.boundary import BoundaryHead
from methods.wsss.cam import load_classifier

NETWORK_FILE = "network.safetensors"

Head = TypeVar("Head", AffinityHead, BoundaryHead)


class PixelNetwork(nn.Module):
    """A backbone and a head on its last maps.

    With ``frozen_norms`` the backbone's batch norms stay in evaluation mode and take no gradient, as in the released
    code, whatever mode the rest is in.
    """

    def __init__(self, backbone: Backbone, head: AffinityHead | BoundaryHead, *, frozen_norms: bool) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head
        self.taps = len(head.taps.reduce)
        norms = [m for m in backbone.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        self._frozen = norms if frozen_norms else []
        for norm in self._frozen:
            norm.requires_grad_(False)

    def train(self, mode: bool = True) -> "PixelNetwork":
        super().train(mode)
        for norm in self._frozen:
            norm.eval()
        return self

    def forward(self, images: Tensor, *arguments: Any) -> Tensor:
        """Normalised images (B, 3, H, W) -> what the head says: features (B, C, h, w), or logits of a given size."""
        result: Tensor = self.head(self.backbone(images)[-self.taps :], *arguments)
        return result


def new_network(context: StageContext, head: type[Head], part: TrainingPart, seed: int) -> PixelNetwork:
    """Return a network on the backbone of input stage ``backbone``; the head's weights are drawn from ``seed``."""
    settings = from_json(MaskFormerSettings, context.params["maskformer"])
    torch.manual_seed(seed)
    backbone = load_classifier(context.inputs["backbone"], settings, last_stride=2).backbone
    backbone.requires_grad_(part.backbone_lr_multiplier > 0)
    network = PixelNetwork(backbone, _head(head, backbone, part), frozen_norms=part.freeze_norms)
    return network.to(context.device)


def load_network(
    folder: Path, maskformer: Mapping[str, Any], head: type[Head], part: NetworkPart, device: str
) -> PixelNetwork:
    """Return the network that a training stage wrote into ``folder``, in evaluation mode.

    Raises:
        BenchmarkError: the file is missing, broken, or holds another network.
    """
    backbone = build_backbone(from_json(MaskFormerSettings, maskformer))
    network = PixelNetwork(backbone, _head(head, backbone, part), frozen_norms=True)
    path = folder / NETWORK_FILE
    try:
        network.load_state_dict(load_file(path))
    except (RuntimeError, OSError, SafetensorError) as error:
        raise BenchmarkError(
            f"{path} does not hold RETAB's {head.__name__} ({error}). Remove the folder {folder} and run again."
        ) from error
    return network.to(device).eval()


def _head(head: type[Head], backbone: Backbone, part: NetworkPart) -> Head:
    taps = len(part.widths)
    return head(backbone.channels[-taps:], part.widths, backbone.strides[-taps:].index(part.stride))
