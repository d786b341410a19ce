"""A table as text for a terminal and as Markdown."""

import re
from collections.abc import Iterator, Sequence

from benchmark.report.claims.comparisons import verdicts
from benchmark.report.tables.captions import best_words, caption_lines
from benchmark.report.tables.cell_spec import OURS, PAPER
from benchmark.report.tables.grid import UNAVAILABLE, Entry, Grid

ORDERINGS = "Orderings of the paper in this run (over common seeds; seed spread: sample SD of the differences):"


def as_text(grid: Grid) -> str:
    """Return aligned columns, the parts of a row below each other, then which orderings of the paper hold."""
    lines = [["", *grid.columns]]
    for row in grid.rows:
        lines += _text_rows(grid, row)
    found = [f"  {verdict}" for verdict in verdicts(grid.results, grid.ours.draws)]
    return "\n".join([*caption_lines(grid), "", *_aligned(lines), *(["", ORDERINGS, *found] if found else [])]) + "\n"


def as_markdown(grid: Grid) -> str:
    """Return a table for a README, each cell ``ours ± sd (paper)``, and the caption below it."""
    lines = [["", *map(_markdown, grid.columns)], ["---", *("---:" for _ in grid.columns)]]
    for row in grid.rows:
        lines += [[_markdown(row), *(_markdown_cell(grid.entries(row, column)) for column in grid.columns)]]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    caption = " ".join(filter(None, (*map(_markdown, caption_lines(grid)), best_words(grid), _hint(grid))))
    return f"{table}\n\n{caption}\n"


def _text_rows(grid: Grid, row: str) -> Iterator[list[str]]:
    """Yield a line for each part of the cells of a row; only the first has the row's label."""
    cells = [grid.entries(row, column) for column in grid.columns]
    for i, part in enumerate(grid.parts):
        label = f"  {part.title}" if i else row if part.title == OURS else f"{row} ({part.title})"
        gone = row in grid.unavailable and part.whose == OURS
        yield [label, UNAVAILABLE] if gone else [label, *(str(cell[i]) for cell in cells)]


def _aligned(lines: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield lines with the first column to the left, the others to the right; a short line runs on."""
    full = max(map(len, lines))
    widths = [max(len(line[i]) for line in lines if len(line) == full) for i in range(full)]
    widths[0] = max(len(line[0]) for line in lines)
    for first, *others in lines:
        placed = [text.rjust(width) for text, width in zip(others, widths[1:], strict=False)]
        yield "  ".join([first.ljust(widths[0]), *(placed if len(others) == full - 1 else others)]).rstrip()


def _markdown_cell(entries: Sequence[Entry]) -> str:
    first, *others = entries
    text = f"**{first.text}**" if first.best else _markdown(first.text)
    shown = [str(entry) for entry in others]
    behind = [f"({'; '.join(shown)})"] if any(entry.number is not None for entry in others) else []
    return " ".join([text, *map(_markdown, (*first.notes, *behind))])


def _hint(grid: Grid) -> str:
    """Return what stands in parentheses."""
    behind = [part.title for part in grid.parts[1:]]
    if behind == [PAPER]:
        return "Printed values in parentheses."
    return _markdown(f"In parentheses: {'; '.join(behind)}.") if behind else ""


def _markdown(text: str) -> str:
    return re.sub(r"([*|_<>])", r"\\\1", text)
