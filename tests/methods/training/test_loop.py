"""The training loop: schedule, gradient averaging, divergence, exact resume."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmark.errors import BenchmarkError
from benchmark.files import FULL, naming, unsealed
from benchmark.stage import StageInterrupted
from methods.settings import TrainingSettings
from methods.training import distributed
from methods.training import loop as training
from methods.training.loop import Checkpoint, TrainingDivergedError, learning_rate_factor, train
from tests.methods.support import FakeContext

SETTINGS = TrainingSettings(iterations=7, lr=0.1, weight_decay=0.01, clip=1.0, warmup=2, log_every=3)


def small_module() -> nn.ModuleDict:
    torch.manual_seed(0)
    return nn.ModuleDict({"net": nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))})


def run(folder: Path, *, stop_after: int | None = None, micro_batches: int = 1) -> tuple[nn.ModuleDict, FakeContext]:
    modules = small_module()
    context = FakeContext(folder, stop_after=stop_after)

    def losses(step: int) -> Iterator[dict[str, Tensor]]:
        x = torch.randn(8, 4, generator=torch.Generator().manual_seed(step))
        for part in x.chunk(micro_batches):
            yield {"total": modules["net"](part).square().mean()}

    groups = [{"params": list(modules.parameters()), "lr": SETTINGS.lr, "weight_decay": SETTINGS.weight_decay}]
    train(context, modules, groups, losses, SETTINGS, seed=3, checkpoint_seconds=0.0)
    return modules, context


@pytest.mark.parametrize("stop_after", range(1, 7))
def test_a_run_stopped_anywhere_ends_with_the_same_weights(tmp_path: Path, stop_after: int) -> None:
    whole, whole_context = run(tmp_path / "whole")
    with pytest.raises(StageInterrupted):
        run(tmp_path / "parts", stop_after=stop_after)
    resumed, resumed_context = run(tmp_path / "parts")
    assert resumed_context.reports == 7 - stop_after
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    for step, point in resumed_context.curves.items():
        assert point == whole_context.curves[step]


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def zeroed(content: bytes) -> bytes:
    return content[: len(content) // 2] + bytes(len(content) - len(content) // 2)


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [cut, zeroed, flipped, lambda _: b""])
def test_a_torn_checkpoint_starts_the_training_afresh_in_the_same_attempt(
    tmp_path: Path, damage: Callable[[bytes], bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    whole, _ = run(tmp_path / "whole")
    with pytest.raises(StageInterrupted):
        run(tmp_path / "parts", stop_after=4)
    checkpoint = tmp_path / "parts" / "scratch" / "checkpoint.pt"
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    resumed, context = run(tmp_path / "parts")
    assert context.reports == 7
    assert "starting afresh" in capsys.readouterr().out
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_checkpoint_of_an_older_version_is_gone_on_from(tmp_path: Path) -> None:
    with pytest.raises(StageInterrupted):
        run(tmp_path, stop_after=4)
    checkpoint = tmp_path / "scratch" / "checkpoint.pt"
    content = unsealed(checkpoint)
    assert content
    checkpoint.write_bytes(content)
    assert run(tmp_path)[1].reports == 3


def test_curves_are_means_over_the_window_and_the_last_step_is_logged(tmp_path: Path) -> None:
    _, context = run(tmp_path)
    assert list(context.curves) == [3, 6, 7]
    assert {"total", "lr", "gradient_norm"} <= set(context.curves[7])


@pytest.mark.parametrize("groups", [1, 2])
def test_passes_are_added_up_and_groups_averaged(groups: int, tmp_path: Path) -> None:
    curves = []
    settings = replace(SETTINGS, emulate_world_size=groups)
    for folder, parts in (("one", 1), ("four", 4)):
        net = nn.Linear(4, 1, bias=False)
        nn.init.ones_(net.weight)
        x = torch.arange(32.0).view(8, 4) / 32

        def losses(_: int, net: nn.Linear = net, parts: int = parts, x: Tensor = x) -> Iterator[dict[str, Tensor]]:
            for part in x.chunk(parts):
                yield {"total": net(part).sum() / 8}

        parameters = [{"params": [net.weight], "lr": 0.1, "weight_decay": 0.0}]
        context = FakeContext(tmp_path / folder)
        train(context, nn.ModuleDict({"net": net}), parameters, losses, settings, seed=0)
        curves.append(context.curves)
    assert curves[0][3]["gradient_norm"] == pytest.approx(float(x.mean(0).norm()) / groups)
    assert all(curves[1][step] == pytest.approx(point) for step, point in curves[0].items())


def test_processes_that_see_different_checkpoints_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others = {"steps": [0, 8]}

    def added(values: list[float], device: str) -> list[float]:
        return [value + sum(step**power for step in others["steps"]) for power, value in enumerate(values, 1)]

    monkeypatch.setattr(distributed, "size", lambda: 3)
    monkeypatch.setattr(distributed, "added", added)
    with pytest.raises(BenchmarkError, match="this one goes on at iteration 4, others elsewhere"):
        training._check_start(4, FakeContext(tmp_path))
    others["steps"] = [4, 4]
    training._check_start(4, FakeContext(tmp_path))


def test_a_loss_that_is_not_finite_names_itself_and_the_iteration(tmp_path: Path) -> None:
    net = nn.Linear(1, 1)

    def losses(step: int) -> Iterator[dict[str, Tensor]]:
        yield {"total": net(torch.ones(1)).sum() * (float("nan") if step == 2 else 1.0)}

    groups = [{"params": list(net.parameters()), "lr": 0.1, "weight_decay": 0.0}]
    with pytest.raises(TrainingDivergedError, match=r"iteration 2: total = nan"):
        train(FakeContext(tmp_path), nn.ModuleDict({"net": net}), groups, losses, SETTINGS, seed=0)


def test_learning_rate_warms_up_then_decays_polynomially() -> None:
    factors = [learning_rate_factor(t, SETTINGS) for t in range(7)]
    assert factors[0] == pytest.approx(1 / 3)
    assert factors[2] == pytest.approx((5 / 7) ** 0.9)
    assert factors[2:] == sorted(factors[2:], reverse=True)


def test_learning_rate_agrees_with_the_reference(released: Mapping[str, Any]) -> None:
    schedule = TrainingSettings()
    for step, lr in zip(released["lr_iters"], released["lr_60k"], strict=True):
        assert schedule.lr * learning_rate_factor(int(step), schedule) == pytest.approx(lr, rel=1e-9)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_checkpoint_that_finds_the_disk_full_says_so(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.part").symlink_to("/dev/full")
    modules = small_module()
    checkpoint = Checkpoint(tmp_path / "checkpoint.pt", modules, torch.optim.AdamW(modules.parameters()))
    with pytest.raises(BenchmarkError, match="the disk is full"), naming(tmp_path, "Way out.", FULL):
        checkpoint.save(1, [])
    assert not checkpoint.path.exists()
