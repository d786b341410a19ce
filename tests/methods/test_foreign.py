"""Networks trained elsewhere: round trips through every format, and what is refused."""

import json
import os
import pickle
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmark.errors import BenchmarkError
from benchmark.files import sha256
from methods.foreign import adopt, describe, import_checkpoint, shape_of
from methods.largefov.network import LargeFov, LargeFovShape
from methods.maskformer.backbones import ResNet50
from methods.maskformer.network import MaskFormer, build_maskformer, normalise
from methods.prediction import predict
from methods.settings import InputSettings, MaskFormerSettings
from methods.weights.checkpoints import MODEL_FILE, load_imagenet, load_model, load_weights, save_model
from tests.methods.foreign_support import SMALL, as_detectron2, backbone_as_detectron2, hollow, trained
from tests.methods.support import FakeContext

NARROW = MaskFormerSettings(
    backbone="narrow", backbone_width=4, feature_channels=8, hidden=8, heads=2, ffn=8, layers=1, memory_stride=8
)
INPUT = InputSettings(test_short=64, test_longest=256)
IMAGE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
TRAINER = {"optimizer": {"state": {0: {"step": 3}}, "param_groups": []}, "scheduler": {"last_epoch": 3}, "iteration": 3}


def zoo(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write what MaskFormer's model zoo offers: a pickle of arrays."""
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    path.write_bytes(pickle.dumps({"model": arrays, "__author__": "MaskFormer", "matching_heuristics": True}))


def trainer(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write what training SimFormer leaves; SimNet is part of the criterion."""
    simnet = {"criterion.simnet.block.0.weight": torch.zeros(3, 2)}
    torch.save({"model": tensors | simnet, **TRAINER}, path)


@pytest.fixture(scope="module")
def model() -> MaskFormer:
    return trained(SMALL, classes=3)


@pytest.fixture(scope="module")
def checkpoint(model: MaskFormer, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("foreign") / "model_final.pth"
    trainer(path, as_detectron2(model))
    yield path
    path.unlink()


@pytest.fixture
def shapes(model: MaskFormer, tmp_path: Path) -> Path:
    """A checkpoint with names and shapes alone."""
    trainer(tmp_path / "hollow.pth", hollow(as_detectron2(model)))
    return tmp_path / "hollow.pth"


def assert_same(found: MaskFormer, expected: MaskFormer) -> None:
    assert not found.training
    for name, value in expected.state_dict().items():
        assert torch.equal(found.state_dict()[name], value), name
    for name, parameter in expected.named_parameters():
        assert found.get_parameter(name).requires_grad == parameter.requires_grad, name
    batch = normalise(torch.tensor(IMAGE[None]))
    with torch.no_grad():
        for value, other in zip(found(batch), expected(batch), strict=True):
            assert value.std() > 0.01
            assert torch.equal(value, other)
    np.testing.assert_array_equal(predict(found, IMAGE, INPUT), predict(expected, IMAGE, INPUT))


def test_a_checkpoint_predicts_what_its_network_did(model: MaskFormer, checkpoint: Path) -> None:
    assert_same(import_checkpoint(checkpoint, SMALL, 3), model)


@pytest.mark.slow
def test_a_zoo_file_of_the_papers_size_comes_back(tmp_path: Path) -> None:
    path, paper = tmp_path / "model_final_cb03eb.pkl", MaskFormerSettings()
    network = trained(paper, classes=171)
    try:
        zoo(path, as_detectron2(network))
        found = describe(path)
        assert (found["classes"], found["tensors"], found["author"]) == (171, 410, "MaskFormer")
        assert_same(import_checkpoint(path, paper, 171, "coco-stuff-10k"), network)
    finally:
        path.unlink()


def test_other_classes_name_both_numbers(shapes: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"hollow\.pth tells 3 classes apart, but coco-stuff-10k has 171"):
        import_checkpoint(shapes, SMALL, 171, "coco-stuff-10k")


def test_another_shape_lists_what_differs(shapes: Path) -> None:
    with pytest.raises(
        BenchmarkError, match=r"hollow\.pth does not hold .*query_embed\.weight \(5, 8\) where \(6, 8\)"
    ):
        import_checkpoint(shapes, replace(SMALL, queries=6), 3)
    with pytest.raises(BenchmarkError, match="--profile paper"):
        import_checkpoint(shapes, NARROW, 3)


def test_hostile_and_broken_files_are_refused(tmp_path: Path) -> None:
    class Bait:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'canary'}",)

    path = tmp_path / "model_final.pkl"
    path.write_bytes(pickle.dumps({"model": {"w": Bait()}}))
    for read in (lambda: import_checkpoint(path, SMALL, 3), lambda: describe(path)):
        with pytest.raises(BenchmarkError, match=r"refused: it asks for posix\.system"):
            read()
    assert not (tmp_path / "canary").exists()
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(BenchmarkError, match=f"{path} cannot be read as weights"):
        import_checkpoint(path, SMALL, 3)
    with pytest.raises(BenchmarkError, match="no such file"):
        import_checkpoint(tmp_path / "absent", SMALL, 3)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    save_model(tmp_path / "own.safetensors", trained(NARROW, 3), NARROW, 3)
    return tmp_path / "own.safetensors"


def test_our_own_files_bring_their_settings(own: Path) -> None:
    assert_same(import_checkpoint(own, SMALL, 3), trained(NARROW, 3))
    with pytest.raises(BenchmarkError, match="3 classes apart, but toy has 4"):
        import_checkpoint(own, SMALL, 4, "toy")


def test_our_own_files_of_another_network_or_broken(own: Path) -> None:
    shape = LargeFovShape("narrow", 4, 8, 2)
    save_model(own.with_name("largefov"), LargeFov(shape, 3), shape, 3)
    with pytest.raises(BenchmarkError, match="holds a LargeFov, where a MaskFormer"):
        import_checkpoint(own.with_name("largefov"), SMALL, 3)
    assert describe(own.with_name("largefov"))["fits"] == "LargeFov of this benchmark; no setting takes it"
    save_file({"a": torch.zeros(1)}, own, {"maskformer": json.dumps(asdict(NARROW)), "classes": "3"})
    with pytest.raises(BenchmarkError, match="not a segmentation network of this benchmark") as caught:
        import_checkpoint(own, SMALL, 3)
    assert "Delete" not in str(caught.value)  # the folder is the user's
    own.write_bytes(own.read_bytes()[:50])
    with pytest.raises(BenchmarkError, match="cannot be read as weights"):
        import_checkpoint(own, SMALL, 3)


def adopted(path: Path, folder: Path, settings: MaskFormerSettings, **changed: Any) -> Path:
    params = {
        "dataset": {"name": "toy"},
        "classes": 3,
        "checkpoint_sha256": sha256(path),
        "maskformer": {name: value for name, value in asdict(settings).items() if "loss" not in name},
    }
    context = FakeContext(folder, params=params | changed, hints={"checkpoint": str(path)})
    summary = adopt(context)
    found = load_model(context.out / MODEL_FILE)
    assert summary == {"parameters": sum(value.numel() for value in found.parameters())}
    return context.out / MODEL_FILE


def test_an_adopted_network_is_written_as_a_trained_one(model: MaskFormer, checkpoint: Path, tmp_path: Path) -> None:
    path = adopted(checkpoint, tmp_path, SMALL)
    back = load_model(path)
    path.unlink()
    assert isinstance(back, MaskFormer)
    assert_same(back, model)


def test_an_adopted_file_of_ours_keeps_its_settings(own: Path, tmp_path: Path) -> None:
    path = adopted(own, tmp_path / "stage", SMALL)
    assert path.read_bytes() == own.read_bytes()
    assert load_file(path).keys() == trained(NARROW, 3).state_dict().keys()


def test_a_checkpoint_that_changed_or_does_not_fit_is_not_adopted(own: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="the file changed in between"):
        adopted(own, tmp_path, SMALL, checkpoint_sha256="0" * 64)
    with pytest.raises(BenchmarkError, match="3 classes apart, but toy has 5"):
        adopted(own, tmp_path, SMALL, classes=5)


def test_the_shape_of_a_network_is_read_off(model: MaskFormer) -> None:
    tensors = as_detectron2(model)
    assert shape_of(tensors) == replace(SMALL, heads=8)
    assert shape_of({f"module.{name}": tensor for name, tensor in tensors.items()}) == replace(SMALL, heads=8)
    older = {name.replace("pixel_decoder.", ""): tensor for name, tensor in tensors.items()}
    assert shape_of(older) == replace(SMALL, heads=8)
    assert shape_of({}) == replace(MaskFormerSettings(), layers=1)


def write_caffe2(path: Path, _: MaskFormer) -> None:
    zoo(path, {"conv1_w": torch.zeros(1), "res_conv1_bn_s": torch.zeros(1)})


def write_swin(path: Path, model: MaskFormer) -> None:
    tensors = hollow(as_detectron2(model)) | {"backbone.patch_embed.proj.bias": torch.zeros(9)}
    trainer(path, {name: tensor for name, tensor in tensors.items() if "res" not in name})


def write_backbone(path: Path, model: MaskFormer) -> None:
    torch.save(hollow(model.backbone.state_dict()), path)


@pytest.mark.parametrize(
    ("write", "classes", "fits"),
    [
        (
            lambda path, model: trainer(path, hollow(as_detectron2(model))),
            3,
            "5 queries, 2 decoder layers of width 8; ",
        ),
        (
            lambda path, model: save_model(path, trained(NARROW, 3), NARROW, 3),
            3,
            "MaskFormer of this benchmark; oracle.",
        ),
        (write_backbone, None, "ResNet-50 without a segmentation network; maskformer.weights takes it"),
        (write_caffe2, None, "nothing here: .* is a backbone of Caffe2"),
        (write_swin, 3, r"nothing here: .*left over \(1\): backbone.patch_embed.proj.bias"),
        (lambda path, model: zoo(path, {"a": torch.zeros(1)}), None, r"nothing here: .*left over \(1\): a \(1,\)"),
        (
            lambda path, model: zoo(path, {"sem_seg_head.a": torch.zeros(1)}),
            None,
            "no tensor sem_seg_head.*class_embed",
        ),
    ],
    ids=["detectron2", "ours", "backbone", "Caffe2", "Swin", "odd", "headless"],
)
def test_what_a_file_is_good_for(
    write: Callable[[Path, MaskFormer], None], classes: int | None, fits: str, model: MaskFormer, tmp_path: Path
) -> None:
    write(tmp_path / "file", model)
    found = describe(tmp_path / "file")
    assert found["classes"] == classes
    assert re.search(fits, found["fits"])
    assert (found["bytes"], found["sha256"]) == ((tmp_path / "file").stat().st_size, sha256(tmp_path / "file"))
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize("kind", ["torchvision", "detectron2"])
def test_imagenet_weights_of_a_file(kind: str, model: MaskFormer, tmp_path: Path) -> None:
    path, source = tmp_path / "R-50.bin", model.backbone
    assert isinstance(source, ResNet50)
    if kind == "torchvision":
        torch.save(source.state_dict() | {"fc.weight": torch.ones(2, 2), "fc.bias": torch.ones(2)}, path)
    else:
        zoo(path, backbone_as_detectron2(source) | {"stem.fc.weight": torch.ones(2, 2), "stem.fc.bias": torch.ones(2)})
    backbone = build_maskformer(SMALL, 3).backbone
    context = FakeContext(tmp_path, params={"weights_sha256": sha256(path)}, hints={"weights": str(path)})
    load_weights(context, backbone, "file")
    for name, value in source.state_dict().items():
        assert torch.equal(backbone.state_dict()[name], value), name
    with pytest.raises(BenchmarkError, match="the file changed in between"):
        load_imagenet(backbone, str(path), "0" * 64)
    path.unlink()


def test_imagenet_weights_of_other_files(shapes: Path, tmp_path: Path) -> None:
    backbone = build_maskformer(SMALL, 3).backbone
    with pytest.raises(BenchmarkError, match=r"maskformer\.weights = .*does not hold the network.*resnet50-0676ba61"):
        load_imagenet(backbone, str(shapes))
    with pytest.raises(BenchmarkError, match="there is no such file"):
        load_imagenet(backbone, str(tmp_path / "absent"))
    write_caffe2(tmp_path / "R-50.pkl", build_maskformer(NARROW, 3))
    with pytest.raises(BenchmarkError, match=r"a backbone of Caffe2.*MSRA"):
        load_imagenet(backbone, str(tmp_path / "R-50.pkl"))
