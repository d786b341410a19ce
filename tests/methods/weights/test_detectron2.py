"""Names of detectron2: every tensor finds its place, and what does not fit is listed."""

from typing import Any

import pytest
import torch
from torch import Tensor

from benchmark.errors import BenchmarkError
from methods.maskformer.backbones import ResNet50, build_backbone
from methods.maskformer.network import MaskFormer, build_maskformer
from methods.settings import MaskFormerSettings
from methods.weights.detectron2 import backbone_state, classes_of, is_network, network_state
from tests.methods.foreign_support import SMALL, as_detectron2, backbone_as_detectron2, hollow, trained

HEAD = "sem_seg_head.predictor."
PIXELS = "sem_seg_head.pixel_decoder."


@pytest.fixture(scope="module")
def model() -> MaskFormer:
    return trained(SMALL, classes=3)


@pytest.fixture(scope="module")
def whole(model: MaskFormer) -> dict[str, Tensor]:
    return as_detectron2(model)


@pytest.fixture
def shapes(whole: dict[str, Tensor]) -> dict[str, Tensor]:
    return hollow(whole)


def meta(settings: MaskFormerSettings = SMALL, classes: int = 3) -> MaskFormer:
    with torch.device("meta"):
        return build_maskformer(settings, classes)


def test_the_table_has_the_size_of_detectron2s_modules(whole: dict[str, Tensor]) -> None:
    # 53 convolutions with 4 tensors of a norm each; 7 of the pixel decoder with 2, and one with a bias;
    # input_proj, query_embed; 18 a decoder layer; its norm; two heads of 1 and 3 linear layers; empty_weight
    assert len(whole) == 53 * 5 + 7 * 3 + 2 + 2 + 1 + 2 * 18 + 2 + 2 + 6 + 1
    for name, shape in {
        "backbone.stem.conv1.weight": (64, 3, 7, 7),
        "backbone.res2.0.shortcut.norm.running_var": (256,),
        "backbone.res5.2.conv3.weight": (2048, 512, 1, 1),
        f"{PIXELS}adapter_3.weight": (8, 1024, 1, 1),
        f"{PIXELS}layer_4.weight": (8, 2048, 3, 3),
        f"{HEAD}input_proj.weight": (8, 2048, 1, 1),
        f"{HEAD}transformer.decoder.layers.1.multihead_attn.in_proj_weight": (24, 8),
        f"{HEAD}class_embed.weight": (4, 8),
    }.items():
        assert whole[name].shape == shape, name


def test_every_tensor_of_ours_is_filled_with_its_own(model: MaskFormer, whole: dict[str, Tensor]) -> None:
    state = network_state("f", whole, meta())
    expected = model.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in state.items())


def older(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.replace(PIXELS, "sem_seg_head."): tensor for name, tensor in tensors.items()}


def parallel(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"module.{name}": tensor for name, tensor in tensors.items()}


def with_company(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add what SimFormer's criterion, ordinary batch norms and older versions of detectron2 keep beside."""
    return tensors | {
        "criterion.simnet.0.weight": torch.zeros(2),
        "backbone.res2.0.conv1.norm.num_batches_tracked": torch.tensor(3),
        "pixel_mean": torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1),
        "pixel_std": torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1),
    }


@pytest.mark.parametrize("spelling", [older, parallel, with_company])
def test_other_spellings_hold_the_same(spelling: Any, model: MaskFormer, whole: dict[str, Tensor]) -> None:
    state = network_state("f", spelling(whole), meta())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert is_network(spelling(whole))
    assert classes_of("f", spelling(whole)) == 3


def test_half_precision_becomes_single(shapes: dict[str, Tensor]) -> None:
    state = network_state("f", {name: value.half() for name, value in shapes.items()}, meta())
    assert {value.dtype for value in state.values()} == {torch.float32}


def refusal(tensors: dict[str, Tensor], network: MaskFormer | None = None) -> str:
    with pytest.raises(BenchmarkError) as caught:
        network_state("the file", tensors, network or meta())
    return str(caught.value)


def test_what_is_missing_is_listed(shapes: dict[str, Tensor]) -> None:
    network = meta()
    for name in list(shapes)[:-1:20]:
        rest = {other: value for other, value in shapes.items() if other != name}
        assert f"missing (1): {name} {tuple(shapes[name].shape)}." in refusal(rest, network)
    nothing = {"criterion.empty_weight": torch.zeros(4)}
    assert f"missing ({len(shapes) - 1}): backbone.stem.conv1.weight (64, 3, 7, 7), " in refusal(nothing, network)


def test_what_is_left_over_or_of_another_shape_is_listed(shapes: dict[str, Tensor]) -> None:
    encoder = {f"{HEAD}transformer.encoder.layers.{i}.norm1.bias": torch.zeros(8) for i in range(12)}
    wrong = {f"{HEAD}query_embed.weight": torch.zeros(7, 8)}
    message = refusal(shapes | encoder | wrong)
    assert message.startswith("the file does not hold the network")
    assert f"left over (12): {HEAD}transformer.encoder.layers.0.norm1.bias (8,)" in message
    assert "layers.9.norm1.bias (8,), and 2 more" in message
    assert "layers.10." not in message
    assert f"of another shape (1): {HEAD}query_embed.weight (7, 8) where (5, 8) was expected" in message


@pytest.mark.parametrize(
    ("value", "found"), [(torch.full((8,), torch.nan), "float32"), (torch.ones(8, dtype=torch.int64), "int64")]
)
def test_values_that_are_no_weights(value: Tensor, found: str, shapes: dict[str, Tensor]) -> None:
    name = f"{HEAD}transformer.decoder.norm.bias"
    assert f"not finite numbers (1): {name} {found}" in refusal(shapes | {name: value})


def test_two_names_for_one_tensor(shapes: dict[str, Tensor]) -> None:
    twice = shapes | {"sem_seg_head.layer_1.weight": torch.zeros(1)}
    assert f"two tensors for {PIXELS}layer_1.weight" in refusal(twice)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (MaskFormerSettings(backbone="narrow", memory_stride=8), "backbone.stem.0.weight"),
        (MaskFormerSettings(class_seed=3.0), "class_bias"),
    ],
)
def test_networks_that_detectron2_does_not_have(
    settings: MaskFormerSettings, name: str, shapes: dict[str, Tensor]
) -> None:
    message = refusal(shapes, meta(settings))
    assert repr(name) in message
    assert "--profile paper" in message


def test_other_pixels_are_noticed_by_stored_statistics(shapes: dict[str, Tensor]) -> None:
    bgr = {"pixel_mean": torch.tensor([103.53, 116.28, 123.675]).view(3, 1, 1)}
    unscaled = {"pixel_std": torch.ones(3, 1, 1)}
    assert "trained with pixel_mean [103.5" in refusal(shapes | bgr)
    assert "trained with pixel_std [1.0, 1.0, 1.0]; here it is [58.395" in refusal(shapes | unscaled)
    assert "trained with pixel_std [1.0]" in refusal(shapes | {"pixel_std": torch.ones(1)})


def test_unscaled_pixels_are_noticed_by_the_statistics_of_the_first_layer(whole: dict[str, Tensor]) -> None:
    """Filters of one colour each, as they look after training on normalised pixels, and on pixels 57 times as large."""
    weight = torch.ones(64, 3, 7, 7) / 147
    normalised = whole | {
        "backbone.stem.conv1.weight": weight,
        "backbone.stem.conv1.norm.running_var": torch.full((64,), 1.2),
    }
    assert network_state("f", normalised, meta())
    raw = normalised | {"backbone.stem.conv1.norm.running_var": torch.full((64,), 1.2 * 57**2)}
    assert "statistics come from unscaled pixels (variance 3899 times" in refusal(raw)
    pruned = normalised | {"backbone.stem.conv1.weight": weight * torch.arange(64).ge(1)[:, None, None, None]}
    assert network_state("f", pruned, meta())


def test_a_backbone_alone_under_either_name(model: MaskFormer) -> None:
    backbone = model.backbone
    assert isinstance(backbone, ResNet50)
    expected = backbone.state_dict()
    converted = backbone_as_detectron2(backbone) | {"stem.fc.weight": torch.ones(1), "stem.fc.bias": torch.ones(1)}
    torchvisions = expected | {"fc.weight": torch.ones(1), "bn1.num_batches_tracked": torch.tensor(1)}
    for tensors in (converted, torchvisions):
        state = backbone_state("f", tensors, backbone)
        assert state.keys() == expected.keys()
        assert all(torch.equal(value, expected[name]) for name, value in state.items())


def test_backbones_of_other_kinds(model: MaskFormer) -> None:
    caffe2 = {"conv1_w": torch.zeros(64, 3, 7, 7), "res2_0_branch2a_w": torch.zeros(64, 64, 1, 1)}
    with pytest.raises(BenchmarkError, match=r"a backbone of Caffe2.*unscaled BGR"):
        backbone_state("f", caffe2, model.backbone)
    assert isinstance(model.backbone, ResNet50)
    deeper = hollow(backbone_as_detectron2(model.backbone)) | {"res4.6.conv1.weight": torch.zeros(256, 1024, 1, 1)}
    with pytest.raises(BenchmarkError, match=r"left over \(1\): res4\.6\.conv1\.weight \(256, 1024, 1, 1\)"):
        backbone_state("f", deeper, model.backbone)
    narrow = build_backbone(MaskFormerSettings(backbone="narrow", backbone_width=4))
    with pytest.raises(BenchmarkError, match=r"missing \(\d+\): stem\.0\.weight"):
        backbone_state("f", hollow(model.backbone.state_dict()), narrow)


def test_something_else_is_no_network() -> None:
    assert not is_network({"conv1.weight": torch.zeros(1)})
    with pytest.raises(BenchmarkError, match="no MaskFormer of detectron2"):
        classes_of("f", {"conv1.weight": torch.zeros(1)})
