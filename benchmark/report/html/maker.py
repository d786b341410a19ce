"""Which code made a page: pages of the same code are the same to the last character."""

from functools import cache

from benchmark.paths import data_folder
from benchmark.sources import below, digest, sources


@cache
def maker() -> str:
    """Return the SHA-256 of all that this package imports, of its templates, and of the data that it renders.

    Tables and their printed values travel inside a page; the titles of data sets, which captions name, do not.
    """
    return digest({**sources(__name__.rpartition(".")[0]), **below(data_folder("splits"), "splits")})
