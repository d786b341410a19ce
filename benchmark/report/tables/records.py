"""A table as CSV: a line a cell, numbers as they are."""

from collections.abc import Iterator

from benchmark.report.scores.estimates import CellEstimate
from benchmark.report.scores.replication import of_cell
from benchmark.report.tables.cell_spec import OURS, PAPER
from benchmark.report.tables.grid import CellPart, Entry, Grid
from benchmark.report.wording import csv_text

HEADER = ("row", "column", "novel_miou", "sd", "n_seeds", "base_miou", "miou", "paper", "delta", "status")

_NAMES = {"seeds": "n_seeds", "base": "base_miou", "difference": "delta"}
_ENDS = {"interval": "seeds", "images": "images"}
_DECIMALS = 4


def as_csv(grid: Grid) -> str:
    """Return one line a cell: four decimals, the printed value as printed, empty without a number.

    The fields are those of ``HEADER``, or what was asked for between the first two and the last of them.
    """
    lines: list[tuple[object, ...]] = []
    chosen = bool(grid.spec.columns or grid.spec.runs)
    for i, cell in enumerate(grid.results):
        between = dict(_chosen(grid, cell) if chosen else _usual(grid, cell))
        if i == 0:
            lines.append((*HEADER[:2], *between, HEADER[-1]))
        lines.append((cell.row, cell.column, *between.values(), cell.status))
    return csv_text(lines)


def _usual(grid: Grid, cell: CellEstimate) -> Iterator[tuple[str, str]]:
    numbers = (cell.mean, cell.sd, cell.n_seeds, cell.base, cell.overall, cell.paper, cell.delta)
    for name, number in zip(HEADER[2:-1], numbers, strict=True):
        as_it_is = name in {"n_seeds", "paper"}
        yield name, ("" if number is None else str(number)) if as_it_is else _exact(grid, number)


def _chosen(grid: Grid, cell: CellEstimate) -> Iterator[tuple[str, str]]:
    """Yield name and text of what was asked for."""
    for part, entry in zip(grid.parts, grid.entries(cell.row, cell.column), strict=True):
        yield _name(part), _text(grid, part, entry)
        if part.computed:
            yield from _notes(grid, part.whose, cell)
        elif part.kind == "replicates":
            apart = of_cell(cell)
            yield "replicates_sd", _exact(grid, apart.sd)
            yield "replicates_max", _exact(grid, apart.largest)
            yield "n_replicates", str(len(apart.differences))


def _name(part: CellPart) -> str:
    if part.kind == "value":
        return "novel_miou" if part.whose == OURS else part.whose
    behind = f"_{part.whose}" if part.kind == "difference" and part.whose != PAPER else ""
    return _NAMES.get(part.kind, part.kind) + behind


def _text(grid: Grid, part: CellPart, entry: Entry) -> str:
    if part.kind == "verdict":
        return entry.text
    if part.kind == "seeds" or part.printed:
        return "" if entry.number is None else str(entry.number)
    return _exact(grid, entry.number)


def _notes(grid: Grid, whose: str, cell: CellEstimate) -> Iterator[tuple[str, str]]:
    """Yield spread and ends of intervals of a run's value."""
    run, prefix = grid.run(whose), "" if whose == OURS else f"{whose}_"
    found = run.cell(cell.row, cell.column)
    if "sd" in grid.notes:
        yield f"{prefix}sd", _exact(grid, found.sd if found else None)
    for note in grid.notes:
        if note in _ENDS:
            interval = dict(grid.intervals(run, found)).get(note) if found else None
            for end in ("low", "high"):
                yield f"{prefix}{_ENDS[note]}_{end}", _exact(grid, getattr(interval, end) if interval else None)


def _exact(grid: Grid, number: float | None) -> str:
    decimals = _DECIMALS if grid.spec.precision is None else grid.spec.precision
    return "" if number is None else f"{number:.{decimals}f}"
