"""The words by which captions and plots call a run and the paper."""

from collections.abc import Iterator, Sequence

from benchmark.report.scores.estimates import Sheet
from benchmark.split_files import datasets, split_file
from benchmark.wording import enumerated, plural


def run_words(sheet: Sheet) -> str:
    """Return dataset, profile and preset of a run, as short as they are clear: ``mini``, ``msrc21, profile mini``."""
    profile = [] if sheet.profile == sheet.dataset.name else [f"profile {sheet.profile}"]
    preset = [] if sheet.preset == "paper" else [f"preset {sheet.preset}"]
    convention = [] if sheet.convention == "paper" else [f"convention {sheet.convention}"]
    return ", ".join([sheet.dataset.name, *profile, *preset, *convention])


def seeds_words(sheet: Sheet) -> str:
    """Return how many seeds were asked for: ``3 seeds``."""
    return plural(len(sheet.seeds), "seed")


def paper_title(sheet: Sheet) -> str:
    """Return the title of the dataset that the printed values refer to."""
    name = sheet.table.dataset
    return split_file(name).title if name in datasets() else name


def heading(sheet: Sheet) -> Iterator[str]:
    """Yield the lines that say of which table and which run something is, and whether values are compared."""
    yield f"Table {sheet.table.name}: {sheet.table.title}."
    yield f"This run: {run_words(sheet)}, {enumerated('seed', sheet.seeds)}."
    if sheet.printed:
        yield f"Paper: {sheet.table.source}, {paper_title(sheet)}."
        if not sheet.comparable:
            yield f"Values are not compared with printed ones: {', '.join(sheet.differences)}."


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


def reported_words(sheet: Sheet) -> str:
    """Return which column is the reported one and, for each row that is complete, which is the best and by how much."""
    best = [f"{row} {_best(sheet, row)}" for row in sheet.rows if _complete(sheet, row)]
    words = f"Reported is {sheet.table.reported}, whatever the others have."
    return f"{words} Best on the images scored, and reported nowhere: {', '.join(best)}." if best else words


def _complete(sheet: Sheet, row: str) -> bool:
    """Whether every seed of every column of the table is there, the reported column among them."""
    return sheet.table.reported in sheet.columns and all(sheet[row, one].status == "done" for one in sheet.columns)


def _best(sheet: Sheet, row: str) -> str:
    """Return the column with the highest mean and its gain over the reported one: ``4/6 (+0.31)``."""
    reported = sheet.table.reported
    means = {column: mean for column in sheet.columns if (mean := sheet[row, column].mean) is not None}
    best = max(means, key=lambda column: (means[column], column == reported))
    return best if best == reported else f"{best} ({means[best] - means[reported]:+.2f})"
