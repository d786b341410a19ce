"""What captions, plots and messages call a run and the paper."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from benchmark.report.scores.estimates import Results
from benchmark.split_files import datasets, split_file
from benchmark.wording import enumerated, plural

WAY_OUT = (
    "The results in the store are untouched. Free space or change permissions, or choose another folder with --out."
)


def csv_text(lines: Iterable[Sequence[object]]) -> str:
    """Return lines of cells as CSV; a text that a spreadsheet would compute gets a ``'`` in front, numbers do not."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([_inert(cell) for cell in line] for line in lines)
    return stream.getvalue()


def _inert(cell: object) -> object:
    if not isinstance(cell, str) or not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return cell
    with suppress(ValueError):
        float(cell)
        return cell
    return f"'{cell}"


def run_words(results: Results) -> str:
    """Return dataset, profile and preset of a run, as short as they are clear: ``mini``, ``msrc21, profile mini``."""
    profile = [] if results.profile == results.dataset.name else [f"profile {results.profile}"]
    preset = [] if results.preset == "paper" else [f"preset {results.preset}"]
    convention = [] if results.convention == "paper" else [f"convention {results.convention}"]
    return ", ".join([results.dataset.name, *profile, *preset, *convention])


def seeds_words(results: Results) -> str:
    """Return how many seeds were asked for: ``3 seeds``."""
    return plural(len(results.seeds), "seed")


def paper_title(results: Results) -> str:
    """Return the title of the dataset that the printed values refer to."""
    name = results.table.dataset
    return split_file(name).title if name in datasets() else name


def heading(results: Results) -> Iterator[str]:
    """Yield the lines that say of which table and which run something is, and whether values are compared."""
    yield f"Table {results.table.name}: {results.table.title}."
    yield f"This run: {run_words(results)}, {enumerated('seed', results.seeds)}."
    if results.printed:
        yield f"Paper: {results.table.source}, {paper_title(results)}."
        if not results.comparable:
            yield f"Values are not compared with printed ones: {', '.join(results.differences)}."


def columns(lines: Sequence[Sequence[str]]) -> list[str]:
    """Return lines whose first and last column stand to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if i in {0, len(line) - 1} else text.rjust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def reported_words(results: Results) -> str:
    """Return which column is the reported one and, for each row that is complete, which is the best and by how much."""
    best = [f"{row} {_best(results, row)}" for row in results.rows if _complete(results, row)]
    words = f"Reported is {results.table.reported}, whatever the others have."
    return f"{words} Best on the images scored, and reported nowhere: {', '.join(best)}." if best else words


def _complete(results: Results, row: str) -> bool:
    """Whether every seed of every column of the table is there, the reported column among them."""
    return results.table.reported in results.columns and all(
        results[row, one].status == "done" for one in results.columns
    )


def _best(results: Results, row: str) -> str:
    """Return the column with the highest mean and its gain over the reported one: ``4/6 (+0.31)``."""
    reported = results.table.reported
    means = {column: mean for column in results.columns if (mean := results[row, column].mean) is not None}
    best = max(means, key=lambda column: (means[column], column == reported))
    return best if best == reported else f"{best} ({means[best] - means[reported]:+.2f})"
