"""Emulated ranks: the shares of a batch, each computed as by a process of its own [5.4].

A batch of B images is shared by W emulated ranks (``training.emulate_world_size``), B / W neighbours each. A rank has
its own normalisers, its own batch statistics and, in what ``replicas`` copies, its own memory; M, the number of masks
that losses are divided by, is the mean over the ranks, and the gradient is the mean of theirs. They share the network:
where its batch norms are trained, it remembers the statistics of rank 0 alone, as if the first process had saved it.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import nn

from benchmark.randomness import subseed
from methods.settings import TrainingSettings
from methods.training import distributed
from methods.training.batches import Batch

M = TypeVar("M", bound=nn.Module)


class EmulatedRanks:
    """What this process computes of each batch: all of it, or every R-th rank's share where there are R processes.

    Attributes:
        slots: places in the batch of the images that it needs, rank by rank.
    """

    def __init__(self, network: nn.Module, settings: TrainingSettings, seed: int) -> None:
        """Raise BenchmarkError where the processes cannot divide the ranks equally among them."""
        self._count = settings.emulate_world_size
        distributed.check_share(self._count)
        self._size = settings.batch // self._count
        self._own = range(distributed.rank(), self._count, distributed.size())
        self._seed = seed
        self._norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        self.slots = tuple(rank * self._size + place for rank in self._own for place in range(self._size))

    def masks(self, batch: Batch) -> float:
        """Return M, the mean over all ranks of the number of masks, from the images of ``slots`` [4.2]."""
        own = sum(int(target.has_mask.sum()) for target in batch.targets)
        return distributed.added([own], batch.images.device)[0] / self._count

    def shares(self, step: int, batch: Batch) -> Iterator[tuple[int, Batch]]:
        """Yield each rank and its images; what is computed before the next is asked for belongs to it.

        Dropout draws from (seed, step, rank); rank 0 goes on in the state that ``train`` begins a step with.
        """
        for rank, share in zip(self._own, batch.parts(self._size), strict=True):
            if rank == 0:
                yield rank, share
                continue
            torch.manual_seed(subseed(self._seed, "torch", step, rank))
            with _forgotten(self._norms):
                yield rank, share


@contextmanager
def _forgotten(norms: Sequence[nn.Module]) -> Iterator[None]:
    """Restore the buffers of the modules afterwards."""
    before = [(buffer, buffer.clone()) for norm in norms for buffer in norm.buffers()]
    try:
        yield
    finally:
        for buffer, value in before:
            buffer.copy_(value)


def replicas(module: M, count: int) -> list[M]:
    """Return the module and ``count - 1`` copies, which share its parameters but have buffers of their own."""
    copies = [copy.deepcopy(module, {id(p): p for p in module.parameters()}) for _ in range(1, count)]
    return [module, *copies]
