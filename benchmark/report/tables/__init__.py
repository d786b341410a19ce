"""One table in every form: for a terminal, a paper and its text, a README, a browser, and as numbers.

What stands in it is the same everywhere (``grid``, ``captions``), chosen by what somebody asked for (``asked``). Only
what is shown is rounded.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from benchmark.report.claims.judge import Judgement
from benchmark.report.scores.estimates import Sheet
from benchmark.report.tables.asked import OURS, PAPER, Asked
from benchmark.report.tables.grid import Grid, Side
from benchmark.report.tables.latex import as_latex
from benchmark.report.tables.macros import as_macros
from benchmark.report.tables.plain import as_markdown, as_text
from benchmark.report.tables.records import HEADER, as_csv
from benchmark.report.tables.web import as_html

__all__ = ["FORMS", "HEADER", "Asked", "Format", "Side", "render"]

Format = Literal["text", "csv", "latex", "macros", "markdown", "html"]


class Form(NamedTuple):
    """A format.

    Attributes:
        write: makes the text of a grid, ending with a line break.
        suffix: behind the name of a table in a file name; empty where it is not written into a file.
        default: what it shows of each cell by itself.
    """

    write: Callable[[Grid], str]
    suffix: str
    default: tuple[str, ...]


_SHORT = (OURS, "sd", PAPER)
_FULL = (OURS, "interval", PAPER, "difference")

FORMS: Mapping[Format, Form] = {
    "text": Form(as_text, "", _SHORT),
    "csv": Form(as_csv, ".csv", _SHORT),
    "latex": Form(as_latex, ".tex", _FULL),
    "macros": Form(as_macros, "-cells.tex", (OURS, "sd", "interval", PAPER, "difference", "seeds")),
    "markdown": Form(as_markdown, ".md", _SHORT),
    "html": Form(as_html, ".html", _FULL),
}


def render(run: Sheet | Judgement, style: Format, asked: Asked | None = None, others: Sequence[Side] = ()) -> str:
    """Return a table in one of the formats, ending with a line break.

    Args:
        run: this run; verdicts and intervals over images need its judgement.
        style: the format.
        asked: what to show; ``None`` for what the format shows by itself.
        others: runs of other people, named as in ``asked.against``.
    """
    ours = Side(OURS, run.sheet, run) if isinstance(run, Judgement) else Side(OURS, run)
    form = FORMS[style]
    return form.write(Grid(ours, tuple(others), asked or Asked(), form.default))
