"""Backbones: an image becomes feature maps, finest first [2.2]."""

from abc import abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from torchvision.ops import FrozenBatchNorm2d

from benchmark.errors import unknown
from methods.planning.checks import STRIDES
from methods.settings import MaskFormerSettings


class Backbone(nn.Module):
    """Feature maps at ``strides``, finest first, with ``channels`` channels each."""

    channels: tuple[int, ...]
    strides: tuple[int, ...]

    @abstractmethod
    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, 3, H, W) -> one (B, channels[i], ceil(H / strides[i]), ceil(W / strides[i])) a stride."""

    @abstractmethod
    def blocks(self) -> list[nn.Module]:
        """Return the stages behind the stem, one a feature map: stage i turns map i-1 into map i."""


def build_backbone(settings: MaskFormerSettings) -> Backbone:
    """Return the backbone that the settings name, randomly initialised. Raises BenchmarkError for an unknown name."""
    if settings.backbone == "resnet50":
        return ResNet50()
    if settings.backbone == "narrow":
        return NarrowResNet(settings.backbone_width)
    raise unknown("backbone", settings.backbone, ["resnet50", "narrow"], "maskformer.backbone")


def dilate(backbone: Backbone, stride: int) -> None:
    """Hold the resolution at ``stride``: stages beyond lose their stride, and 3x3 convolutions after it get dilation.

    A stage of stride s has dilation s / stride then, except where its stride was: that convolution keeps the dilation
    of the stage before. So the strided maps are in the new ones, at every (s / stride)-th place, under equal weights.
    """
    for stage, own in zip(backbone.blocks(), backbone.strides, strict=True):
        if own <= stride:
            continue
        for conv in stage.modules():
            if isinstance(conv, nn.Conv2d):
                dilation = own // stride // conv.stride[0]
                conv.stride = (1, 1)
                if conv.kernel_size == (3, 3):
                    conv.dilation = conv.padding = (dilation, dilation)


def conv_frozen_norm(x: Tensor, conv: nn.Conv2d, norm: FrozenBatchNorm2d) -> Tensor:
    """Return norm(conv(x)) as one convolution: a frozen norm is a constant scale and shift of the output channels.

    Folding the scale into the weight spares two passes over every activation; the gradients are the same.
    """
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    shift = norm.bias - norm.running_mean * scale
    weight = conv.weight * scale[:, None, None, None]
    return F.conv2d(x, weight, shift, conv.stride, conv.padding, conv.dilation)


class FoldedBottleneck(Bottleneck):  # type: ignore[misc]  # torchvision is not typed
    """torchvision's bottleneck (stride in the 3x3 convolution) with its frozen norms folded."""

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(conv_frozen_norm(x, self.conv1, self.bn1), inplace=True)
        y = F.relu(conv_frozen_norm(y, self.conv2, self.bn2), inplace=True)
        y = conv_frozen_norm(y, self.conv3, self.bn3)
        skip = x if self.downsample is None else conv_frozen_norm(x, *self.downsample)
        return F.relu(y + skip, inplace=True)


class ResNet50(Backbone):
    """ResNet-50 without its classifier: res2..res5. Parameter names are torchvision's, so its weights load as they are.

    Batch norms are frozen (constant statistics and affine, eps 1e-5); every convolution is trained.
    """

    channels = (256, 512, 1024, 2048)
    strides = STRIDES["resnet50"]

    def __init__(self) -> None:
        super().__init__()
        trunk = ResNet(FoldedBottleneck, [3, 4, 6, 3], norm_layer=FrozenBatchNorm2d)
        self.conv1, self.bn1, self.maxpool = trunk.conv1, trunk.bn1, trunk.maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4

    def blocks(self) -> list[nn.Module]:
        return [self.layer1, self.layer2, self.layer3, self.layer4]

    def forward(self, images: Tensor) -> list[Tensor]:
        x = self.maxpool(F.relu(conv_frozen_norm(images, self.conv1, self.bn1), inplace=True))
        maps = []
        for stage in self.blocks():
            x = stage(x)
            maps.append(x)
        return maps


class NarrowResNet(Backbone):
    """A small ResNet for small images: a stem of two strided convolutions, then one basic block a stride.

    Its batch norms are ordinary ones. Sides need not be multiples of a stride.
    """

    strides = STRIDES["narrow"]

    def __init__(self, width: int) -> None:
        super().__init__()
        self.channels = (width, 2 * width, 4 * width)
        self.stem = nn.Sequential(*_conv_norm_relu(3, width // 2, 3), *_conv_norm_relu(width // 2, width, 3))
        self.stages = nn.ModuleList(
            [
                BasicBlock(width, width),
                BasicBlock(width, 2 * width, 2, _shortcut(width, 2 * width)),
                BasicBlock(2 * width, 4 * width, 2, _shortcut(2 * width, 4 * width)),
            ]
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def blocks(self) -> list[nn.Module]:
        return list(self.stages)

    def forward(self, images: Tensor) -> list[Tensor]:
        x = self.stem(images)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


def _conv_norm_relu(inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, kernel, stride=2, padding=kernel // 2, bias=False)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def _shortcut(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=2, bias=False), nn.BatchNorm2d(outputs))
