"""A table as a page of HTML that loads nothing."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.report.tables.captions import best_words, caption_lines, unavailable_words
from benchmark.report.tables.grid import NOTHING, Grid

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATE = Path(__file__).with_name("page.html")


def as_html(grid: Grid) -> str:
    """Return a page with the table and its caption; the ``table`` element makes sense on any other page, too."""
    first, *lines = caption_lines(grid)
    return _template().render(
        grid=grid,
        name=f"Table {grid.results.table.name}",
        title=first,
        caption=" ".join(filter(None, (*lines, best_words(grid), unavailable_words(grid)))),
    )


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["set"] = lambda text: text.replace(NOTHING, "–").replace("-", "−")
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
