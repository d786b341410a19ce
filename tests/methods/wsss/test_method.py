"""What every method promises whose product is label maps of the training images."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmark.costs.workloads import measurable, signature
from benchmark.errors import BenchmarkError
from benchmark.labels import mask_path
from benchmark.metrics import Counts
from benchmark.stage import closure
from methods import rib
from methods.cam import METHOD as CAM
from methods.retab import METHOD as RETAB
from methods.rib import METHOD as RIB
from methods.wsss.method import LabelMapMethod
from tests.methods.wsss.support import NAMES, NOVEL, SECOND, VOID, Pictures, cell, plan, run, run_all, summary

METHODS = pytest.mark.parametrize("method", [CAM, RIB, RETAB], ids=lambda method: method.name)
LEVELS = [(method, level) for method in (CAM, RIB, RETAB) for level in method.levels]


@METHODS
def test_a_star_is_maskformer_and_without_it_there_is_largefov(method: LabelMapMethod) -> None:
    plain, starred = (method.plan(cell(method, variant=variant)) for variant in ("", "retrained"))
    assert plain.name == f"evaluation of {method.title}, S(2, 3), seed 0"
    assert starred.name == f"evaluation of {method.title}*, S(2, 3), seed 0"
    networks = [stage.inputs["model"] for stage in (plain, starred)]
    assert [network.function.split(".")[1] for network in networks] == ["largefov", "supervised:train_supervised"]
    labels = {network.inputs["pseudo_labels"].key for network in networks}
    assert labels == {method.plan(cell(method, variant="pseudo_labels")).inputs["labels"].key}


@METHODS
def test_the_network_behind_the_star_is_a_setting(method: LabelMapMethod) -> None:
    changes = {"retrain.network": "largefov"}
    starred = method.plan(cell(method, changes, variant="retrained"))
    assert starred.key == method.plan(cell(method, variant="")).key


@pytest.mark.parametrize(("method", "level"), LEVELS, ids=lambda value: getattr(value, "name", value))
def test_a_level_is_assessed_with_full_ground_truth_and_made_without(method: LabelMapMethod, level: str) -> None:
    last = method.plan(cell(method, variant=level))
    assert last.access == "evaluation"
    assert {stage.access for stage in closure([last.inputs["labels"]])} == {"training"}
    assert all(stage.cost > 0 for stage in closure([last]))


@pytest.mark.parametrize("method", [CAM, RIB], ids=lambda method: method.name)
def test_labels_from_tags_alone_serve_every_split_and_seed(method: LabelMapMethod) -> None:
    for level in set(method.levels) - {"pseudo_labels"}:
        keys = {
            method.plan(cell(method, variant=level, seed=seed, novel=novel)).key
            for seed, novel in ((0, (2, 3)), (1, (2, 3)), (0, (3,)))
        }
        assert len(keys) == 1, level


def test_cam_and_retab_read_the_same_activation_maps() -> None:
    assert plan(CAM)["activation_maps"].key == plan(RETAB)["activation_maps"].key
    of_rib = plan(RETAB, {"retab.initial": "rib"})["activation_maps"]
    assert of_rib.key == plan(RIB)["activation_maps"].key == rib.activation_maps(cell(RIB)).key


@METHODS
def test_presets(method: LabelMapMethod) -> None:
    assert method.preset("paper", "mini", "S1") == {}
    assert set(method.preset("official", "mini", "S1")) == set(method.official)
    with pytest.raises(BenchmarkError, match="official, paper"):
        method.preset("oficial", "mini", "S1")
    with pytest.raises(BenchmarkError, match="retrained"):
        method.plan(cell(method, variant="re-trained"))


@METHODS
def test_every_mistake_is_named_at_once(method: LabelMapMethod) -> None:
    scales = "rib.cam_scales" if method is RIB else "cam.scales"
    wrong = {"pretrain.iterations": 0, "classifier.iterations": 0, scales: [1.0, 1.0]}
    with pytest.raises(BenchmarkError, match=r"are 0: .* starts from class activation maps") as caught:
        method.plan(cell(method, wrong))
    assert [scales in line for line in str(caught.value).splitlines()] == [False, True]


@METHODS
def test_without_pre_training_there_is_a_classifier_of_its_own(method: LabelMapMethod) -> None:
    stages = plan(method, {"pretrain.iterations": 0, "classifier.iterations": 7}).values()
    (classifier,) = [stage for stage in stages if stage.kind == "pretrain"]
    assert classifier.params["pretrain"]["iterations"] == 7
    (network,) = [stage for stage in stages if stage.kind == "retrain"]
    assert set(network.inputs) == {"pseudo_labels"}  # it starts from maskformer.weights, as the paper's does


def test_the_key_says_which_crf_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("methods.wsss.settings.find_spec", lambda name: None)
    without = plan(RIB)["label_training_images"]
    monkeypatch.setattr("methods.wsss.settings.find_spec", lambda name: name)
    installed = plan(RIB)["label_training_images"]
    chosen = [stage.params["rib"]["crf_backend"] for stage in (without, installed)]
    assert chosen == ["torch", "pydensecrf"]
    assert plan(RETAB)["label_training_images"].params["retab"]["mining_crf_backend"] == "pydensecrf"
    fixed = plan(RIB, {"rib.crf_backend": "grid"})["label_training_images"]
    assert fixed.params["rib"]["crf_backend"] == "grid"


def test_without_the_extra_the_lattice_runs_at_full_size_and_no_other_key_moves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("methods.wsss.settings.find_spec", lambda name: None)
    full = plan(RIB, {"rib.crf_scale": 1.0})["label_training_images"]
    assert full.params["rib"]["crf_backend"] == "lattice"
    for mining, expected in (("cam", "torch"), ("crf", "lattice")):
        stage = plan(RETAB, {"retab.mining": mining, "retab.mining_crf_scale": 1.0})["label_training_images"]
        assert stage.params["retab"]["mining_crf_backend"] == expected
    small = plan(RETAB, {"retab.mining": "crf"})["label_training_images"]
    assert small.params["retab"]["mining_crf_backend"] == "torch"


@pytest.mark.parametrize(("mining", "as_fast"), [("cam", True), ("crf", False)])
def test_an_implementation_of_the_crf_makes_another_kind_of_work_where_it_runs(mining: str, as_fast: bool) -> None:
    stages = [
        plan(RETAB, {"retab.mining": mining, "retab.mining_crf_backend": backend})["label_training_images"]
        for backend in ("torch", "pydensecrf")
    ]
    assert stages[0].key != stages[1].key
    assert (signature(stages[0]) == signature(stages[1])) == as_fast
    if as_fast:
        assert measurable(stages[1]).params["retab"]["mining_crf_backend"] == "torch"  # and can be measured anywhere


@METHODS
def test_planning_imports_no_torch(method: LabelMapMethod) -> None:
    code = f"import sys, methods.{method.name}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def labels_of(root: Path, level: str, changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run CAM up to a level; return its label maps, and the counts and summary of its assessment."""
    last = CAM.plan(cell(CAM, changes, variant=level))
    context = run_all(last, root)
    folder = root / last.inputs["labels"].key[:16] / "out"
    masks = {name: np.array(Image.open(mask_path(folder, name))) for name in NAMES}
    return {**masks, "counts": Counts.load(context.out / "counts.npz"), "summary": summary(context)}


def test_the_highest_activation_is_among_the_tags_and_then_below_base_masks(tmp_path: Path) -> None:
    data = Pictures()
    raw, merged = labels_of(tmp_path, "cam"), labels_of(tmp_path, "pseudo_labels")
    for name in NAMES:
        truth = data.mask(name)
        tags = set(np.unique(truth).tolist()) - {VOID}
        assert set(np.unique(raw[name]).tolist()) <= {*tags, VOID}
        base = np.isin(truth, (0, 1))
        assert (merged[name][base] == truth[base]).all()
        assert (merged[name][~base] == np.where(np.isin(raw[name], (NOVEL, SECOND)), raw[name], VOID)[~base]).all()


def test_among_novel_tags_alone_every_active_unknown_pixel_has_one(tmp_path: Path) -> None:
    found = labels_of(tmp_path, "pseudo_labels", {"cam_labels.argmax": "novel"})
    unknown = np.isin(Pictures().mask("left half novel"), (NOVEL, SECOND))
    assert set(np.unique(found["left half novel"][unknown]).tolist()) <= {NOVEL, VOID}
    strict = {"cam_labels.argmax": "novel", "cam_labels.tau": 1.0}
    assert (labels_of(tmp_path, "pseudo_labels", strict)["all novel"] == VOID).all()


def test_a_pixel_without_a_label_is_a_miss(tmp_path: Path) -> None:
    nothing = {"cam_labels.argmax": "novel", "cam_labels.tau": 1.0}
    found = labels_of(tmp_path, "pseudo_labels", nothing)
    counts, facts = found["counts"], found["summary"]
    truth = np.concatenate([Pictures().mask(name).ravel() for name in NAMES])
    assert counts.ground_truth.sum(0).tolist() == [(truth == c).sum() for c in range(4)]
    assert counts.prediction.sum(0).tolist() == [(truth == 0).sum(), (truth == 1).sum(), 0, 0]
    assert facts["right_where_labelled"] == 1.0
    assert facts["labelled_share"] == np.isin(truth, (0, 1)).sum() / (truth != VOID).sum()


def test_an_assessment_names_a_label_map_that_is_missing(tmp_path: Path) -> None:
    last = CAM.plan(cell(CAM, variant="pseudo_labels"))
    run_all(last.inputs["labels"], tmp_path)
    mask_path(tmp_path / last.inputs["labels"].key[:16] / "out", "all base").unlink()
    with pytest.raises(BenchmarkError, match=r"all base.* cannot be read"):
        run(last, tmp_path)
