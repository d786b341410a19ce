"""The one error type a user is meant to read, and the exit codes of the command line."""

import difflib
from collections.abc import Iterable
from enum import IntEnum

LONG = 100  # names; of a longer list only the beginning helps
SHOWN = 12


class Exit(IntEnum):
    """Exit codes; benchmark/README.md lists them."""

    OK = 0
    INCOMPLETE = 1  # worked, but stages failed or a table has holes
    USAGE = 2  # wrong option, file or value
    BUG = 3  # a fault of this software; the path of a crash log is printed
    MISSED = 4  # a claim is missed under --strict, a report does not add up, or imported counts are not the same
    NOTHING = 5  # the selection is empty
    INTERRUPTED = 130


class BenchmarkError(Exception):
    """A mistake the user can mend.

    The message says what was expected, what was found, where, and what to do next.
    """

    exit_code = Exit.USAGE


def unknown(kind: str, value: object, valid: Iterable[object], where: str = "") -> BenchmarkError:
    """Return the error for an unknown name: it lists near matches first, then what exists, of very many the first."""
    names = sorted(str(v) for v in valid)
    place = f" in {where}" if where else ""
    shown = names if len(names) <= LONG else [*names[:SHOWN], f"... ({len(names)} in all)"]
    known = ", ".join(name or "'' (the default)" for name in shown) or "none"
    return BenchmarkError(f"unknown {kind} {str(value)!r}{place}.{near(value, names)} Known: {known}.")


def near(value: object, names: Iterable[str]) -> str:
    """Return `` Did you mean 'slurm'?`` for what is like one of the names, or several; nothing else."""
    found = difflib.get_close_matches(str(value), list(names), n=3, cutoff=0.5)
    return f" Did you mean {' or '.join(repr(name) for name in found)}?" if found else ""
