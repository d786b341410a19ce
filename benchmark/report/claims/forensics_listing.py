"""What forensics found, as text for people and as CSV."""

from collections.abc import Iterator

from benchmark.report.claims.forensics import Forensics, Swap
from benchmark.report.scores.conventions import READINGS
from benchmark.report.wording import columns, csv_text, heading
from benchmark.wording import form, plural

NAMED = 5  # classes, before the rest is counted


def as_csv(found: Forensics) -> str:
    """Return a line a cell: the printed value, then that of every reading with four decimals."""
    lines: list[tuple[object, ...]] = [("row", "column", "printed", *(reading.name for reading in READINGS))]
    for cell in found.results:
        numbers = (found.values[reading.name].get((cell.row, cell.column)) for reading in READINGS)
        printed = "" if cell.paper is None else cell.paper
        lines.append((cell.row, cell.column, printed, *("" if one is None else f"{one:.4f}" for one in numbers)))
    return csv_text(lines)


def as_text(found: Forensics) -> str:
    """Return every cell in every reading, which reading explains the printed values best, and what else can be seen."""
    lines = [*heading(found.results), "", *_cells(found), ""]
    lines += [*columns([(f"  {reading.name}", reading.words) for reading in READINGS]), ""]
    if found.explanations:
        lines += [*_explanations(found), ""]
    return "\n".join([*lines, *_seen(found)]) + "\n"


def _cells(found: Forensics) -> list[str]:
    """Return a block a row of the table: the printed values, then those of each reading."""
    results = found.results
    lines = [["", *results.columns, ""]]
    for row in results.rows:
        printed = ["--" if (value := results[row, one].paper) is None else f"{value:.1f}" for one in results.columns]
        lines += [[row, *([""] * len(results.columns)), ""]]
        lines += [["  printed", *printed, ""]] if results.printed else []
        for reading in READINGS:
            numbers = (found.values[reading.name].get((row, column)) for column in results.columns)
            lines += [[f"  {reading.name}", *("--" if one is None else f"{one:.2f}" for one in numbers), ""]]
    return columns(lines)


def _explanations(found: Forensics) -> Iterator[str]:
    cells = found.explanations[0].fit.cells
    yield f"How far each is from the {plural(cells, 'printed value')}, beyond their rounding:"
    within = f"within {found.tolerance.size:.2f}"
    shown = [(f"  {one.name}", f"{one.fit.distance:.2f}", f"{one.fit.inside} of {cells}") for one in found.explanations]
    yield from columns([("", "mean distance", within), *shown])
    yield _best(found)
    yield from (_swapped(found, swap) for swap in found.explanations[0].swaps)
    yield _digits(found)


def _best(found: Forensics) -> str:
    """Return which reading explains the printed values best, that nobody can tell, or that none does."""
    first, *others = found.rivals
    cells, outside = first.fit.cells, first.fit.cells - first.fit.inside
    share = f"{outside} of {plural(cells, 'cell')} {form(outside, 'stays', 'stay')}" if outside else "no cell stays"
    left = f"{share} outside the tolerance"
    if 2 * outside > cells:
        return f"None explains them: with the nearest, {first.name}, {left}."
    if others:
        names = " and ".join([first.name, *(one.name for one in others)])
        return f"Cannot tell: {names} explain them equally well; with the first, {left}."
    after = "".join(f", before {one.name} at {one.fit.distance:.2f}" for one in found.explanations[1:2])
    return f"Best: {first.name} ({first.readings[0].words}), at {first.fit.distance:.2f} points{after}; {left}."


def _swapped(found: Forensics, swap: Swap) -> str:
    rows, own = ", ".join(swap.rows), found.results.splits[swap.column].name
    return (
        f"{swap.column}: the novel classes of {swap.split}, not of {own}, explain {rows} "
        f"({swap.fit.distance:.2f} points off, not {swap.own.distance:.2f}): splits may be swapped."
    )


def _digits(found: Forensics) -> str:
    """Return how many cells agree to the printed digit, and whether digits were cut off."""
    cells, (rounded, cut_off) = found.explanations[0].fit.cells, found.matching
    words = f"To the printed digit, {rounded} of {cells} agree when rounded, {cut_off} when cut off."
    return f"{words} Digits may have been cut off." if cut_off == cells > rounded else words


def _seen(found: Forensics) -> Iterator[str]:
    """Yield what the counts say of images, labels and inputs."""
    if not found.values[READINGS[0].name]:
        yield "No evaluation of these cells is finished."
        return
    yield "In the stored counts:"
    yield f"  ignored: {100 * found.ignored:.1f} % of the pixels"
    if found.absent:
        rest = len(found.absent) - NAMED
        more = f" and {rest} more" if rest > 0 else ""
        yield f"  absent from the ground truth: {', '.join(found.absent[:NAMED])}{more}"
    else:
        yield "  absent from the ground truth: no class, so that the first four readings agree"
    yield from (f"  {kind}: {text}" for kind, text in found.observations)
