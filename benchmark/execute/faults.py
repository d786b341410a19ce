"""Whose fault a failure is: the stage's own, which happens again, or the machine's, which need not."""

import errno
import re
import traceback
from collections.abc import Iterator

from benchmark.errors import BenchmarkError
from benchmark.execute.messages import Fault
from benchmark.files import FULL
from benchmark.store import DamagedResultError

MACHINE_ERRNOS = frozenset({*FULL, errno.EIO, errno.ESTALE, errno.ENOMEM, errno.EREMOTEIO, errno.EADDRINUSE})

MACHINE_TYPES = frozenset({"OutOfMemoryError", "AcceleratorError", "DistError"})  # of torch, which is not imported here

_MACHINE_TEXT = re.compile(r"CUDA (driver )?error|CUDNN_STATUS|CUBLAS_STATUS|device-side|\bECC\b|NCCL")
_LOST_PEER_TEXT = re.compile(r"Connection (closed|reset) by peer|remote process exited|Broken pipe|Socket closed")


class LostInputError(BenchmarkError):
    """An input of a stage is not where it was when the stage was planned."""


def fault_of(error: BaseException) -> Fault:
    """Return ``machine`` for memory, disks, GPUs and connections that gave out, ``stage`` for every other exception."""
    return "machine" if any(_of_machine(cause) for cause in _chain(error)) else "stage"


def lost_peer(message: str) -> bool:
    """Return whether a process of a team failed because another one was gone."""
    return _LOST_PEER_TEXT.search(message) is not None


def _of_machine(error: BaseException) -> bool:
    if isinstance(error, MemoryError | LostInputError | DamagedResultError):
        return True
    if isinstance(error, OSError) and error.errno in MACHINE_ERRNOS:
        return True
    if not MACHINE_TYPES.isdisjoint(kind.__name__ for kind in type(error).__mro__):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (_MACHINE_TEXT.search(text) is not None or lost_peer(text))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and those that led to it, as a traceback shows them."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def last_line(error: BaseException) -> str:
    """Return what a traceback ends with, the message of a user's mistake without its type."""
    if isinstance(error, BenchmarkError):
        return str(error)
    return traceback.format_exception_only(error)[-1].strip()
