"""A table as LaTeX commands, one a number, for running text."""

import re
from collections.abc import Container, Iterator

from benchmark.report.scores.replication import of_cell
from benchmark.report.tables.cell_spec import OURS, PAPER
from benchmark.report.tables.grid import CellPart, Entry, Grid
from benchmark.report.tables.latex_text import entry_text
from benchmark.wording import escaped

_DIGITS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
_SIGNS = {"*": "Star", "+": "Plus", "%": "Percent", "/": "Of"}


def as_macros(grid: Grid) -> str:
    r"""Return a ``\newcommand`` for every number of every cell.

    ``\TableThreeSimFormerStarSplitFour`` is this run's value; with ``SD``, ``Interval``, ``Images``, ``Paper``,
    ``Difference`` or ``Seeds`` behind it, what else is shown of the cell, as far as it is known. A cell without a
    number says why.
    """
    commands: dict[str, str] = {}
    for cell in grid.results:
        for suffix, text in _commands(grid, cell.row, cell.column):
            name = command_name("table", grid.results.table.name, cell.row, cell.column) + suffix
            commands[_free(name, commands)] = text
    lines = [
        f"% {escaped(grid.results.table.title)}.",
        rf"% \input this file before \begin{{document}}, and write \{next(iter(commands))}{{}} for the number.",
        *(rf"\newcommand{{\{name}}}{{{text}}}" for name, text in commands.items()),
    ]
    return "\n".join(lines) + "\n"


def command_name(*words: str) -> str:
    """Return ``TableThreeSimFormerStar`` for ``table``, ``3``, ``SimFormer*``: LaTeX takes letters only."""
    spelled = "".join(_spelled(one) for one in " ".join(words))
    return "".join(word[0].upper() + word[1:] for word in re.findall(r"[A-Za-z]+", spelled))


def _commands(grid: Grid, row: str, column: str) -> Iterator[tuple[str, str]]:
    """Yield suffix and text of what there is to say of one cell."""
    for part, entry in zip(grid.parts, grid.entries(row, column), strict=True):
        suffix = _suffix(part)
        yield suffix, _text(part, entry)
        if part.computed:
            yield from _notes(grid, part.whose, row, column, suffix)
        elif part.kind == "replicates" and (sd := of_cell(grid.results[row, column]).sd) is not None:
            yield f"{suffix}SD", f"{sd:.{grid.decimals}f}"


def _suffix(part: CellPart) -> str:
    if part.kind == "value":
        return "" if part.whose == OURS else command_name(part.whose)
    return command_name(part.kind, *([] if part.whose in {OURS, PAPER} else ["to", part.whose]))


def _text(part: CellPart, entry: Entry) -> str:
    """Return a number without the looks that it has in a table."""
    if part.kind == "value" and entry.number is not None:
        return entry.text
    return entry_text(part, entry)


def _notes(grid: Grid, whose: str, row: str, column: str, suffix: str) -> Iterator[tuple[str, str]]:
    run = grid.run(whose)
    cell = run.cell(row, column)
    if cell is None:
        return
    if "sd" in grid.notes and cell.sd is not None:
        yield f"{suffix}SD", f"{cell.sd:.{grid.decimals}f}"
    for note, interval in grid.intervals(run, cell):
        if interval is not None:
            low, high = (f"{end:.{grid.decimals}f}" for end in interval)
            yield f"{suffix}{note.capitalize()}", f"[{low}, {high}]"


def _spelled(one: str) -> str:
    if one.isascii() and one.isdigit():
        return f" {_DIGITS[int(one)]} "
    return f" {_SIGNS[one]} " if one in _SIGNS else one


def _free(name: str, taken: Container[str]) -> str:
    """Return a name that no other command has."""
    while name in taken:
        name += "X"
    return name
