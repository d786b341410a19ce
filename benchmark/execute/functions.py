"""What is printed while a stage function runs, and what is said of how it ends."""

import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from benchmark.errors import BenchmarkError

Capture = Callable[[Path], AbstractContextManager[None]]


def last_line(error: BaseException) -> str:
    """Return what a traceback ends with, the message of a user's mistake without its type."""
    if isinstance(error, BenchmarkError):
        return str(error)
    return traceback.format_exception_only(error)[-1].strip()
