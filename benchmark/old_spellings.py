"""Verbs and options that have been renamed: the old spelling works for one more version, with a word on stderr."""

from collections.abc import Sequence

import click


def renewed(arguments: Sequence[str]) -> list[str]:
    """Return the arguments of a command line as they are spelled now; of an old spelling it is said what to write."""
    verb, *rest = arguments or [""]
    if verb == "doctor" and "--measure" in rest:
        return _told("doctor --measure", ["measure"], _without("--measure", rest))
    if verb == "profile" and "--input" in rest:
        images = [argument.replace("--iterations", "--images", 1) for argument in _without("--input", rest)]
        return _told("profile --input", ["measure", "--input"], images)
    if verb == "profile":
        return _told("profile", ["measure", "--breakdown"], rest)
    return list(arguments)


def _told(old: str, new: list[str], rest: list[str]) -> list[str]:
    click.echo(f"note: `{old}` is `{' '.join(new)}` now; the old spelling goes with the next version.", err=True)
    return [*new, *rest]


def _without(option: str, arguments: Sequence[str]) -> list[str]:
    return [argument for argument in arguments if argument != option]
