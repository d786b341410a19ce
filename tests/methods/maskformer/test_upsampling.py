import pytest
import torch
import torch.nn.functional as F

from methods.maskformer.upsampling import interpolation_matrix, upsampled


@pytest.mark.parametrize(("old", "new"), [((4, 6), (16, 24)), ((5, 3), (17, 12)), ((1, 2), (4, 4)), ((8, 8), (8, 8))])
def test_equals_bilinear_interpolation(old: tuple[int, int], new: tuple[int, int]) -> None:
    torch.manual_seed(0)
    maps = torch.randn(3, *old, requires_grad=True)
    ours, theirs = upsampled(maps, new), F.interpolate(maps[None], size=new, mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    weight = torch.randn(3, *new)
    gradients = [torch.autograd.grad((weight * up).sum(), maps)[0] for up in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-5)


def test_weights_made_at_test_time_serve_in_training() -> None:
    interpolation_matrix.cache_clear()
    with torch.inference_mode():
        upsampled(torch.zeros(1, 3, 3), (6, 6))
    maps = torch.ones(1, 3, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(upsampled(maps, (6, 6)).sum(), maps)
    torch.testing.assert_close(gradient.sum(), torch.tensor(36.0))
