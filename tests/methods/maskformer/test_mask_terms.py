"""Focal and dice loss against plain formulas, values and gradients."""

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.maskformer.mask_terms import mask_terms


def plain(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    m, t = logits.flatten(1), targets.flatten(1).to(logits.dtype)
    s = m.sigmoid()
    ce = F.binary_cross_entropy_with_logits(m, t, reduction="none")
    right = s * t + (1 - s) * (1 - t)
    focal = ((0.25 * t + 0.75 * (1 - t)) * (1 - right) ** 2 * ce).mean(1)
    dice = 1 - (2 * (s * t).sum(1) + 1) / (s.sum(1) + t.sum(1) + 1)
    return focal, dice


def test_values_and_gradients_equal_autograd_of_the_formulas() -> None:
    torch.manual_seed(0)
    logits = 4 * torch.randn(5, 6, 7, dtype=torch.float64)
    targets = torch.rand(5, 6, 7) < 0.4
    targets[3] = False
    targets[4] = True
    weights = torch.randn(2, 5, dtype=torch.float64)
    results = []
    for terms in (mask_terms, plain):
        m = logits.clone().requires_grad_()
        focal, dice = terms(m, targets)
        (gradient,) = torch.autograd.grad(weights[0] @ focal + weights[1] @ dice, m)
        results.append((focal, dice, gradient))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_extreme_logits_stay_finite() -> None:
    logits = torch.tensor([[[-200.0, 200.0]], [[200.0, -200.0]]], requires_grad=True)
    focal, dice = mask_terms(logits, torch.tensor([[[False, True]], [[False, True]]]))
    (gradient,) = torch.autograd.grad((focal + dice).sum(), logits)
    assert gradient.isfinite().all()
    torch.testing.assert_close(focal, torch.tensor([0.0, (0.75 + 0.25) * 200 / 2]))


def test_inputs_are_left_as_they_were() -> None:
    logits, targets = torch.randn(2, 3, 3), torch.rand(2, 3, 3) < 0.5
    before = logits.clone(), targets.clone()
    mask_terms(logits.requires_grad_(), targets)
    assert torch.equal(logits, before[0])
    assert torch.equal(targets, before[1])
