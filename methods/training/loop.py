"""The one training loop: AdamW or another optimiser, polynomial decay, clipping, exact resume, several processes."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn
from torch.profiler import record_function

from benchmark.errors import BenchmarkError
from benchmark.files import seal_file, sync, unsealed
from benchmark.randomness import subseed
from benchmark.stage import StageContext, StageInterrupted
from methods.settings import TrainingSettings
from methods.training import distributed
from methods.training.precision import arithmetic
from methods.training.snapshots import Snapshots, iterations_kept

CHECKPOINT_SECONDS = 30.0

Losses = dict[str, Tensor]
ParameterGroups = Sequence[dict[str, Any]]


class TrainingDivergedError(BenchmarkError):
    """The loss is no longer finite; running the stage again would give the same."""


def learning_rate_factor(step: int, settings: TrainingSettings) -> float:
    """Return lr(step) / lr(0): linear warm-up, then (1 - step/T)^poly [2.6]; no floor."""
    warm = min(1.0, (step + 1) / (settings.warmup + 1))
    return float(warm * (1 - step / settings.iterations) ** settings.poly)


def adamw(groups: ParameterGroups) -> torch.optim.Optimizer:
    """Return AdamW over parameter groups [2.6]."""
    return torch.optim.AdamW(groups, fused=True)


def train(
    context: StageContext,
    modules: nn.ModuleDict,
    groups: ParameterGroups,
    losses: Callable[[int], Iterable[Losses]],
    settings: TrainingSettings,
    *,
    seed: int,
    replicas: Sequence[nn.Module] = (),
    optimiser_of: Callable[[ParameterGroups], torch.optim.Optimizer] = adamw,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    save: Callable[[Path], None] | None = None,
) -> dict[str, float]:
    """Train ``modules`` in place and return the last logged losses.

    Args:
        context: where curves, progress and checkpoints go.
        modules: everything with state: networks and criteria.
        groups: parameter groups of the optimiser; their ``lr`` is the initial one.
        losses: step -> one loss dict for each backward pass of this process, with the key ``total``. They are summed
            over passes and processes and divided by ``settings.emulate_world_size``: the passes of an emulated rank
            add up to its loss. Each is used for backward before the next is asked for, so that memory holds one graph.
        settings: the schedule, and how precisely the steps compute.
        seed: of dropout and of everything else that draws from torch's global generator. Step t starts from a state
            that depends on (seed, t) alone: a resumed run goes on bit for bit on CPU.
        replicas: of ``modules``, one an emulated rank; the buffers of each are those of the process that computes it.
        optimiser_of: makes the optimiser of the groups; its state is part of every checkpoint.
        checkpoint_seconds: time between checkpoints.
        save: writes the network into a file. It is called for each of ``settings.snapshots`` but the last, which is the
            caller's; the result's folder holds them when this returns.

    Raises:
        TrainingDivergedError: a loss is NaN or infinite.
        BenchmarkError: the processes cannot share the emulated ranks, or found different checkpoints.
        StageInterrupted: after a checkpoint, when the context asks to stop.
    """
    distributed.check_share(settings.emulate_world_size)
    optimiser = optimiser_of(groups)
    initial = [group["lr"] for group in optimiser.param_groups]
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    checkpoint = Checkpoint(context.scratch / "checkpoint.pt", modules, optimiser, replicas)
    snapshots = _snapshots(context, settings, save)
    start, window = checkpoint.restore(snapshots.sound)
    _check_start(start, context)
    saved = time.monotonic()
    means: dict[str, float] = {}
    modules.train()
    for step in range(start, settings.iterations):
        stop, due = context.stop_requested, distributed.rank() == 0 and time.monotonic() - saved > checkpoint_seconds
        stop, due = (count > 0 for count in distributed.added([stop, due], context.device))
        if stop or due:
            checkpoint.save(step, window)
            saved = time.monotonic()
        if stop:
            raise StageInterrupted
        torch.manual_seed(subseed(seed, "torch", step))
        for group, lr in zip(optimiser.param_groups, initial, strict=True):
            group["lr"] = lr * learning_rate_factor(step, settings)
        optimiser.zero_grad(set_to_none=True)
        with arithmetic(settings.precision):
            values = _backward(losses(step), parameters, settings.emulate_world_size, step)
        with record_function("step: optimiser"):
            norm = nn.utils.clip_grad_norm_(parameters, settings.clip, foreach=True)
            optimiser.step()
        window.append({**values, "gradient_norm": float(norm)})
        if (step + 1) % settings.log_every == 0 or step + 1 == settings.iterations:
            means = {name: math.fsum(v.get(name, 0.0) for v in window) / len(window) for name in window[-1]}
            context.log(step + 1, lr=optimiser.param_groups[0]["lr"], **means)
            window.clear()
        snapshots.keep(step + 1)
        context.progress(step + 1, settings.iterations)
    snapshots.publish(context.out)
    modules.eval()
    return means


def _check_start(step: int, context: StageContext) -> None:
    """Raise BenchmarkError unless all processes start at the same step."""
    total, squares = distributed.added([step, step * step], context.device)
    if squares * distributed.size() != total * total:  # they differ, and every process sees it
        raise BenchmarkError(
            f"the processes of this training do not see the same checkpoint in {context.scratch}: this one goes on at "
            f"iteration {step}, others elsewhere. Put the store on a file system that all nodes share."
        )


def _snapshots(context: StageContext, settings: TrainingSettings, save: Callable[[Path], None] | None) -> Snapshots:
    """Return what keeps networks on the way: of several processes the first alone."""
    if save is None or distributed.rank() > 0:
        return Snapshots(context.scratch, (), lambda _: None)
    return Snapshots(context.scratch, iterations_kept(settings.iterations, settings.snapshots), save)


def _backward(passes: Iterable[Losses], parameters: Sequence[Tensor], ranks: int, step: int) -> dict[str, float]:
    """Leave the mean gradient of the emulated ranks in the parameters; return the mean of each loss."""
    sums: dict[str, float] = {}
    for terms in passes:
        with record_function("step: backward"):
            terms["total"].backward()  # type: ignore[no-untyped-call]
        for name, value in terms.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
    distributed.add_gradients(parameters)
    everywhere = distributed.added(list(sums.values()), parameters[0].device)
    if ranks > 1:
        torch._foreach_div_([p.grad for p in parameters if p.grad is not None], ranks)
    values = {name: value / ranks for name, value in zip(sums, everywhere, strict=True)}
    if not all(math.isfinite(v) for v in values.values()):
        shown = ", ".join(f"{name} = {value:g}" for name, value in values.items())
        raise TrainingDivergedError(
            f"the loss is not finite at iteration {step}: {shown}. "
            f"Lower the learning rate of this training or look at the input."
        )
    return values


def _loaded(content: bytes) -> dict[str, Any] | None:
    """Return the state that a checkpoint holds, ``None`` where it holds none."""
    try:
        state = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, UnpicklingError):  # torch has many words for damage
        return None
    return state if isinstance(state, dict) and "step" in state else None


class Checkpoint:
    """State of a training run in one file, replaced atomically; ``replicas`` as in ``train``."""

    def __init__(
        self,
        path: Path,
        modules: nn.ModuleDict,
        optimiser: torch.optim.Optimizer,
        replicas: Sequence[nn.Module] = (),
    ) -> None:
        self.path, self.modules, self.optimiser, self.replicas = path, modules, optimiser, replicas

    def save(self, step: int, window: list[dict[str, float]]) -> None:
        """Write everything that the steps from ``step`` on depend on; all processes call it, the first writes."""
        for rank, replica in enumerate(self.replicas):
            distributed.copy_to_all(list(replica.buffers()), owner=rank % distributed.size())
        if distributed.rank() > 0:
            return
        state = {
            "step": step,
            "window": window,
            "modules": self.modules.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        part = self.path.with_suffix(".part")
        with part.open("wb") as stream:  # of a path, torch would not say that the disk is full
            torch.save(state, stream)
        seal_file(part)
        part.replace(self.path)
        sync(self.path.parent)

    def restore(self, sound: Callable[[int], bool] = lambda _: True) -> tuple[int, list[dict[str, float]]]:
        """Load the file if there is one; return the step to start at and the losses since the last logged point.

        A file that is not as it was written, or of a step that is not ``sound``, is passed over, with a line in the
        log: the training starts afresh.
        """
        content = unsealed(self.path)
        if content is None:
            return 0, []
        state = _loaded(content)
        if state is None or not sound(int(state["step"])):
            print(f"{self.path} or a network beside it is damaged, as by a crash of the machine: starting afresh")
            return 0, []
        self.modules.load_state_dict(state["modules"])
        self.optimiser.load_state_dict(state["optimiser"])
        return int(state["step"]), list(state["window"])
