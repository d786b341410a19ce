"""A table as a LaTeX environment for a paper."""

import re
from collections.abc import Iterator, Sequence

from benchmark.report.tables.captions import best_words, caption_lines, unavailable_words
from benchmark.report.tables.grid import Grid
from benchmark.report.tables.latex_text import entry_text, escaped, grey

WIDTH = 81.0  # characters that fit beside each other in an article's 345 pt, in \footnotesize
GAP = 1.4  # characters between two columns
SMALL = 0.75  # of a character's width in notes


def as_latex(grid: Grid) -> str:
    """Return a ``table`` environment (packages booktabs and xcolor), with as many panels as its width needs.

    A cell has a column for each of its parts, under a heading that spans them; notes stand below the value.
    """
    caption = " ".join(filter(None, (*caption_lines(grid), best_words(grid), unavailable_words(grid))))
    panels = [_tabular(grid, columns) for columns in _panels(grid)]
    lines = [
        r"% Needs \usepackage{booktabs} and \usepackage{xcolor}.",
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{escaped(caption)}}}",
        rf"  \label{{tab:{re.sub(r'[^A-Za-z0-9]+', '-', grid.results.table.name)}}}",
        r"  \par\medskip\footnotesize",
        r"  \setlength{\tabcolsep}{3pt}",
        *(f"  {line}" for i, panel in enumerate(panels) for line in ([r"\par\medskip"] if i else []) + panel),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _tabular(grid: Grid, columns: Sequence[str]) -> list[str]:
    """Return the lines of one panel."""
    body: list[str] = []
    for i, row in enumerate(grid.rows):
        body += [r"\addlinespace"] if i and _noted(grid) else []
        body += _row(grid, row, columns)
    align = "".join("c" if part.computed else "r" for part in grid.parts)
    rules = (r"\toprule", *_heading(grid, columns), r"\midrule", *body, r"\bottomrule")
    return [
        rf"\begin{{tabular}}{{@{{}}l{align * len(columns)}@{{}}}}",
        *(f"  {line}" for line in rules),
        r"\end{tabular}",
    ]


def _heading(grid: Grid, columns: Sequence[str]) -> Iterator[str]:
    """Yield the table's columns and, where a cell has several parts, under each of them what these are."""
    width = len(grid.parts)
    if width == 1:
        yield _line("", map(escaped, columns))
        return
    yield _line("", [rf"\multicolumn{{{width}}}{{c}}{{{escaped(column)}}}" for column in columns])
    starts = range(2, 2 + width * len(columns), width)
    yield " ".join(rf"\cmidrule(lr){{{start}-{start + width - 1}}}" for start in starts)
    titles = [grey(part.title) if part.printed else escaped(part.title) for part in grid.parts]
    yield _line("", titles * len(columns))


def _row(grid: Grid, row: str, columns: Sequence[str]) -> Iterator[str]:
    cells = [
        (part, entry) for column in columns for part, entry in zip(grid.parts, grid.entries(row, column), strict=True)
    ]
    yield _line(escaped(row), [entry_text(part, entry) for part, entry in cells])
    if any(entry.notes for _, entry in cells):
        yield _line("", [_note(entry.notes) for _, entry in cells])


def _noted(grid: Grid) -> bool:
    """Whether anything stands below a value."""
    return any(entry.notes for row in grid.rows for column in grid.columns for entry in grid.entries(row, column))


def _note(notes: Sequence[str]) -> str:
    return rf"{{\scriptsize {escaped(' '.join(notes))}}}" if notes else ""


def _panels(grid: Grid) -> list[Sequence[str]]:
    """Return the columns of each panel: as few panels as the width allows, nearly equal ones."""
    label = max(map(len, grid.rows))
    widths = [_width(grid, column) for column in grid.columns]
    count = 1
    while True:
        size = -(-len(widths) // count)
        starts = range(0, len(widths), size)
        if size == 1 or all(label + sum(widths[start : start + size]) <= WIDTH for start in starts):
            return [grid.columns[start : start + size] for start in starts]
        count += 1


def _width(grid: Grid, column: str) -> float:
    """Return how many characters wide the parts of a column are."""
    cells = [grid.entries(row, column) for row in grid.rows]
    parts = [
        max(len(grid.parts[i].title), *(max(len(cell[i].text), SMALL * len(" ".join(cell[i].notes))) for cell in cells))
        for i in range(len(grid.parts))
    ]
    return max(len(column), sum(parts) + GAP * (len(parts) - 1)) + GAP


def _line(first: str, others: "Sequence[str] | Iterator[str]") -> str:
    return " & ".join([first, *others]) + r" \\"
