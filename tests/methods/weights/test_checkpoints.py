"""Files of networks: whole ones come back, broken ones are named with the way out."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from benchmark.errors import BenchmarkError
from benchmark.files import FULL, naming
from methods.maskformer.network import MaskFormer, build_maskformer
from methods.settings import MaskFormerSettings
from methods.weights.checkpoints import load_backbone, load_model, save_model, save_tensors

SETTINGS = MaskFormerSettings(
    backbone="narrow", backbone_width=4, feature_channels=8, hidden=8, heads=2, ffn=8, layers=1, memory_stride=8
)


@pytest.fixture(scope="module")
def model() -> MaskFormer:
    return build_maskformer(SETTINGS, classes=3)


def test_a_network_comes_back(model: MaskFormer, tmp_path: Path) -> None:
    save_model(tmp_path / "model", model, SETTINGS, classes=3)
    with safe_open(tmp_path / "model", "pt") as file:
        assert file.metadata() == {"maskformer": json.dumps(asdict(SETTINGS)), "classes": "3"}
    back = load_model(tmp_path / "model").state_dict()
    assert all(torch.equal(back[name], value) for name, value in model.state_dict().items())


def test_equal_networks_are_equal_files(model: MaskFormer, tmp_path: Path) -> None:
    files = [tmp_path / str(number) for number in range(20)]
    for path in files:
        save_model(path, model, SETTINGS, classes=3)
    assert len({path.read_bytes() for path in files}) == 1


@pytest.mark.parametrize("kept", [None, 0, 100, 1000])
def test_broken_files_are_named_with_the_way_out(model: MaskFormer, tmp_path: Path, kept: int | None) -> None:
    path, way_out = tmp_path / "model", f"Delete the folder {tmp_path} and run again"
    save_model(path, model, SETTINGS, classes=3)
    if kept is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(BenchmarkError, match=rf"{path}.*{way_out}"):
        load_model(path)
    with pytest.raises(BenchmarkError, match=rf"(?s){path}.*{way_out}"):
        load_backbone(model, path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_named(model: MaskFormer, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="the disk is full"), naming(tmp_path, "Way out.", FULL):
        save_tensors(Path("/dev/full"), model.state_dict())
