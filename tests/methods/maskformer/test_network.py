"""Shapes, sizes, initialisation and parameter groups of the whole network."""

import dataclasses

import pytest
import torch
import torchvision
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from benchmark.errors import BenchmarkError
from methods.maskformer.backbones import NarrowResNet, ResNet50
from methods.maskformer.network import build_maskformer, normalise, parameter_groups
from methods.maskformer.pixel_decoder import PixelDecoder, group_norm
from methods.settings import MaskFormerSettings
from tests.methods.maskformer.cases import MINI

CLASSES = 20


def test_output_shapes_of_the_miniature() -> None:
    output = build_maskformer(MINI, CLASSES)(torch.randn(2, 3, 64, 48))
    assert output.logits.shape == (2, 2, 24, 21)
    assert output.features.shape == (2, 64, 16, 12)
    assert output.masks.shape == (2, 2, 24, 16, 12)


def test_masks_are_products_of_the_embeddings() -> None:
    torch.manual_seed(0)
    output = build_maskformer(MINI, CLASSES).eval()(torch.randn(2, 3, 32, 48))
    expected = torch.einsum("lbqc,bchw->lbqhw", output.embeddings, output.features)
    torch.testing.assert_close(output.masks, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(output.last.masks[0], expected[-1], rtol=1e-4, atol=1e-4)
    assert torch.equal(output.last.logits[0], output.logits[-1])


def test_miniature_has_about_600_thousand_parameters() -> None:
    assert 580_000 < sum(p.numel() for p in build_maskformer(MINI, CLASSES).parameters()) < 680_000


@pytest.mark.slow
def test_paper_network_shapes() -> None:
    settings = dataclasses.replace(MaskFormerSettings(), layers=2)
    model = build_maskformer(settings, 171).eval()
    with torch.no_grad():
        output = model(torch.randn(1, 3, 64, 96))
    assert output.logits.shape == (2, 1, 100, 172)
    assert output.features.shape == (1, 256, 16, 24)
    assert model.memory_projection.in_channels == 2048


@pytest.mark.parametrize("size", [(64, 64), (50, 37), (17, 90)])
def test_narrow_backbone_takes_any_size(size: tuple[int, int]) -> None:
    maps = NarrowResNet(8)(torch.randn(1, 3, *size))
    for features, stride, channels in zip(maps, NarrowResNet.strides, (8, 16, 32), strict=True):
        assert features.shape == (1, channels, -(-size[0] // stride), -(-size[1] // stride))
    assert PixelDecoder((8, 16, 32), 16)(maps).shape == (1, 16, *maps[0].shape[-2:])


def test_folded_resnet_equals_torchvision_with_its_weights() -> None:
    torch.manual_seed(0)
    reference = torchvision.models.resnet50(weights=None).eval()
    for module in reference.modules():
        if isinstance(module, nn.BatchNorm2d):  # statistics as after training, small enough for 16 residual sums
            nn.init.uniform_(module.weight, 0.2, 0.6)
            nn.init.normal_(module.bias, std=0.1)
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    weights = {name: value for name, value in reference.state_dict().items() if not name.startswith("fc.")}
    backbone = ResNet50()
    backbone.load_state_dict(weights)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = reference.maxpool(reference.relu(reference.bn1(reference.conv1(x))))
        stages = (reference.layer1, reference.layer2, reference.layer3, reference.layer4)
        for stage, found in zip(stages, backbone.train()(x), strict=True):
            expected = stage(expected)
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_every_convolution_of_resnet_is_trained_and_no_norm() -> None:
    backbone = ResNet50()
    convolutions = [m for m in backbone.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 53
    assert {id(p) for p in backbone.parameters()} == {id(m.weight) for m in convolutions}
    assert any(isinstance(m, FrozenBatchNorm2d) for m in backbone.modules())


@pytest.mark.parametrize(("channels", "groups"), [(256, 32), (64, 32), (32, 32), (48, 16), (24, 8), (7, 1)])
def test_group_norm_has_at_most_32_groups(channels: int, groups: int) -> None:
    assert group_norm(channels).num_groups == groups


def test_pixel_decoder_starts_kaiming_uniform_over_the_fan_in() -> None:
    decoder = PixelDecoder((8, 16), 64)
    for module in decoder.modules():
        if isinstance(module, nn.Conv2d):
            bound = (3 / (module.in_channels * module.kernel_size[0] ** 2)) ** 0.5
            assert 0.9 * bound < module.weight.abs().max() <= bound
            assert module.bias is None or not module.bias.any()
    assert decoder.mask_features.bias is not None


def test_class_seed_favours_class_i_at_query_i() -> None:
    model = build_maskformer(MINI, CLASSES)
    assert model.class_bias is not None
    assert torch.equal(model.class_bias.detach(), 3 * torch.eye(24, 21))
    plain = build_maskformer(dataclasses.replace(MINI, class_seed=0.0), CLASSES)
    assert plain.class_bias is None
    assert set(model.state_dict()) - set(plain.state_dict()) == {"class_bias"}


def test_normalise_has_zero_mean_and_unit_variance_over_imagenet() -> None:
    mean_colour = torch.tensor([[[[124, 116, 104]]]], dtype=torch.uint8)
    found = normalise(mean_colour)
    assert found.shape == (1, 3, 1, 1)
    expected = torch.tensor([0.325 / 58.395, -0.28 / 57.12, 0.47 / 57.375])
    torch.testing.assert_close(found.flatten(), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"memory_stride": 32}, "strides 4, 8, 16"),
        ({"hidden": 66}, "multiple of 4"),
        ({"heads": 5}, "maskformer.heads"),
        ({"backbone": "resnet51"}, "Did you mean 'resnet50'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        build_maskformer(dataclasses.replace(MINI, **change), CLASSES)  # type: ignore[arg-type]


def test_parameter_groups() -> None:
    model = build_maskformer(MINI, CLASSES)
    extra = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))
    groups = parameter_groups(model, [extra], lr=1e-4, weight_decay=1e-2, backbone_multiplier=0.1)
    found = {id(p): (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}
    wanted = {id(p) for module in (model, extra) for p in module.parameters()}
    assert set(found) == wanted
    assert sum(len(g["params"]) for g in groups) == len(wanted)
    assert len(groups) == 4

    def of(parameter: object) -> tuple[float, float]:
        return found[id(parameter)]

    backbone = model.get_submodule("backbone")
    assert of(backbone.get_parameter("stem.0.weight")) == pytest.approx((1e-5, 1e-2))
    assert of(backbone.get_parameter("stem.1.weight")) == pytest.approx((1e-5, 0.0))
    assert of(model.queries.weight) == (1e-4, 0.0)
    assert of(model.decoder.norm.bias) == (1e-4, 0.0)
    assert of(model.pixel_decoder.get_parameter("top.1.weight")) == (1e-4, 0.0)
    assert of(model.pixel_decoder.mask_features.bias) == (1e-4, 1e-2)
    assert of(model.class_head.bias) == (1e-4, 1e-2)
    assert of(model.decoder.get_parameter("layers.0.self_attention.in_proj_bias")) == (1e-4, 1e-2)
    assert of(extra[0].bias) == (1e-4, 1e-2)
    assert of(extra[1].weight) == (1e-4, 0.0)


def test_parameters_without_gradient_are_in_no_group() -> None:
    module = nn.Linear(2, 2)
    module.bias.requires_grad_(False)
    groups = parameter_groups(module, [module], 1.0, 0.0, 1.0)
    assert [len(g["params"]) for g in groups] == [1]
