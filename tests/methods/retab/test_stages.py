"""RETAB's stages end to end on six small pictures: what may be in a pseudo label, and exact resumption."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from benchmark.errors import BenchmarkError
from benchmark.labels import mask_path
from benchmark.metrics import Counts
from benchmark.stage import StageInterrupted, closure
from methods.retab.maps import boundary_path, read_boundary
from methods.retab.networks import NETWORK_FILE
from methods.weights.checkpoints import BACKBONE_FILE
from methods.wsss.cam import cam_path, read_cam
from tests.methods.retab.support import plan
from tests.methods.wsss.support import NAMES, NOVEL, SECOND, VOID, Pictures, run, run_all, summary

DATA = Pictures()


def masks(folder: Path) -> dict[str, Any]:
    return {name: np.array(Image.open(mask_path(folder, name))) for name in NAMES}


def base_mask(name: str, novel: tuple[int, ...] = (NOVEL, SECOND)) -> Any:
    mask = DATA.mask(name)
    return np.where(np.isin(mask, novel), VOID, mask)


def check_labels(found: dict[str, Any], novel: tuple[int, ...] = (NOVEL, SECOND)) -> None:
    """Base pixels keep their masks; elsewhere there are tagged novel classes or nothing."""
    for name, labels in found.items():
        base, tags = base_mask(name, novel), set(np.unique(DATA.mask(name))) & set(novel)
        assert labels.dtype == np.uint8
        assert (labels[base != VOID] == base[base != VOID]).all(), name
        assert set(np.unique(labels[base == VOID])) <= tags | {VOID}, name


@pytest.mark.slow
def test_a_cell_runs_from_tags_to_counts(tmp_path: Path) -> None:
    stages = plan({"retab.base_channel": "ignore", "retab.tau": 0.0})
    counts = Counts.load(run_all(stages["evaluate"], tmp_path).out / "counts.npz")
    assert len(counts.image_ids) == len(NAMES)
    found = masks(tmp_path / stages["propagate"].key[:16] / "out")
    check_labels(found)
    assert (found["two bases"] == DATA.mask("two bases")).all()
    assert (found["all base"] == DATA.mask("all base")).all()
    assert (found["all novel"] == NOVEL).all()  # one tag, and nothing that could reject it
    assert (found["left half novel"] == DATA.mask("left half novel")).all()
    assert set(np.unique(found["two novels"])) <= {0, NOVEL, SECOND}
    mixed = tmp_path / stages["label_training_images"].key[:16] / "out"
    check_labels(masks(mixed))
    for name in NAMES:
        assert read_boundary(boundary_path(mixed, name)).shape == (6, 8)
        tags = set(np.unique(DATA.mask(name))) - {VOID}
        cam = read_cam(cam_path(tmp_path / stages["activation_maps"].key[:16] / "out", name))
        assert set(cam.keys.tolist()) == tags  # base and novel: the split is not known there


def test_coverage_is_of_the_unknown_region(tmp_path: Path) -> None:
    stages = plan({"retab.base_channel": "ignore", "retab.tau": 0.0})
    facts = summary(run_all(stages["propagate"], tmp_path))
    assert facts["unknown_pixels"] == sum(int((base_mask(name) == VOID).sum()) for name in NAMES)
    assert facts["novel_tags"] == 5
    assert facts["filled_share"] == 1.0  # without a threshold everything unknown has a label, void included
    strict = plan({"retab.base_channel": "ignore", "retab.tau": 0.99})["propagate"]
    less = summary(run(strict, tmp_path))
    assert 0 < less["filled_share"] < 0.5
    nothing = plan({"retab.base_channel": "ignore", "retab.tau": 1.0})["propagate"]
    assert summary(run(nothing, tmp_path))["placed_share"] == 0


@pytest.mark.parametrize("preset", ["paper", "official"])
def test_every_preset_keeps_to_what_is_known(preset: str, tmp_path: Path) -> None:
    stages = plan(preset=preset)
    run_all(stages["propagate"], tmp_path)
    check_labels(masks(tmp_path / stages["propagate"].key[:16] / "out"))
    check_labels(masks(tmp_path / stages["label_training_images"].key[:16] / "out"))


def test_without_novel_classes_nothing_is_added(tmp_path: Path) -> None:
    stage = plan(novel=())["propagate"]
    context = run_all(stage, tmp_path)
    found = masks(context.out)
    assert all((found[name] == DATA.mask(name)).all() for name in NAMES)
    assert summary(context)["filled_share"] == 0


def test_where_everything_is_novel_labels_come_from_tags_alone(tmp_path: Path) -> None:
    novel = (0, 1, NOVEL, SECOND)
    stage = plan(novel=novel)["propagate"]
    found = masks(run_all(stage, tmp_path).out)
    check_labels(found, novel)


def test_the_same_cell_gives_the_same_labels(tmp_path: Path) -> None:
    stage = plan()["propagate"]
    one, other = (masks(run_all(stage, tmp_path / name).out) for name in ("one", "other"))
    assert all((one[name] == other[name]).all() for name in NAMES)
    seeded = plan(seed=1)
    network = seeded["train_affinity"]
    run_all(network, tmp_path / "one")
    first, second = (
        load_file(tmp_path / "one" / s.key[:16] / "out" / NETWORK_FILE) for s in (plan()["train_affinity"], network)
    )
    assert not torch.equal(first["head.mix.weight"], second["head.mix.weight"])


@pytest.mark.parametrize("name", ["train_boundary", "train_affinity"])
@pytest.mark.parametrize("stop_after", [1, 3])
def test_training_resumes_bit_for_bit(name: str, stop_after: int, tmp_path: Path) -> None:
    stage = plan({"retab.freeze_norms": False})[name]  # the statistics of the norms have to be restored as well
    for earlier in closure(stage.inputs.values()):
        run(earlier, tmp_path)
    whole = load_file(run(stage, tmp_path).out / NETWORK_FILE)
    kept = tmp_path / stage.key[:16]
    kept.rename(tmp_path / "whole")
    with pytest.raises(StageInterrupted):
        run(stage, tmp_path, stop_after=stop_after)
    resumed = load_file(run(stage, tmp_path).out / NETWORK_FILE)
    assert whole.keys() == resumed.keys()
    for key, value in whole.items():
        assert torch.equal(value, resumed[key]), key


@pytest.mark.parametrize(
    ("change", "moves", "stays"),
    [
        ({}, "stages.0.conv1.weight", "stages.0.bn1.running_mean"),
        ({"retab.freeze_norms": False}, "stages.0.bn1.running_mean", None),
        ({"retab.backbone_lr_multiplier": 0.0}, None, "stages.0.conv1.weight"),
    ],
)
def test_what_of_the_backbone_is_trained(
    change: dict[str, Any], moves: str | None, stays: str | None, tmp_path: Path
) -> None:
    stage = plan(change)["train_boundary"]
    trained = load_file(run_all(stage, tmp_path).out / NETWORK_FILE)
    before = load_file(tmp_path / stage.inputs["backbone"].key[:16] / "out" / BACKBONE_FILE)
    if moves:
        assert not torch.equal(trained[f"backbone.{moves}"], before[moves])
    if stays:
        assert torch.equal(trained[f"backbone.{stays}"], before[stays])


def test_what_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    stages = plan()
    run_all(stages["propagate"], tmp_path)

    def out(name: str) -> Path:
        return tmp_path / stages[name].key[:16] / "out"

    mixed = out("label_training_images")
    label = mask_path(mixed, NAMES[2])
    label.unlink()
    with pytest.raises(BenchmarkError, match=r"all base\.png"):
        run(stages["train_affinity"], tmp_path)
    boundary = boundary_path(mixed, NAMES[0])
    for damaged in (boundary.read_bytes()[:-60], b"nothing", b""):
        boundary.write_bytes(damaged)
        with pytest.raises(BenchmarkError, match=r"left half novel\.npy: no boundary map .*Remove the folder"):
            run(stages["propagate"], tmp_path)
    boundary.unlink()
    with pytest.raises(BenchmarkError, match=r"left half novel\.npy: no boundary map"):
        run(stages["propagate"], tmp_path)
    (out("train_boundary") / NETWORK_FILE).write_bytes(b"nothing")
    with pytest.raises(BenchmarkError, match="BoundaryHead"):
        run(stages["label_training_images"], tmp_path)
    (out("train_affinity") / NETWORK_FILE).unlink()
    with pytest.raises(BenchmarkError, match="AffinityHead"):
        run(stages["propagate"], tmp_path)


@pytest.mark.slow
def test_the_networks_learn(tmp_path: Path) -> None:
    longer = {"iterations": 100, "lr": 3e-3}
    changes = {f"retab.{network}_{name}": v for network in ("boundary", "affinity") for name, v in longer.items()}
    stages = plan({"retab.backbone_lr_multiplier": 1.0, **changes})
    for stage in closure([stages["train_affinity"]]):
        curves = run(stage, tmp_path).curves
        if stage.kind == "train":
            assert curves[100]["total"] < 0.9 * curves[50]["total"], stage.name
