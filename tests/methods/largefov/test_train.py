"""LargeFOV's loss, schedule, inference and stage, at smoke size."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file

from benchmark.errors import BenchmarkError
from benchmark.labels import mask_path
from benchmark.metrics import Counts
from benchmark.stage import Stage, StageInterrupted, closure
from methods.largefov.network import LargeFov, LargeFovShape
from methods.largefov.train import pixel_loss, schedule
from methods.prediction import predict
from methods.settings import InputSettings, LargeFovSettings
from methods.training.loop import learning_rate_factor
from methods.weights.checkpoints import MODEL_FILE, load_backbone, load_model, save_model, save_tensors
from tests.methods.support import FakeContext, Few, plan, run

SHAPE = LargeFovShape("narrow", 8, hidden=16, dilation=3)
INPUT = InputSettings(test_short=32, test_longest=48)
LARGEFOV = {"retrain.network": "largefov"}


def model() -> LargeFov:
    torch.manual_seed(0)
    return LargeFov(SHAPE, 6).eval()


def some_labels() -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (2, 4, 5, 6); labels with classes 0-3, some unknown, the second crop with a single known pixel."""
    torch.manual_seed(0)
    labels = torch.randint(4, (2, 5, 6), dtype=torch.uint8)
    labels[0, 0] = 255
    labels[1] = 255
    labels[1, 2, 3] = 1
    return torch.randn(2, 4, 5, 6), labels


def test_the_loss_is_the_mean_over_each_crops_known_pixels() -> None:
    logits, labels = some_labels()
    each = [F.cross_entropy(logits[i : i + 1], labels[i : i + 1].long(), ignore_index=255) for i in range(2)]
    torch.testing.assert_close(pixel_loss(logits, labels), torch.stack(each).mean())


@pytest.mark.parametrize("balanced", [(), (3,)])
def test_crops_without_labels_give_no_loss_and_no_gradient(balanced: tuple[int, ...]) -> None:
    logits = torch.randn(2, 4, 5, 6, requires_grad=True)
    loss = pixel_loss(logits, torch.full((2, 5, 6), 255, dtype=torch.uint8), balanced)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_the_balanced_loss_adds_the_means_of_base_and_novel_pixels() -> None:
    logits, labels = some_labels()
    pixels = F.cross_entropy(logits, labels.long().clamp(max=3), reduction="none")
    novel, base = labels.eq(2) | labels.eq(3), labels < 2
    expected = pixels[base].mean() + pixels[novel].mean()
    torch.testing.assert_close(pixel_loss(logits, labels, (2, 3)), expected)
    base_alone = torch.where(novel, 255, labels)
    torch.testing.assert_close(pixel_loss(logits, base_alone, (2, 3)), pixels[base].mean())


@pytest.mark.parametrize("balanced", [(), (3,)])
@pytest.mark.parametrize("size", [1, 2])
def test_parts_of_a_batch_add_up_to_it(balanced: tuple[int, ...], size: int) -> None:
    logits, labels = (torch.cat([one, one.flip(2)]) for one in some_labels())
    parts = zip(torch.split(logits, size), torch.split(labels, size), strict=True)
    found = sum(pixel_loss(one, known, balanced, labels) for one, known in parts)
    torch.testing.assert_close(found, pixel_loss(logits, labels, balanced))


def test_the_schedule_is_the_papers() -> None:
    paper = schedule(LargeFovSettings())
    for step in (0, 1, 7_500, 14_999):
        assert learning_rate_factor(step, paper) == pytest.approx((1 - step / 15_000) ** 0.9)
    assert paper.clip == float("inf")
    assert schedule(LargeFovSettings(clip=2.0)).clip == 2.0


def test_prediction_resizes_and_comes_back_to_the_image() -> None:
    image = np.random.default_rng(0).integers(0, 255, (70, 90, 3)).astype(np.uint8)
    found = predict(model(), image, INPUT)
    assert found.shape == (70, 90)
    assert found.dtype == np.int64
    assert len(np.unique(found)) > 1
    with pytest.raises(ValueError, match="evaluation mode"):
        predict(model().train(), image, INPUT)


def test_a_network_comes_back_and_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "model"
    save_model(path, model(), SHAPE, classes=6)
    with safe_open(path, "pt") as file:
        assert set(file.metadata()) == {"largefov", "classes"}
    back = load_model(path)
    assert isinstance(back, LargeFov)
    assert not back.training
    assert all(torch.equal(back.state_dict()[name], value) for name, value in model().state_dict().items())


def test_a_backbone_of_another_width_is_refused(tmp_path: Path) -> None:
    other = LargeFov(LargeFovShape("narrow", 4, hidden=16, dilation=3), 6)
    save_tensors(tmp_path / "backbone", other.backbone.state_dict())
    with pytest.raises(BenchmarkError, match="does not fit this backbone"):
        load_backbone(model(), tmp_path / "backbone")


def retraining(overrides: Mapping[str, Any] | None = None) -> Stage:
    return plan("simformer", "retrained", {"simformer.points": 20, **LARGEFOV, **(overrides or {})}).inputs["model"]


def with_inputs(stage: Stage, root: Path, few: Few) -> None:
    for parent in closure(stage.inputs.values()):
        run(parent, root, few)


def train(stage: Stage, root: Path, few: Few, name: str, **extra: Any) -> FakeContext:
    """Run the training itself in a folder of its own, so that its inputs serve several runs."""
    from methods.largefov.train import train_largefov

    inputs = {role: root / parent.key / "out" for role, parent in stage.inputs.items()}
    context = FakeContext(root / name, params=stage.params, inputs=inputs, data=few, **extra)
    train_largefov(context)
    return context


def test_a_retrained_network_is_evaluated_and_never_trains_without_a_pseudo_label(tmp_path: Path, few: Few) -> None:
    stage = retraining()
    with_inputs(stage, tmp_path, few)
    run(stage, tmp_path, few)
    evaluation = plan("simformer", "retrained", {"simformer.points": 20, **LARGEFOV})
    counts = Counts.load(run(evaluation, tmp_path, few).out / "counts.npz")
    assert len(counts.image_ids) == 12
    missing = mask_path(tmp_path / stage.inputs["pseudo_labels"].key / "out", few.ids("train")[3])
    missing.unlink()
    with pytest.raises(BenchmarkError, match=missing.name):
        train(stage, tmp_path, few, "without")


def test_training_resumes_bit_for_bit_and_switches_reach_it(tmp_path: Path, few: Few) -> None:
    stage = retraining({"largefov.iterations": 5})
    with_inputs(stage, tmp_path, few)
    whole = train(stage, tmp_path, few, "whole")
    expected = load_file(whole.out / MODEL_FILE)
    for stop_after in (1, 3):
        name = f"parts {stop_after}"
        with pytest.raises(StageInterrupted):
            train(stage, tmp_path, few, name, stop_after=stop_after)
        found = load_file(train(stage, tmp_path, few, name).out / MODEL_FILE)
        assert all(torch.equal(value, found[key]) for key, value in expected.items())
    for switch in (
        {"largefov.balanced": True},
        {"largefov.momentum": 0.5},
        {"largefov.optimiser": "adamw"},
        {"largefov.freeze_norms": False},
        {"largefov.precision": "bf16"},
    ):
        other = retraining({"largefov.iterations": 5, **switch})
        assert other.key != stage.key
        changed = train(other, tmp_path, few, next(iter(switch)))
        assert changed.curves[5] != whole.curves[5]


def test_without_pseudo_labels_every_mask_is_used(tmp_path: Path, few: Few) -> None:
    stage = retraining()
    run(stage.inputs["backbone"], tmp_path, few)
    params = {**stage.params, "novel": []}
    supervised = Stage("train", "", stage.function, 1, params, {"backbone": stage.inputs["backbone"]})
    context = run(supervised, tmp_path, few)
    assert context.curves[max(context.curves)]["total"] > 0
    before = load_file(tmp_path / stage.inputs["backbone"].key / "out" / "backbone.safetensors")
    after = load_file(context.out / MODEL_FILE)
    assert not torch.equal(after["backbone.stem.0.weight"], before["stem.0.weight"])
    assert torch.equal(after["backbone.stem.1.running_mean"], before["stem.1.running_mean"])
