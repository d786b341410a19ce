"""The description inside a page: that of a run, and what only a page has. It names the other blocks."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from benchmark.paths import data_folder
from benchmark.report.claims.tolerance import FILE
from benchmark.sharing.description import Description, Digest, Model, parsed
from benchmark.sources import below, digest, sources


class Packed(Model):
    """Counts of an evaluation: names of its blocks (``packing``)."""

    images: Digest
    truth: Digest
    ignored: Digest
    errors: Digest


class PictureOf(Model):
    """One image of a grid: names of the blocks of PNG files, ``None`` for label maps that are not there."""

    id: str
    width: int
    height: int
    image: Digest
    truth: Digest
    parts: Digest
    labels: tuple[Digest | None, ...]
    novel: str  # the outline of the novel classes, as an SVG path in pixels
    shown: tuple[int, ...]  # ids of the classes in any of the maps


class GridOf(Model):
    """Maps of one table on one split, or of one ``row`` of it: label maps, or predictions for test images."""

    table: str
    split: str
    seed: int
    columns: tuple[str, ...]
    pictures: tuple[PictureOf, ...]
    kind: Literal["labels", "predictions"] = "labels"
    row: str = ""


class Content(Description):
    """Everything a page is made from, but for the blocks that it names.

    Attributes:
        format: raised by hand whenever older pages can no longer be read.
        software: version of this software.
        maker: digest of its code that makes pages (``maker``).
        evaluator: ``EVALUATOR_VERSION`` of the counts.
        created: when, ISO 8601.
        counts: key of a finished evaluation -> its counts.
        grids: pictures.
    """

    format: Literal[1]
    software: str
    maker: Digest
    evaluator: int
    created: str
    counts: Mapping[Digest, Packed]
    grids: tuple[GridOf, ...] = ()

    @classmethod
    def read(cls, text: bytes) -> "Content":
        """Read the JSON of a page. Raises BenchmarkError for anything else."""
        return parsed(cls, text, "the description in the page")

    def written(self) -> bytes:
        """Return the JSON that ``read`` takes."""
        return self.model_dump_json().encode()


@cache
def maker() -> str:
    """Return the SHA-256 of the code that makes pages: those of the same code are the same to the last character."""
    return digest(made_by())


def made_by() -> dict[str, Path]:
    """Return all that this package imports, its templates, and the data that it renders: place -> file.

    Tables and their printed values travel inside a page; the titles of data sets, which captions name, do not.
    """
    rules = {f"papers/{FILE.parent.name}/{FILE.name}": FILE}
    return {**sources(__name__.rpartition(".")[0]), **below(data_folder("splits"), "splits"), **rules}
