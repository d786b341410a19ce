"""What a GPU may round, and that bfloat16 stays within the network."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from methods.maskformer.network import Output, build_maskformer
from methods.settings import MaskFormerSettings, Precision, TrainingSettings
from methods.training.loop import train
from methods.training.precision import arithmetic, forward
from tests.methods.support import FakeContext

SMALL = MaskFormerSettings("narrow", 8, "", 16, 16, 2, 32, 2, queries=5, dropout=0.0, memory_stride=8)


def modes() -> tuple[str, str]:
    cudnn: Any = torch.backends.cudnn
    return cudnn.conv.fp32_precision, torch.backends.cuda.matmul.fp32_precision


@pytest.mark.parametrize(("precision", "mode"), [("fp32", "ieee"), ("tf32", "tf32"), ("bf16", "ieee")])
def test_a_training_says_what_convolutions_and_products_may_round(
    precision: Precision, mode: str, tmp_path: Path
) -> None:
    before, seen = modes(), []
    net = nn.Linear(1, 1)

    def losses(_: int) -> list[dict[str, Tensor]]:
        seen.append(modes())
        return [{"total": net(torch.ones(1)).sum()}]

    settings = TrainingSettings(iterations=2, precision=precision)
    groups = [{"params": list(net.parameters()), "lr": 0.1, "weight_decay": 0.0}]
    train(FakeContext(tmp_path), nn.ModuleDict({"net": net}), groups, losses, settings, seed=0)
    assert seen == [(mode, mode)] * 2
    assert modes() == before


def test_the_mode_comes_back_after_an_error() -> None:
    before = modes()
    with pytest.raises(RuntimeError), arithmetic("tf32"):
        raise RuntimeError
    assert modes() == before


def test_bfloat16_ends_where_the_network_ends() -> None:
    torch.manual_seed(0)
    model = build_maskformer(SMALL, 4).eval()
    images = torch.randn(2, 3, 32, 32)
    exact, rounded = (forward(model, images, precision) for precision in ("fp32", "bf16"))
    assert isinstance(rounded, Output)
    for one, other in zip(exact, rounded, strict=True):
        assert other.dtype == torch.float32
        assert not torch.equal(one, other)
        assert float(((one - other).norm() / one.norm()).detach()) < 0.05
    assert torch.equal(forward(model, images, "tf32").features, exact.features)  # on a CPU
    rounded.features.square().mean().backward()  # type: ignore[no-untyped-call]
    assert {p.grad.dtype for p in model.parameters() if p.grad is not None} == {torch.float32}


def test_a_single_tensor_comes_out_in_float32_too() -> None:
    layer = nn.Linear(4, 4)
    assert forward(layer, torch.randn(2, 4), "bf16").dtype == torch.float32


def test_the_layout_of_the_weights_changes_the_result_by_rounding_alone() -> None:
    torch.manual_seed(0)
    model = build_maskformer(SMALL, 4).eval()
    images = torch.randn(2, 32, 32, 3).permute(0, 3, 1, 2)
    expected = forward(model, images, "fp32")
    model.to(memory_format=torch.channels_last)
    for one, other in zip(expected, forward(model, images, "fp32"), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
