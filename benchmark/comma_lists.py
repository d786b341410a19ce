"""Comma lists on the command line."""

import click


def split_names(context: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """Return ``("a", "b")`` for ``a,b``: blanks trimmed, repetitions dropped, order kept; ``None`` for no option."""
    if value is None:
        return None
    names = tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
    if not names:
        raise click.BadParameter(f"{value!r} names nothing; write names with commas between them.", context, option)
    return names
