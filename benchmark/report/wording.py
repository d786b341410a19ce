"""The words by which captions and plots call a run and the paper."""

from benchmark.report.estimates import Sheet
from benchmark.splits import datasets, split_file


def run_words(sheet: Sheet) -> str:
    """Return dataset, profile and preset of a run, as short as they are clear: ``mini``, ``msrc21, profile mini``."""
    profile = [] if sheet.profile == sheet.dataset.name else [f"profile {sheet.profile}"]
    preset = [] if sheet.preset == "paper" else [f"preset {sheet.preset}"]
    return ", ".join([sheet.dataset.name, *profile, *preset])


def seeds_words(sheet: Sheet) -> str:
    """Return how many seeds were asked for: ``3 seeds``."""
    return f"{len(sheet.seeds)} seed{'' if len(sheet.seeds) == 1 else 's'}"


def paper_title(sheet: Sheet) -> str:
    """Return the title of the dataset that the printed values refer to."""
    name = sheet.table.dataset
    return split_file(name).title if name in datasets() else name
