"""Which code made a page: pages of the same code are the same to the last character."""

from functools import cache
from pathlib import Path

from benchmark.paths import data_folder
from benchmark.report.claims.tolerance import FILE
from benchmark.sources import below, digest, sources


@cache
def maker() -> str:
    """Return the SHA-256 of the code that makes pages."""
    return digest(made_by())


def made_by() -> dict[str, Path]:
    """Return all that this package imports, its templates, and the data that it renders: place -> file.

    Tables and their printed values travel inside a page; the titles of data sets, which captions name, do not.
    """
    rules = {f"papers/{FILE.parent.name}/{FILE.name}": FILE}
    return {**sources(__name__.rpartition(".")[0]), **below(data_folder("splits"), "splits"), **rules}
