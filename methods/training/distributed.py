"""One training by several processes, one for each GPU, all of them making the same step.

Every process runs the same stage function, which ``distributed_stage`` makes meet the others. Process r of R computes
the emulated ranks r, r + R, ... among which ``training.emulate_world_size`` divides a batch (the ``shares`` of the
stage), and the gradients are added up over the processes before each step (``methods.training.emulated_ranks``,
``methods.training.loop``). So a stage gives what one process gives, but for the order in which numbers are added. The
first process alone logs, saves checkpoints and writes results; a request to stop that reaches any of them stops all
before the same step, and a run goes on from a checkpoint with another number of processes as well.

The processes are started by ``run --processes``, or by srun around ``benchmark.execute.worker``. One that fails
leaves the others waiting for ``PATIENCE`` at most; whoever started them ends them before.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.profiler import record_function

from benchmark.errors import BenchmarkError
from benchmark.ranks import ProcessRank
from benchmark.stage import StageContext, StageFunction, StageInterrupted
from benchmark.wording import plural

PATIENCE = timedelta(minutes=10)


def distributed_stage(function: StageFunction) -> StageFunction:
    """Return the stage function for a stage with ``shares``: it meets the other processes before anything else."""

    @functools.wraps(function)
    def joint(context: StageContext) -> Mapping[str, Any]:
        with joined(context.process, context.device):
            return function(context)

    return joint


@contextmanager
def joined(process: ProcessRank, device: str) -> Iterator[None]:
    """Meet the other processes, over NCCL for GPUs and Gloo for CPUs. ``cuda`` means this process' own GPU within."""
    if process.size == 1:
        yield
        return
    gpu = device.startswith("cuda")
    if gpu:
        torch.cuda.set_device(process.local % torch.cuda.device_count())
    dist.init_process_group(
        "nccl" if gpu else "gloo",
        init_method=process.init_method,
        rank=process.rank,
        world_size=process.size,
        timeout=PATIENCE,
    )
    try:
        yield
    except StageInterrupted:
        dist.destroy_process_group()
        raise
    dist.destroy_process_group()  # not after a failure: NCCL would wait for the others, who wait for this process


def rank() -> int:
    """Return which of the processes this is; 0 where it is alone."""
    return dist.get_rank() if _several() else 0


def size() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if _several() else 1


def added(values: Sequence[float], device: str | torch.device) -> list[float]:
    """Return the sums of the values over the processes, exact for whole numbers below 2^53."""
    if size() == 1:
        return list(values)
    sums = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(sums)
    found: list[float] = sums.tolist()
    return found


def add_gradients(parameters: Sequence[Tensor]) -> None:
    """Add up the gradients of the parameters over the processes; one that no process has stays None."""
    if size() == 1:
        return
    missing = torch.tensor([p.grad is None for p in parameters], dtype=torch.float32, device=parameters[0].device)
    pieces = [torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for p in parameters]
    flat = torch.cat([*pieces, missing])
    with record_function("step: all processes"):
        dist.all_reduce(flat)
    *pieces, missing = torch.split(flat, [*(p.numel() for p in parameters), len(parameters)])
    for parameter, piece, absent in zip(parameters, pieces, missing.tolist(), strict=True):
        if absent < size():
            # In the parameter's own layout: a fused optimiser walks through both side by side.
            parameter.grad = torch.empty_like(parameter) if parameter.grad is None else parameter.grad
            parameter.grad.copy_(piece.view_as(parameter))


def copy_to_all(tensors: Sequence[Tensor], owner: int) -> None:
    """Overwrite the tensors by those of process ``owner``."""
    if size() > 1:
        for tensor in tensors:
            dist.broadcast(tensor, owner)


def check_share(ranks: int) -> None:
    """Raise BenchmarkError unless every process gets the same number of emulated ranks."""
    if ranks % size():
        raise BenchmarkError(
            f"this training emulates {plural(ranks, 'rank')}, which {size()} processes cannot share "
            f"equally: start another number of processes, or set training.emulate_world_size to a multiple of {size()}."
        )


def _several() -> bool:
    return dist.is_available() and dist.is_initialized()
