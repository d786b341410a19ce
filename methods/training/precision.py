"""How precisely a GPU computes: IEEE single precision, TF32, or bfloat16 in the network alone [2.6]."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.profiler import record_function

from methods.settings import Precision

Out = TypeVar("Out", Tensor, tuple[Tensor, ...])


@contextmanager
def arithmetic(precision: Precision) -> Iterator[None]:
    """Convolve and multiply in TF32 where that is asked for, and else never; PyTorch lets cuDNN do it unasked."""
    cudnn: Any = torch.backends.cudnn
    backends = (cudnn.conv, torch.backends.cuda.matmul)
    before = [backend.fp32_precision for backend in backends]
    for backend in backends:
        backend.fp32_precision = "tf32" if precision == "tf32" else "ieee"
    try:
        yield
    finally:
        for backend, value in zip(backends, before, strict=True):
            backend.fp32_precision = value


def forward(model: Callable[[Tensor], Out], images: Tensor, precision: Precision) -> Out:
    """Return what the network says about the images, in float32 whatever it computes in."""
    with record_function("step: forward"):
        if precision != "bf16":
            return model(images)
        with torch.autocast(images.device.type, torch.bfloat16):
            output = model(images)
        if isinstance(output, Tensor):
            return output.float()
        return type(output)(*(field.float() for field in output))
