"""Checkpoints as detectron2 writes them, made from a network of ours.

The names are those of detectron2's ``ResNet`` (basic stem, bottleneck blocks) and of MaskFormer's ``BasePixelDecoder``
and ``TransformerPredictor``, written down module by module, apart from the table that is tested. No published file was
at hand to check them against.
"""

from typing import Any

import torch
from torch import Tensor, nn

from methods.maskformer.backbones import ResNet50
from methods.maskformer.network import MaskFormer, build_maskformer
from methods.settings import MaskFormerSettings

SMALL = MaskFormerSettings(feature_channels=8, hidden=8, heads=2, ffn=12, layers=2, queries=5)


def trained(settings: MaskFormerSettings, classes: int) -> MaskFormer:
    """Return a network in evaluation mode, no tensor as it is initialised."""
    torch.manual_seed(0)
    model = build_maskformer(settings, classes).eval()
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                value.mul_(0.9).add_(
                    torch.rand_like(value).sub_(0.5) * (0.2 if "bn" in name or "norm" in name else 0.01)
                )
    return model


class _Writer(dict[str, Tensor]):
    def module(self, name: str, module: nn.Module) -> None:
        self.update({f"{name}.{leaf}": value.detach() for leaf, value in module.state_dict().items()})

    def conv(self, name: str, conv: nn.Module, norm: nn.Module) -> None:
        self.module(name, conv)
        self.module(f"{name}.norm", norm)


def backbone_as_detectron2(backbone: ResNet50, prefix: str = "") -> dict[str, Tensor]:
    """Return stem and res2..res5, without a prefix as in a file of ImageNet weights."""
    out = _Writer()
    out.conv(f"{prefix}stem.conv1", backbone.conv1, backbone.bn1)
    stages = {"res2": backbone.layer1, "res3": backbone.layer2, "res4": backbone.layer3, "res5": backbone.layer4}
    for stage, blocks in stages.items():
        for number, block in enumerate(blocks):
            name = f"{prefix}{stage}.{number}"
            if block.downsample is not None:
                out.conv(f"{name}.shortcut", block.downsample[0], block.downsample[1])
            out.conv(f"{name}.conv1", block.conv1, block.bn1)
            out.conv(f"{name}.conv2", block.conv2, block.bn2)
            out.conv(f"{name}.conv3", block.conv3, block.bn3)
    return dict(out)


def as_detectron2(model: MaskFormer) -> dict[str, Tensor]:
    """Return all tensors of MaskFormer's meta-architecture, with the buffer of its criterion."""
    assert isinstance(model.backbone, ResNet50)
    out = _Writer(backbone_as_detectron2(model.backbone, "backbone."))
    pixels, head = "sem_seg_head.pixel_decoder", "sem_seg_head.predictor"
    decoder = model.pixel_decoder
    out.conv(f"{pixels}.layer_4", decoder.top[0], decoder.top[1])  # type: ignore[index]
    for level, lateral, smoothing in zip((3, 2, 1), decoder.laterals, decoder.smoothings, strict=True):
        out.conv(f"{pixels}.adapter_{level}", lateral[0], lateral[1])  # type: ignore[index]
        out.conv(f"{pixels}.layer_{level}", smoothing[0], smoothing[1])  # type: ignore[index]
    out.module(f"{pixels}.mask_features", decoder.mask_features)
    out.module(f"{head}.input_proj", model.memory_projection)
    out.module(f"{head}.query_embed", model.queries)
    layer: Any  # its attributes are modules
    for number, layer in enumerate(model.decoder.layers):
        name = f"{head}.transformer.decoder.layers.{number}"
        out.module(f"{name}.self_attn", layer.self_attention)
        out.module(f"{name}.multihead_attn", layer.cross_attention)
        out.module(f"{name}.linear1", layer.ffn[0])
        out.module(f"{name}.linear2", layer.ffn[3])
        for norm in (1, 2, 3):
            out.module(f"{name}.norm{norm}", layer.norms[norm - 1])
    out.module(f"{head}.transformer.decoder.norm", model.decoder.norm)
    out.module(f"{head}.class_embed", model.class_head)
    for number, linear in enumerate(m for m in model.mask_head if isinstance(m, nn.Linear)):
        out.module(f"{head}.mask_embed.layers.{number}", linear)
    out["criterion.empty_weight"] = torch.ones(model.class_head.out_features)
    return dict(out)


def hollow(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors of the same names and shapes that take no room in a file."""
    return {name: torch.zeros(()).expand(tensor.shape) for name, tensor in tensors.items()}
