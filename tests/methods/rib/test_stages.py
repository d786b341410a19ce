"""RIB's stages on tiny pictures: what the labels may hold, what a killed stage keeps, and what repeats bit for bit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from benchmark.errors import BenchmarkError
from benchmark.labels import mask_path
from benchmark.metrics import Counts
from benchmark.stage import Stage, StageInterrupted, closure
from methods.pretraining import CLASSIFIER_FILE
from methods.rib import maps
from methods.rib.edges import HEAD_FILE
from methods.rib.finetune import Finetuned, Finetuner
from methods.rib.maps import confident_labels
from methods.rib.propagation import decided, read_response, response_path, spread
from methods.rib.settings import MiningPart, WalkPart
from methods.weights.checkpoints import BACKBONE_FILE
from methods.wsss.cam import Cam, cam_path, read_cam
from tests.methods.rib.support import plan
from tests.methods.support import FakeContext
from tests.methods.wsss.support import (
    NAMES,
    NOVEL,
    SECOND,
    UNTAGGED,
    VOID,
    Pictures,
    WithUntagged,
    run,
    run_all,
    summary,
)

DATA = WithUntagged()
ALL = (*NAMES, UNTAGGED)
OWN = ("activation_maps", "label_training_images", "train_edges", "propagate", "merge_masks")


def folder(root: Path, stage: Stage) -> Path:
    return root / stage.key[:16] / "out"


def masks(where: Path, names: tuple[str, ...] = ALL) -> dict[str, Any]:
    return {name: np.array(Image.open(mask_path(where, name))) for name in names}


def tags_of(name: str) -> set[int]:
    return set(np.unique(DATA.mask(name)).tolist()) - {VOID}


def run_with_untagged(stages: dict[str, Any], root: Path) -> dict[str, FakeContext]:
    """Run RIB's own stages where one image has no tag, which pre-training would refuse."""
    run(stages["pretrain"], root)
    return {name: run(stages[name], root, DATA) for name in OWN}


def test_a_cell_runs_from_tags_to_counts(tmp_path: Path) -> None:
    stages = plan()
    counts = Counts.load(run_all(stages["evaluate"], tmp_path).out / "counts.npz")
    assert len(counts.image_ids) == len(NAMES)


@pytest.mark.parametrize("preset", ["paper", "official"])
@pytest.mark.parametrize("argmax", ["all", "novel"])
@pytest.mark.parametrize("novel", [(NOVEL, SECOND), (), (0, 1, 2, 3)])
def test_labels_keep_to_what_is_known(preset: str, argmax: str, novel: tuple[int, ...], tmp_path: Path) -> None:
    stages = plan({"rib.argmax": argmax, "rib.reject": 0.05}, preset=preset, novel=novel)
    contexts = run_with_untagged(stages, tmp_path)
    for name, labels in masks(contexts["propagate"].out).items():
        assert labels.dtype == np.uint8
        assert set(np.unique(labels)) <= tags_of(name) | {VOID}, name
    merged = masks(contexts["merge_masks"].out)
    for name, labels in merged.items():
        base = np.where(np.isin(DATA.mask(name), novel), VOID, DATA.mask(name))
        assert (labels[base != VOID] == base[base != VOID]).all(), name
        assert set(np.unique(labels[base == VOID])) <= (tags_of(name) & set(novel)) | {VOID}, name
    assert (merged[UNTAGGED] == VOID).all()
    unknown = sum(int(np.isin(DATA.mask(name), (*novel, VOID)).sum()) for name in ALL)
    facts = summary(contexts["merge_masks"])
    assert facts["unknown_pixels"] == unknown
    assert facts["novel_tags"] == sum(len(tags_of(name) & set(novel)) for name in NAMES)
    if novel:
        assert 0 < facts["filled_share"] < 1
        assert 0 < facts["placed_share"] <= 1
        assert (merged["all novel"] == NOVEL).any()
    else:
        assert facts["filled_share"] == 0
    if preset == "official":
        assert (
            max(int(labels[labels != VOID].max(initial=0)) for labels in masks(contexts["propagate"].out).values()) < 4
        )


def test_novel_tags_alone_reach_further(tmp_path: Path) -> None:
    whole, novel = (plan({"rib.argmax": argmax, "rib.reject": 0.0})["merge_masks"] for argmax in ("all", "novel"))
    less = summary(run_all(whole, tmp_path))["filled_share"]
    assert less < summary(run(novel, tmp_path))["filled_share"]


def test_facts_of_the_finetuning(tmp_path: Path) -> None:
    stages = plan({"rib.steps": 3, "rib.companions": 3, "rib.explode_rule": "off", "rib.stop_rule": "off"})
    contexts = run_with_untagged(stages, tmp_path)
    facts = summary(contexts["activation_maps"])
    assert facts["images"] == len(ALL)
    assert (facts["stop_steps"], facts["stop_untagged"], facts["updates"]) == (len(NAMES), 1, 2 * len(NAMES))
    assert facts["stop_exploded"] == facts["stop_target"] == facts["stop_companions"] == 0
    assert facts["sharing"] > 0
    assert facts["reused"] == len(NAMES)
    for name in ALL:
        cam = read_cam(cam_path(contexts["activation_maps"].out, name))
        assert set(cam.keys.tolist()) == tags_of(name)  # base and novel: the split is not known there
        assert read_response(response_path(contexts["propagate"].out, name), len(cam.keys), (24, 32)).shape[1:] == (
            6,
            8,
        )
    assert contexts["activation_maps"].reports == len(ALL)


@pytest.mark.parametrize("stop_after", range(1, len(NAMES)))
def test_finetuning_goes_on_where_it_was_stopped(
    stop_after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = plan()["activation_maps"]
    whole = _sums(run_all(stage, tmp_path).out)
    (tmp_path / stage.key[:16]).rename(tmp_path / "whole")
    made = _recorded(monkeypatch)
    with pytest.raises(StageInterrupted):
        run(stage, tmp_path, stop_after=stop_after)
    assert made == list(range(stop_after))
    assert not list(folder(tmp_path, stage).iterdir())
    resumed = run(stage, tmp_path)
    assert made == list(range(len(NAMES)))  # none twice
    assert summary(resumed)["images"] == len(NAMES)
    assert _sums(resumed.out) == whole


@pytest.mark.parametrize("at", range(len(NAMES)))
def test_finetuning_goes_on_where_it_was_killed(at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = plan()["activation_maps"]
    run(stage.inputs["backbone"], tmp_path)
    made = _recorded(monkeypatch, dies_at=at)
    with pytest.raises(KeyboardInterrupt):
        run(stage, tmp_path)
    assert len(list((tmp_path / stage.key[:16] / "scratch").rglob("*.npz"))) == at
    resumed = run(stage, tmp_path)
    assert made == [*range(at + 1), *range(at, len(NAMES))]
    assert len(_sums(resumed.out)) == len(NAMES)


def test_a_kill_while_results_are_handed_over_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = plan()["activation_maps"]
    run(stage.inputs["backbone"], tmp_path)
    put, given = maps._put, list[Path]()

    def dying(source: Path, target: Path) -> None:
        if len(given) == 2:
            raise KeyboardInterrupt
        given.append(target)
        put(source, target)

    monkeypatch.setattr(maps, "_put", dying)
    with pytest.raises(KeyboardInterrupt):
        run(stage, tmp_path)
    for target in given:
        target.unlink()  # the draft of a killed attempt is dropped
    monkeypatch.setattr(maps, "_put", put)
    made = _recorded(monkeypatch)
    assert len(_sums(run(stage, tmp_path).out)) == len(NAMES)
    assert not made


def test_without_links_files_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise OSError("links are not supported here")

    source = tmp_path / "a"
    source.write_bytes(b"maps")
    maps._put(source, tmp_path / "linked" / "a")
    monkeypatch.setattr("os.link", refused)
    maps._put(source, tmp_path / "copied" / "a")
    assert (tmp_path / "linked" / "a").read_bytes() == (tmp_path / "copied" / "a").read_bytes() == b"maps"
    assert (tmp_path / "linked" / "a").samefile(source)
    assert source.exists()


@pytest.mark.parametrize("stop_after", [1, 3])
def test_edge_training_resumes_bit_for_bit(stop_after: int, tmp_path: Path) -> None:
    stage = plan()["train_edges"]
    for earlier in closure(stage.inputs.values()):
        run(earlier, tmp_path)
    whole = load_file(run(stage, tmp_path).out / HEAD_FILE)
    (tmp_path / stage.key[:16]).rename(tmp_path / "whole")
    with pytest.raises(StageInterrupted):
        run(stage, tmp_path, stop_after=stop_after)
    resumed = load_file(run(stage, tmp_path).out / HEAD_FILE)
    assert whole.keys() == resumed.keys()
    for key, value in whole.items():
        assert torch.equal(value, resumed[key]), key


def test_the_same_cell_gives_the_same_labels(tmp_path: Path) -> None:
    stages = plan({"rib.argmax": "novel"})
    one, other = (run_all(stages["merge_masks"], tmp_path / name).out for name in ("one", "other"))
    first, second = masks(one, NAMES), masks(other, NAMES)
    assert all((first[name] == second[name]).all() for name in NAMES)
    assert _sums(folder(tmp_path / "one", stages["activation_maps"])) == _sums(
        folder(tmp_path / "other", stages["activation_maps"])
    )


@pytest.mark.parametrize("backend", ["exact", "grid", pytest.param("pydensecrf", marks=pytest.mark.needs("crf"))])
def test_a_result_says_which_crf_it_had(backend: str, tmp_path: Path) -> None:
    facts = summary(run_all(plan({"rib.crf_backend": backend})["label_training_images"], tmp_path))
    assert facts[f"crf_{backend}"] == len(NAMES)
    assert 0 < facts["labelled_share"] <= 1


def test_one_step_is_the_control_without_finetuning(tmp_path: Path) -> None:
    facts = summary(run_all(plan({"rib.steps": 1})["activation_maps"], tmp_path))
    assert facts["updates"] == 0


def test_background_can_be_a_class_nothing_or_what_it_rejects() -> None:
    image = np.full((16, 16, 3), 100, np.uint8)
    image[:, :5], image[:, 11:] = 250, 0
    weak = np.full((16, 16), 0.05, np.float32)
    weak[:, :5], weak[:, 5:11] = 0.9, 0.25
    other = np.full((16, 16), 0.01, np.float32)
    cam = Cam(np.array([3, 7]), np.stack([weak, other]), np.stack([weak, other]))
    found = {
        kind: confident_labels(image, cam, MiningPart(background=kind, crf_scale=0.1), 20)
        for kind in ("reject", "none", "class")
    }
    assert (found["reject"][:, 1:4] == 3).all()
    assert (found["reject"][:, 12:] == VOID).all()
    assert (found["none"][:, 12:] == VOID).all()
    assert (found["class"][:, 12:] == 20).all()
    assert (found["class"][:, 7:9] == VOID).all()  # not sure, but likely
    assert set(np.unique(found["class"])) <= {3, 20, VOID}


def test_responses_stay_on_their_side_of_an_edge() -> None:
    cam = torch.zeros(2, 8, 8)
    cam[0, 2, 1] = cam[1, 2, 6] = 1.0
    edge = torch.zeros(8, 8)
    edge[:, 4] = 1.0
    response = spread(cam, edge, WalkPart(walk_radius=3, steps_log2=4)).float()
    assert response.max() == 1
    assert (response[0, :, :4] > 0).all()
    assert (response[0, :, 5:] == 0).all()
    labels = decided(response.half(), [4, 9], (30, 32), 0.0)
    assert labels.shape == (30, 32)
    assert (labels[:, :12] == 4).all()
    assert (labels[:, 24:] == 9).all()
    among = np.zeros((30, 32), np.bool_)
    among[:, 24:] = True
    only = decided(response.half(), [4, 9], (30, 32), 0.0, among)
    assert (only[:, :24] == VOID).all()
    assert (only[:, 24:] == 9).all()
    strict = decided(response.half(), [4, 9], (30, 32), 0.99)
    assert 0 < (strict != VOID).mean() < 0.1
    assert (decided(response[:0].half(), [], (30, 32), 0.0) == VOID).all()


def test_what_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    stages = plan({"rib.argmax": "novel"})
    run_all(stages["merge_masks"], tmp_path)
    walked = folder(tmp_path, stages["propagate"])
    np.save(response_path(walked, NAMES[0]), np.zeros((1, 2, 3), np.float16))
    with pytest.raises(BenchmarkError, match="expected"):
        run(stages["merge_masks"], tmp_path)
    response_path(walked, NAMES[0]).unlink()
    with pytest.raises(BenchmarkError, match="no responses of this image"):
        run(stages["merge_masks"], tmp_path)
    (folder(tmp_path, stages["train_edges"]) / HEAD_FILE).write_bytes(b"nothing")
    with pytest.raises(BenchmarkError, match="edge network"):
        run(stages["propagate"], tmp_path)
    mask_path(folder(tmp_path, stages["label_training_images"]), NAMES[2]).unlink()
    with pytest.raises(BenchmarkError, match=r"all base\.png"):
        run(stages["train_edges"], tmp_path)
    cam_path(folder(tmp_path, stages["activation_maps"]), NAMES[1]).unlink()
    with pytest.raises(BenchmarkError, match=r"two bases\.npz"):
        run(stages["label_training_images"], tmp_path)
    (folder(tmp_path, stages["pretrain"]) / CLASSIFIER_FILE).unlink()
    with pytest.raises(BenchmarkError, match="holds no classifier"):
        run(stages["activation_maps"], tmp_path)


def test_a_missing_or_wrong_mask_is_named_too(tmp_path: Path) -> None:
    stages = plan()
    run_all(stages["merge_masks"], tmp_path)
    path = mask_path(folder(tmp_path, stages["propagate"]), NAMES[0])
    Image.fromarray(np.zeros((3, 3), np.uint8)).save(path)
    with pytest.raises(BenchmarkError, match="its image is"):
        run(stages["merge_masks"], tmp_path)
    path.unlink()
    with pytest.raises(BenchmarkError, match="cannot be read"):
        run(stages["merge_masks"], tmp_path)


def test_edges_cannot_be_learnt_without_tags(tmp_path: Path) -> None:
    class Nothing(Pictures):
        def mask(self, image_id: str) -> Any:
            return np.full((24, 32), VOID, np.uint8)

    stages = plan()
    run(stages["pretrain"], tmp_path)
    for name in OWN[:2]:
        run(stages[name], tmp_path, Nothing())
    with pytest.raises(BenchmarkError, match="no training image has a tag"):
        run(stages["train_edges"], tmp_path, Nothing())


def test_the_backbone_is_not_trained_and_the_edges_learn(tmp_path: Path) -> None:
    stage = plan({"rib.edge_iterations": 100, "rib.edge_lr": 0.02})["train_edges"]
    context = run_all(stage, tmp_path)
    assert context.curves[100]["total"] < context.curves[50]["total"]
    saved: dict[str, Tensor] = load_file(context.out / HEAD_FILE)
    backbone = load_file(folder(tmp_path, stage.inputs["backbone"]) / BACKBONE_FILE)
    assert not set(saved) & set(backbone)
    assert [path.name for path in context.out.iterdir()] == [HEAD_FILE]


def _sums(where: Path) -> dict[str, dict[str, bytes]]:
    found = {}
    for path in sorted(where.rglob("*.npz")):
        with np.load(path) as file:
            found[path.name] = {name: file[name].tobytes() for name in file.files}
    return found


def _recorded(monkeypatch: pytest.MonkeyPatch, dies_at: int | None = None) -> list[int]:
    """Return a list that grows by every image that is fine-tuned; the first time at ``dies_at``, the process dies."""
    made: list[int] = []
    original = Finetuner.run

    def recorded(self: Finetuner, index: int) -> Finetuned:
        made.append(index)
        if index == dies_at and made.count(index) == 1:
            raise KeyboardInterrupt
        return original(self, index)

    monkeypatch.setattr(Finetuner, "run", recorded)
    return made
