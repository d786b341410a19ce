"""Whose fault an exception is."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.errors import BenchmarkError
from benchmark.execute.faults import LostInputError, fault_of, lost_peer
from benchmark.files import FULL, naming


class OutOfMemoryError(RuntimeError):
    """Named as torch's, which this test does not import."""


class DistError(RuntimeError):
    """The same."""


class DistBackendError(DistError):
    """The same."""


def named(error: Exception) -> Exception:
    """Return what the harness makes of an error of the disk."""
    try:
        with naming(Path("store"), "Way out.", FULL):
            raise error
    except Exception as found:
        return found


GLOO = "[../third_party/gloo/gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:4711"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOSPC, "full"),
        OSError(errno.EIO, "input/output error"),
        OSError(errno.ESTALE, "stale file handle"),
        named(OSError(errno.ENOSPC, "full")),
        OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        DistBackendError("the store was lost"),
        RuntimeError("CUDA error: device-side assert triggered"),
        RuntimeError("CUDA error: uncorrectable ECC error encountered"),
        RuntimeError("NCCL communicator was aborted on rank 1"),
        RuntimeError(GLOO),
        LostInputError("the input 'model' is not in the store any more"),
    ],
    ids=str,
)
def test_memory_disks_gpus_and_connections_are_the_machines(error: Exception) -> None:
    assert fault_of(error) == "machine"


@pytest.mark.parametrize(
    "error",
    [
        BenchmarkError("the loss is not finite at iteration 7"),
        ValueError("a wrong number"),
        FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "labels.png"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        ValueError("NCCL is no method"),
        SystemExit("I leave"),
    ],
    ids=str,
)
def test_everything_else_is_the_stages(error: BaseException) -> None:
    assert fault_of(error) == "stage"


def _covering() -> None:
    try:
        raise OSError(errno.EIO, "input/output error")
    except OSError as error:
        raise BenchmarkError("the dataset cannot be read") from error


def _hiding() -> None:
    try:
        raise OSError(errno.EIO, "input/output error")
    except OSError:
        raise BenchmarkError("another matter") from None


@pytest.mark.parametrize(("raising", "fault"), [(_covering, "machine"), (_hiding, "stage")])
def test_the_cause_decides_where_it_is_told(raising: Callable[[], None], fault: str) -> None:
    with pytest.raises(BenchmarkError) as found:
        raising()
    assert fault_of(found.value) == fault


def test_a_process_that_only_lost_another_is_told_apart() -> None:
    assert lost_peer(GLOO)
    assert not lost_peer("CUDA out of memory")
