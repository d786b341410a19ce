"""Stage functions: how they are found, and what is said of how they end."""

import importlib
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import cast

from benchmark.errors import BenchmarkError
from benchmark.stage import StageFunction

Capture = Callable[[Path], AbstractContextManager[None]]


def load_function(path: str) -> StageFunction:
    """Return the function that ``package.module:name`` names."""
    module, _, name = path.partition(":")
    return cast("StageFunction", getattr(importlib.import_module(module), name))


def last_line(error: BaseException) -> str:
    """Return what a traceback ends with, the message of a user's mistake without its type."""
    if isinstance(error, BenchmarkError):
        return str(error)
    return traceback.format_exception_only(error)[-1].strip()
