"""Stage functions that have moved: a result is known by where its function was, and not by where it is now.

``Stage.function`` is a part of the key. When a function of ``methods`` moves, its stages go on naming the old place, so
that every key, ``stage.json``, archive and measurement stays valid, and ``RELOCATED`` says where the function is. An
entry leads to the function as it is now: when it moves again the entry is changed, none is added for the place between.

A package with methods of its own need not be named here: it leaves its function a name at the old place.
"""

import importlib
from collections.abc import Mapping
from typing import cast

from benchmark.errors import BenchmarkError
from benchmark.stage import StageFunction

# package.module:name in keys -> package.module:name in the code
RELOCATED: Mapping[str, str] = {}


def current_place(function: str) -> str:
    """Return where the function is that stages know as ``function``, both ``package.module:name``."""
    return RELOCATED.get(function, function)


def load_function(function: str) -> StageFunction:
    """Return the function that stages know as ``function``.

    Raises:
        BenchmarkError: it is not there, or its module cannot be imported.
    """
    place = current_place(function)
    module, _, name = place.partition(":")
    try:
        return cast("StageFunction", getattr(importlib.import_module(module), name))
    except (ImportError, AttributeError) as error:
        raise BenchmarkError(_not_there(function, place, error)) from error


def _not_there(function: str, place: str, error: Exception) -> str:
    reason = f"{type(error).__name__}: {error}"
    if place == function:
        return f"stage function {function} cannot be imported: {reason}. Install or mend the package that has it."
    return f"stage function {function} moved to {place}, which cannot be imported: {reason}. Mend {__name__}.RELOCATED."
