"""One training on several GPUs: one process for each, all of them making the same step.

Every process runs the same stage function. Process r of R computes groups r, r + R, ... of the groups that
``training.emulate_world_size`` cuts a batch into, and the gradients are added up over the processes before each step
(``methods.groups``, ``methods.training``). So a stage gives what one process gives, but for the order in which numbers
are added. The first process alone logs, saves checkpoints and writes results; a request to stop that reaches any of
them stops all before the same step, and a run goes on from a checkpoint with another number of processes as well.

A script that has a stage function and a context is started once for each GPU, by either of

    torchrun --nproc-per-node 4 SCRIPT
    srun --ntasks 4 --gpus-per-task 1 --kill-on-bad-exit python SCRIPT

and says

    make_together(train_simformer, context, find_place())

One process that fails leaves the others waiting for ``PATIENCE``; the launcher is to end them. Stages that do not train
are made by one process.
"""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor
from torch.profiler import record_function

from benchmark.errors import BenchmarkError
from benchmark.stage import StageContext, StageFunction

if TYPE_CHECKING:
    from benchmark.datasets import Dataset, TrainingView

PATIENCE = timedelta(minutes=10)


class Place(NamedTuple):
    """A process among those of a training.

    Attributes:
        rank: 0 is the first.
        size: number of processes.
        local: rank among those on the same node.
        meeting: URL at which they find each other.
    """

    rank: int = 0
    size: int = 1
    local: int = 0
    meeting: str = "env://"


def find_place(environment: Mapping[str, str] = os.environ) -> Place:
    """Return where torchrun or srun has put this process; the only one, where neither has started it."""
    if "WORLD_SIZE" in environment:
        rank, size, local = (int(environment[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
        return Place(rank, size, local)
    size = int(environment.get("SLURM_STEP_NUM_TASKS", "1"))
    if size == 1:
        return Place()
    job, step, rank, local = (int(environment[f"SLURM_{name}"]) for name in ("JOB_ID", "STEP_ID", "PROCID", "LOCALID"))
    host = environment.get("MASTER_ADDR") or _first_host(environment["SLURM_STEP_NODELIST"])
    port = environment.get("MASTER_PORT") or 20_000 + (job + 101 * step) % 20_000  # trainings may share a node
    return Place(rank, size, local, f"tcp://{host}:{port}")


def _first_host(nodes: str) -> str:
    """Return ``n07`` for Slurm's ``n[07-08,11]`` and for ``n07,m1``."""
    return re.sub(r"^([^,\[]*)(?:\[([^-,\]]*).*|,.*)?$", r"\1\2", nodes)


@contextmanager
def joined(place: Place, device: str) -> Iterator[None]:
    """Meet the other processes, over NCCL for GPUs and Gloo for CPUs. ``cuda`` means this process' own GPU within."""
    if place.size == 1:
        yield
        return
    gpu = device.startswith("cuda")
    if gpu:
        torch.cuda.set_device(place.local % torch.cuda.device_count())
    dist.init_process_group(
        "nccl" if gpu else "gloo",
        init_method=place.meeting,
        rank=place.rank,
        world_size=place.size,
        timeout=PATIENCE,
    )
    try:
        yield
    finally:
        dist.destroy_process_group()


def make_together(function: StageFunction, context: StageContext, place: Place) -> Mapping[str, Any]:
    """Run a stage function as one of several processes; only the first leaves anything behind.

    Args:
        function: a training.
        context: of the stage, the same on every process, on a file system that all of them see.
        place: of this process.
    """
    with joined(place, context.device):
        if place.rank == 0:
            return function(context)
        with tempfile.TemporaryDirectory(prefix="weakshot-process-") as folder:
            return function(Follower(context, Path(folder)))


class Follower:
    """The context of a process other than the first: it reads what the first reads, and writes where nobody looks."""

    def __init__(self, context: StageContext, out: Path) -> None:
        self._context = context
        self.params, self.hints, self.inputs = context.params, context.hints, context.inputs
        self.scratch, self.device, self.out = context.scratch, context.device, out

    def dataset(self) -> "Dataset":
        return self._context.dataset()

    def training_view(self) -> "TrainingView":
        return self._context.training_view()

    def log(self, step: int, **metrics: float) -> None:
        pass

    def progress(self, done: int, total: int) -> None:
        pass

    @property
    def stop_requested(self) -> bool:
        return self._context.stop_requested


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


def check_share(groups: int) -> None:
    """Raise BenchmarkError unless every process gets the same number of groups of a batch."""
    if groups % size():
        raise BenchmarkError(
            f"a batch of this training is {groups} group{'s'[: groups > 1]}, which {size()} processes cannot share "
            f"equally: start another number of processes, or set training.emulate_world_size to a multiple of {size()}."
        )


def _several() -> bool:
    return dist.is_available() and dist.is_initialized()
