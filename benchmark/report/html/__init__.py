"""A report as one HTML file that loads nothing, and that says itself what every number in it rests on.

The file consists of

- what is shown: tables with verdicts, plots, classes, pictures, stages, environment. It is complete without the script,
  which sorts, filters, and draws from the counts;
- blocks, each compressed, in base64, and named by the SHA-256 of its content (``blocks``): the counts of every
  evaluation, once however many cells rest on it (``packing``), and a description of everything else (``content``);
- the SHA-256 of the file itself.

What is shown is a function of the blocks alone. ``write`` packs them and restores plan and store from them
(``packing``), and makes the page of these (``page``), so that it never shows what it does not hold. ``verify``
does the same with the blocks of a file, and compares what comes out with what the file shows (``verifying``): to the
last character where the same code made it (``content.maker``), and fact by fact where other code did (``comparing``).
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.files import naming, write_text
from benchmark.report.html.blocks import Blocks
from benchmark.report.html.grids import Pictures, grid
from benchmark.report.html.packing import collect, restore
from benchmark.report.html.page import render
from benchmark.report.wording import WAY_OUT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmark.plan import Plan
    from benchmark.report.pictures.pages import PicturePage
    from benchmark.store import Store

__all__ = ["made", "write"]


def write(plan: "Plan", store: "Store", path: Path, grids: "Iterable[PicturePage]" = ()) -> None:
    """Write the report of a plan with at least one cell, as the store stands now, with pages of label maps in it.

    Raises BenchmarkError for damaged counts, and naming the path where it cannot be written.
    """
    text = made(plan, store, grids)
    with naming(path, WAY_OUT):
        write_text(path, text)


def made(plan: "Plan", store: "Store", grids: "Iterable[PicturePage]" = ()) -> str:
    """Return the report of a plan with at least one cell, under the conditions of ``write``."""
    pictures: Pictures = {}
    blocks = Blocks()
    content = collect(plan, store, blocks, [grid(page, pictures) for page in grids])
    description = blocks.add(content.written())
    with tempfile.TemporaryDirectory(prefix="report.") as folder:
        return render(content, *restore(content, blocks, Path(folder)), pictures, description, blocks)
