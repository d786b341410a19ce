import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.simformer.simnet import SimNet


class Reference(nn.Module):
    """SimNet as released: every pair is built, then 1x1 convolutions over a J x J map."""

    def __init__(self, net: SimNet) -> None:
        super().__init__()
        self.net = net

    @staticmethod
    def convolve(layer: nn.Module, x: Tensor) -> Tensor:
        assert isinstance(layer, nn.Linear)
        return F.conv2d(x, layer.weight[:, :, None, None], layer.bias)

    @staticmethod
    def normalise(norm: nn.Module, x: Tensor) -> Tensor:
        assert isinstance(norm, nn.BatchNorm1d)
        return F.batch_norm(
            x,
            norm.running_mean,
            norm.running_var,
            norm.weight,
            norm.bias,
            norm.training,
            norm.momentum or 0.0,
            norm.eps,
        )

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        size = (len(a), a.shape[1], b.shape[1], a.shape[2])
        left, right = a[:, :, None].expand(size), b[:, None].expand(size)
        parts = [left, right, (left - right).abs()] if self.net.first.absolute_difference else [left, right]
        x = torch.cat(parts, -1).permute(0, 3, 1, 2)
        for block in (self.net.first, *self.net.rest):
            main = self.normalise(block.norm1, self.convolve(block.main1, x)).relu()
            main = self.normalise(block.norm2, self.convolve(block.main2, main)).relu()
            x = main + (self.convolve(block.skip, x).relu() if block is self.net.first else x)
        return self.convolve(self.net.head, x).softmax(1)[:, 1]


def two(blocks: int, absolute_difference: bool) -> tuple[SimNet, Reference]:
    nets = []
    for _ in range(2):
        torch.manual_seed(0)
        net = SimNet(channels=6, hidden=5, blocks=blocks, absolute_difference=absolute_difference).double()
        for norm in (m for m in net.modules() if isinstance(m, nn.BatchNorm1d)):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias)
        nets.append(net)
    return nets[0], Reference(nets[1])


@pytest.mark.parametrize("absolute_difference", [False, True])
@pytest.mark.parametrize("blocks", [1, 3])
def test_equals_convolutions_over_all_pairs(blocks: int, absolute_difference: bool) -> None:
    net, reference = two(blocks, absolute_difference)
    a, b = torch.randn(2, 7, 6).double(), torch.randn(2, 4, 6).double() + 1
    weights = torch.randn(2, 7, 4).double()
    gradients = []
    for model in (net, reference):
        inputs = a.clone().requires_grad_(), b.clone().requires_grad_()
        similarity = model(*inputs)
        (similarity * weights).sum().backward()
        gradients.append([similarity.detach(), *(x.grad for x in inputs)])
    for mine, other in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, other)
    for mine, other in zip(net.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, atol=1e-9, rtol=1e-6)


@pytest.mark.parametrize("absolute_difference", [False, True])
def test_running_statistics_and_evaluation_equal_the_reference(absolute_difference: bool) -> None:
    net, reference = two(2, absolute_difference)
    for _ in range(3):
        a, b = torch.randn(2, 7, 6).double(), torch.randn(2, 7, 6).double()
        net(a, b)
        reference(a, b)
    assert net.first.norm1.num_batches_tracked == 3
    for (name, mine), other in zip(net.named_buffers(), reference.buffers(), strict=True):
        if "num_batches" not in name:
            torch.testing.assert_close(mine, other)
    net.eval()
    reference.eval()
    reference.net.eval()
    torch.testing.assert_close(net(a, b), reference(a, b))


def test_has_the_paper_network_size() -> None:
    assert sum(p.numel() for p in SimNet().parameters()) == 595_202


def test_similarities_are_probabilities() -> None:
    similarity = SimNet(8, 8, 1)(torch.randn(2, 5, 8) * 100, torch.randn(2, 5, 8) * 100)
    assert similarity.shape == (2, 5, 5)
    assert similarity.min() >= 0
    assert similarity.max() <= 1
