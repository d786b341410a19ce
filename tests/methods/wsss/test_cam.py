"""Class activation maps against their definition, sizes, and files."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmark.datasets.transforms import resize_image
from benchmark.errors import BenchmarkError
from methods.maskformer.backbones import Backbone, NarrowResNet, ResNet50
from methods.maskformer.network import normalise
from methods.pretraining import CLASSIFIER_FILE
from methods.settings import MaskFormerSettings
from methods.weights.checkpoints import BACKBONE_FILE, save_tensors
from methods.wsss.cam import (
    CamSums,
    ClassMaps,
    activation_sums,
    cam_path,
    load_classifier,
    read_cam,
    summed_views,
    write_sums,
)
from methods.wsss.settings import CamSettings

IMAGE = np.random.default_rng(0).integers(0, 256, (37, 50, 3)).astype(np.uint8)
MINI = MaskFormerSettings(backbone="narrow", backbone_width=8)


def network(classes: int = 5) -> ClassMaps:
    torch.manual_seed(0)
    return ClassMaps(NarrowResNet(8), torch.randn(classes, 32))


def by_hand(net: ClassMaps, image: NDArray[np.uint8], keys: list[int], scales: tuple[float, ...]) -> list[Tensor]:
    """Return a map (T, h, w) for each scale, image and mirror passed one after the other."""
    total = []
    for scale in scales:
        resized = resize_image(image, (round(image.shape[0] * scale), round(image.shape[1] * scale)))
        maps = torch.zeros(())
        for mirrored in (False, True):
            view = resized[:, ::-1].copy() if mirrored else resized
            features = net.backbone(normalise(torch.tensor(view)[None]))[-1][0]
            response = torch.einsum("kc,chw->khw", net.weights[keys], features).clamp(min=0)
            maps = maps + (response.flip(2) if mirrored else response)
        total.append(maps)
    return total


def upsampled(maps: list[Tensor], size: tuple[int, int]) -> Tensor:
    resized = [F.interpolate(m[None], size=size, mode="bilinear", align_corners=False)[0] for m in maps]
    return torch.stack(resized).sum(0)


@pytest.mark.parametrize("flavour", ["irn", "psa"])
@torch.no_grad()
def test_cam_is_the_sum_over_scales_and_mirrors_over_its_maximum(flavour: str) -> None:
    net, scales = network(), (1.0, 0.5, 1.5)
    settings = CamSettings(flavour=flavour, scales=scales)  # type: ignore[arg-type]
    cam = activation_sums(net, IMAGE, [4, 1], settings).maps()
    maps = by_hand(net, IMAGE, [1, 4], scales)
    small = upsampled(maps, (10, 13))
    large = upsampled(maps, (37, 50) if flavour == "psa" else (48, 64))[:, :37, :50]
    assert cam.keys.tolist() == [1, 4]
    for mine, expected in ((cam.cam, small), (cam.high_res, large)):
        expected = expected / (expected.amax((1, 2), keepdim=True) + 1e-5)
        np.testing.assert_allclose(mine, expected.numpy(), atol=1e-5)
        assert mine.dtype == np.float32
        np.testing.assert_allclose(mine.max((1, 2)), 1, atol=1e-3)
        assert mine.min() >= 0


def test_a_class_without_activation_stays_zero() -> None:
    sums = CamSums(np.array([0, 2]), (8, 8), "irn", (np.zeros((2, 2, 2), np.float32),))
    assert not sums.maps().cam.any()


def test_cam_without_tags_is_empty_but_has_sizes() -> None:
    cam = activation_sums(network(), IMAGE, [], CamSettings("irn")).maps()
    assert (cam.keys.shape, cam.cam.shape, cam.high_res.shape) == ((0,), (0, 10, 13), (0, 37, 50))


def test_without_flip_there_is_one_view() -> None:
    maps = torch.randn(2, 3, 4, 5)
    assert torch.equal(summed_views(maps[:1]), maps[0].clamp(min=0))
    torch.testing.assert_close(summed_views(maps), maps[0].clamp(min=0) + maps[1].clamp(min=0).flip(2))
    one = activation_sums(network(), IMAGE, [0], CamSettings("irn", scales=(1.0,), flip=False))
    two = activation_sums(network(), IMAGE, [0], CamSettings("irn", scales=(1.0,)))
    assert (two.sums[0] >= one.sums[0] - 1e-6).all()


@pytest.mark.parametrize("backbone", [lambda: NarrowResNet(8), ResNet50])
def test_last_stage_may_lose_its_stride(backbone: type[Backbone]) -> None:
    images = torch.zeros(1, 3, 64, 64)
    built = backbone().eval()
    stride = built.strides[-1]
    weights = torch.zeros(2, built.channels[-1])
    with torch.no_grad():
        assert ClassMaps(built, weights, last_stride=2)(images).shape[-1] == 64 // stride
        assert ClassMaps(built, weights, last_stride=1)(images).shape[-1] == 2 * 64 // stride


@torch.no_grad()
def test_stages_turn_one_map_into_the_next() -> None:
    net = NarrowResNet(8).eval()
    maps = net(torch.randn(1, 3, 40, 40))
    assert len(net.blocks()) == len(maps)
    torch.testing.assert_close(net.blocks()[-1](net.blocks()[-2](maps[0])), maps[-1])


def test_network_keeps_its_statistics_and_checks_its_weights() -> None:
    net = network()
    assert not any(module.training for module in net.modules())
    with pytest.raises(ValueError, match="do not fit 32 channels"):
        ClassMaps(NarrowResNet(8), torch.zeros(4, 31))


@torch.no_grad()
def test_classifier_of_the_pretraining_stage_is_loaded(tmp_path: Path) -> None:
    net = network()
    save_tensors(tmp_path / BACKBONE_FILE, net.backbone.state_dict())
    with pytest.raises(BenchmarkError, match=r"holds no classifier of image tags.*Remove .* run again"):
        load_classifier(tmp_path, MINI)
    save_tensors(tmp_path / CLASSIFIER_FILE, {"weight": net.weights, "bias": torch.ones(5)})
    images = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(load_classifier(tmp_path, MINI)(images), net(images))
    with pytest.raises(BenchmarkError, match="does not hold a classifier"):
        load_classifier(tmp_path, MaskFormerSettings(backbone="narrow", backbone_width=16))


def test_files_give_the_same_maps_and_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = cam_path(tmp_path, "train/a b'c")
    for tags in ([1, 3], []):
        sums = activation_sums(network(), IMAGE, tags, CamSettings("irn"))
        write_sums(path, sums, updates=3, stop="steps")
        for mine, expected in zip(read_cam(path), sums.maps(), strict=True):
            np.testing.assert_array_equal(mine, expected)
    with np.load(path) as file:
        assert (int(file["updates"]), str(file["stop"])) == (3, "steps")
    assert list(path.parent.iterdir()) == [path]

    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_sums(path.with_name("other.npz"), sums)
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(BenchmarkError, match=r"other\.npz: no class activation maps .*Remove the folder"):
        read_cam(path.with_name("other.npz"))


@pytest.mark.parametrize("kept", [0, 40, -60])
def test_damaged_files_are_named(kept: int, tmp_path: Path) -> None:
    path = cam_path(tmp_path, "a")
    write_sums(path, activation_sums(network(), IMAGE, [1, 3], CamSettings("irn")))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(BenchmarkError, match=r"a\.npz: the class activation maps are damaged .*Remove the folder"):
        read_cam(path)
