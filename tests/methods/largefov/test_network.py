"""Sizes, stride and dilation, initialisation and parameter groups of LargeFOV."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.largefov.network import LargeFov, LargeFovShape, parameter_groups, upsampled
from methods.maskformer.backbones import ResNet50, build_backbone, conv_frozen_norm, dilate
from methods.settings import LargeFovSettings, MaskFormerSettings

NARROW = LargeFovShape("narrow", 8, hidden=16, dilation=3)
RESNET = LargeFovShape("resnet50", 64, hidden=16, dilation=12)
SETTINGS = LargeFovSettings()


def network(shape: LargeFovShape = NARROW, classes: int = 5, *, freeze_norms: bool = True) -> LargeFov:
    torch.manual_seed(0)
    return LargeFov(shape, classes, freeze_norms=freeze_norms)


def convolutions(module: nn.Module) -> list[nn.Conv2d]:
    return [m for m in module.modules() if isinstance(m, nn.Conv2d)]


@pytest.mark.parametrize("size", [(65, 65), (64, 64), (50, 37), (17, 90), (1, 8)])
def test_logits_have_the_size_of_the_images(size: tuple[int, int]) -> None:
    assert network()(torch.randn(2, 3, *size)).shape == (2, 5, *size)


@pytest.mark.parametrize("shape", [NARROW, RESNET])
def test_the_backbone_has_stride_8(shape: LargeFovShape) -> None:
    maps = network(shape).backbone(torch.randn(1, 3, 65, 41))
    assert [tuple(m.shape[-2:]) for m in maps] == [(17, 11), *[(9, 6)] * (len(maps) - 1)]


def dilations(stage: nn.Module) -> list[int]:
    found = [c for c in convolutions(stage) if c.kernel_size == (3, 3)]
    assert all(c.padding == c.dilation for c in found)
    return [c.dilation[0] for c in found]


def test_stages_beyond_stride_8_are_dilated_after_their_former_stride() -> None:
    stages = network(RESNET).backbone.blocks()
    assert [dilations(stage) for stage in stages] == [[1] * 3, [1] * 4, [1, *[2] * 5], [2, 4, 4]]
    assert {c.stride for stage in stages[2:] for c in convolutions(stage)} == {(1, 1)}
    assert [dilations(stage) for stage in network().backbone.blocks()] == [[1, 1], [1, 1], [1, 2]]


@pytest.mark.parametrize("name", ["narrow", "resnet50"])
def test_dilation_changes_no_weight_and_keeps_every_eighth_output(name: str) -> None:
    """Where the strided stage looks, the dilated one sees the same: its map holds the strided one."""
    torch.manual_seed(0)
    settings = MaskFormerSettings(backbone=name, backbone_width=8)  # type: ignore[arg-type]
    strided, dilated = build_backbone(settings).eval(), build_backbone(settings).eval()
    dilated.load_state_dict(strided.state_dict())
    dilate(dilated, 8)
    assert dilated.state_dict().keys() == strided.state_dict().keys()
    images = torch.randn(1, 3, 65, 65)
    with torch.no_grad():
        expected, found = strided(images), dilated(images)
    for stride, one, other in zip(strided.strides, expected, found, strict=True):
        step = max(1, stride // 8)
        torch.testing.assert_close(other[..., ::step, ::step], one, rtol=1e-3, atol=1e-4 * float(one.abs().max()))


def test_a_folded_convolution_obeys_its_dilation() -> None:
    backbone = ResNet50().eval()
    dilate(backbone, 8)
    block = backbone.layer4[1]
    assert block.conv2.dilation == (4, 4)
    x = torch.randn(1, 512, 13, 13)
    with torch.no_grad():
        torch.testing.assert_close(
            conv_frozen_norm(x, block.conv2, block.bn2), block.bn2(block.conv2(x)), rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize("side", [1, 9, 41])
def test_upsampling_follows_caffes_rule_and_keeps_every_cell(side: int) -> None:
    maps = torch.randn(1, 2, side, side)
    full = upsampled(maps)
    assert full.shape[-1] == side + (side - 1) * 7
    torch.testing.assert_close(full[..., ::8, ::8], maps, rtol=1e-4, atol=1e-4)
    assert upsampled(torch.zeros(1, 1, 41, 41)).shape[-2:] == (321, 321)


def test_other_sizes_are_padded_and_cut() -> None:
    model = network().eval()
    images = torch.randn(1, 3, 64, 60)
    with torch.no_grad():
        whole = model(F.pad(images, (0, 5, 0, 1)))
        assert torch.equal(model(images), whole[..., :64, :60])


def test_the_head_has_a_bias_in_its_last_layer_alone_and_starts_over_the_fan_in() -> None:
    model = network(dataclasses.replace(NARROW, hidden=64))
    first, second = convolutions(model.hidden)
    assert (first.kernel_size, first.dilation, first.padding) == ((3, 3), (3, 3), (3, 3))
    assert first.bias is second.bias is None
    for conv in (first, second):
        bound = (3 / (conv.in_channels * conv.kernel_size[0] ** 2)) ** 0.5
        assert 0.9 * bound < conv.weight.abs().max() <= bound
    assert model.scores.weight.std().item() == pytest.approx((2 / 64) ** 0.5, rel=0.15)
    assert not model.scores.get_parameter("bias").any()


def group_of(groups: list[dict[str, object]], parameter: Tensor) -> tuple[object, object]:
    [found] = [g for g in groups if any(p is parameter for p in g["params"])]  # type: ignore[attr-defined]
    return found["lr"], found["weight_decay"]


@pytest.mark.parametrize("freeze_norms", [True, False])
def test_every_trained_parameter_is_in_one_group_with_its_multiplier(freeze_norms: bool) -> None:
    model = network(freeze_norms=freeze_norms)
    groups = parameter_groups(model, SETTINGS)
    grouped = [id(p) for group in groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters() if p.requires_grad)
    assert group_of(groups, model.backbone.get_parameter("stem.0.weight")) == (1e-3, 5e-4)
    assert group_of(groups, model.hidden[0].get_parameter("weight")) == (1e-2, 5e-4)
    assert group_of(groups, model.scores.weight) == (1e-2, 5e-4)
    assert group_of(groups, model.scores.get_parameter("bias")) == (2e-2, 0.0)
    norm = model.backbone.get_parameter("stem.1.weight")
    assert norm.requires_grad is not freeze_norms
    if not freeze_norms:
        assert group_of(groups, norm) == (1e-3, 0.0)


@pytest.mark.parametrize("freeze_norms", [True, False])
def test_frozen_norms_keep_their_statistics_in_training(freeze_norms: bool) -> None:
    model = network(freeze_norms=freeze_norms)
    before = model.backbone.get_buffer("stem.1.running_mean").clone()
    model.train()(torch.randn(2, 3, 33, 33))
    assert torch.equal(model.backbone.get_buffer("stem.1.running_mean"), before) is freeze_norms
