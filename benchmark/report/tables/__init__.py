"""One table in every form: for a terminal, a paper and its text, a README, a browser, and as numbers.

What stands in it is the same everywhere (``grid``, ``captions``), chosen by what somebody asked for (``cell_spec``).
Only what is shown is rounded.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from benchmark.report.claims.judge import Judgement
from benchmark.report.scores.estimates import Results
from benchmark.report.tables.cell_spec import OURS, PAPER, CellSpec
from benchmark.report.tables.grid import Grid, RunResults
from benchmark.report.tables.latex import as_latex
from benchmark.report.tables.macros import as_macros
from benchmark.report.tables.plain import as_markdown, as_text
from benchmark.report.tables.records import HEADER, as_csv
from benchmark.report.tables.web import as_html

__all__ = ["FORMS", "HEADER", "CellSpec", "Format", "RunResults", "render"]

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


def render(
    run: Results | Judgement, style: Format, spec: CellSpec | None = None, others: Sequence[RunResults] = ()
) -> str:
    """Return a table in one of the formats, ending with a line break.

    Args:
        run: this run; verdicts and intervals over images need its judgement.
        style: the format.
        spec: what to show; ``None`` for what the format shows by itself.
        others: runs of other people, named as in ``spec.against``.
    """
    ours = (
        RunResults(OURS, run.results, run.draws, run.verdicts) if isinstance(run, Judgement) else RunResults(OURS, run)
    )
    form = FORMS[style]
    return form.write(Grid(ours, tuple(others), spec or CellSpec(), form.default))
