"""LargeFOV: stride-8 features, a dilated 3x3 convolution, two 1x1 convolutions, bilinear upsampling [largefov 1a]."""

from dataclasses import dataclass
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from methods.maskformer.backbones import build_backbone, dilate
from methods.settings import LargeFovSettings, MaskFormerSettings

STRIDE = 8

_NORMS = nn.modules.batchnorm._BatchNorm


@dataclass(frozen=True)
class LargeFovShape:
    """What rebuilds a network, beside the number of classes."""

    backbone: Literal["resnet50", "narrow"]
    backbone_width: int
    hidden: int
    dilation: int


class LargeFov(nn.Module):
    """Class logits for every pixel.

    With ``freeze_norms`` the backbone's batch norms stay in evaluation mode and take no gradient, whatever mode the
    rest is in. Parameter names of the backbone are those of a strided one: its weights load as they are.
    """

    def __init__(self, shape: LargeFovShape, classes: int, *, freeze_norms: bool = True) -> None:
        super().__init__()
        self.backbone = build_backbone(MaskFormerSettings(backbone=shape.backbone, backbone_width=shape.backbone_width))
        dilate(self.backbone, STRIDE)
        self.hidden = nn.Sequential(
            nn.Conv2d(
                self.backbone.channels[-1], shape.hidden, 3, padding=shape.dilation, dilation=shape.dilation, bias=False
            ),
            nn.ReLU(inplace=True),
            nn.Conv2d(shape.hidden, shape.hidden, 1, bias=False),
            nn.ReLU(inplace=True),
        )
        self.scores = nn.Conv2d(shape.hidden, classes, 1)
        self._initialise()
        self._frozen = [m for m in self.backbone.modules() if isinstance(m, _NORMS)] if freeze_norms else []
        for norm in self._frozen:
            norm.requires_grad_(False)

    def train(self, mode: bool = True) -> "LargeFov":
        super().train(mode)
        for norm in self._frozen:
            norm.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, H, W) -> logits (B, K, H, W).

        Cell i of a map lies on pixel 8 i. Sides that are not 8 n + 1 are padded with zeros, right and below, to the
        next that is, so that ``align_corners`` puts every cell there; the padding is cut off afterwards.
        """
        height, width = images.shape[-2:]
        padded = F.pad(images, (0, (1 - width) % STRIDE, 0, (1 - height) % STRIDE))
        coarse = self.scores(self.hidden(self.backbone(padded)[-1]))  # (B, K, n + 1, m + 1)
        return upsampled(coarse)[..., :height, :width]

    def _initialise(self) -> None:
        """Xavier, Xavier, MSRA [largefov 1a], each over the fan-in, as Caffe does; no bias."""
        for module in self.hidden:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight, nonlinearity="linear")
        nn.init.kaiming_normal_(self.scores.weight, nonlinearity="relu")
        bias = self.scores.get_parameter("bias")
        nn.init.zeros_(bias)


def upsampled(maps: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, C, 8 h - 7, 8 w - 7): bilinear, corners on corners, as Caffe's interpolation layer."""
    height, width = (STRIDE * (side - 1) + 1 for side in maps.shape[-2:])
    return F.interpolate(maps, size=(height, width), mode="bilinear", align_corners=True)


def parameter_groups(model: LargeFov, settings: LargeFovSettings) -> list[dict[str, Any]]:
    """Return the optimiser's groups [largefov 2]: backbone, its norms unless frozen, new weights, the last bias.

    Norms and the bias do not decay. Each parameter that takes a gradient is in exactly one group.
    """
    norms = {id(p) for m in model.backbone.modules() if isinstance(m, _NORMS) for p in m.parameters()}
    backbone = [p for p in model.backbone.parameters() if p.requires_grad]
    lr, decay = settings.lr, settings.weight_decay
    groups = [
        ([p for p in backbone if id(p) not in norms], lr, decay),
        ([p for p in backbone if id(p) in norms], lr, 0.0),
        ([*model.hidden.parameters(), model.scores.weight], lr * settings.head_lr_multiplier, decay),
        ([model.scores.get_parameter("bias")], lr * settings.bias_lr_multiplier, 0.0),
    ]
    return [{"params": params, "lr": rate, "weight_decay": wd} for params, rate, wd in groups if params]
