"""What the numbers of a table are: metric, data, seeds, and whose values stand beside them."""

from collections.abc import Iterator

from benchmark.report.claims.tolerance import rules
from benchmark.report.scores.estimates import Results
from benchmark.report.scores.replication import replicates_words, shared_words, unlike_splits
from benchmark.report.tables.cell_spec import NOTES, PAPER
from benchmark.report.tables.grid import Grid, RunResults
from benchmark.report.wording import paper_title, reported_words, run_words
from benchmark.wording import enumerated


def caption_lines(grid: Grid) -> list[str]:
    """Return the caption of a table: what it is, then a sentence for all that stands in it and needs one."""
    results = grid.results
    return [
        f"{results.table.title}.",
        f"This run: {_run(results)}; {_mean(grid)} in %.",
        *_brackets(grid),
        *([reported_words(results)] if results.table.reported else []),
        *_undefined(results),
        *_replicates(grid),
        *([_paper(results)] if any(part.whose == PAPER for part in grid.parts) else []),
        *(_other(grid.run(name), results) for name in grid.references if name != PAPER),
        *_differences(grid),
    ]


def best_words(grid: Grid) -> str:
    """Return what is set in bold, for formats that do; nothing where nothing is."""
    if not any(entry.best for row in grid.rows for column in grid.columns for entry in grid.entries(row, column)):
        return ""
    apart = f", {' and '.join(grid.bounds)} apart" if grid.bounds else ""
    return f"Bold: the best of each column{apart}."


def unavailable_words(grid: Grid) -> str:
    """Return which rows cannot be made here, for formats that have no room for it in the table; else nothing."""
    return f"Not available yet: {', '.join(grid.unavailable)}." if grid.unavailable else ""


def _run(results: Results) -> str:
    return f"{run_words(results)}, {enumerated('seed', results.seeds)}"


def _mean(grid: Grid) -> str:
    spread = "sd" in grid.notes and any(cell.sd is not None for run in _runs(grid) for cell in run.results)
    return "mean ± sample standard deviation" if spread else "mean"


def _brackets(grid: Grid) -> Iterator[str]:
    """Yield what stands in brackets, where any does."""
    share = f"{100 * rules().confidence:g} %"
    words = {
        "interval": f"[ ]: {share} interval of the mean over seeds.",
        "images": f"( ): {share} interval over test images.",
    }
    for note in NOTES:
        if note in words and _has(grid, note):
            yield words[note]


def _has(grid: Grid, note: str) -> bool:
    """Whether an interval stands in any cell."""
    return any(
        name == note and interval is not None and interval.low < interval.high
        for run in _runs(grid)
        for cell in run.results
        for name, interval in grid.intervals(run, cell)
    )


def _runs(grid: Grid) -> list[RunResults]:
    return [grid.run(part.whose) for part in grid.parts if part.computed]


def _undefined(results: Results) -> Iterator[str]:
    if any(cell.status == "undefined" for cell in results):
        yield "Undefined: the images scored show none of the split's novel classes."


def _paper(results: Results) -> str:
    differ = "" if results.comparable else f"; not comparable with this run ({', '.join(results.differences)})"
    return f"Paper: {results.table.source}, {paper_title(results)}{differ}."


def _other(run: RunResults, ours: Results) -> str:
    """Return whose run another is, in what it differs from this one, and how far values are that should not."""
    by = f", by {run.by}" if run.by else ""
    differences = list(_unlike(ours, run.results))
    unlike = f"; unlike this run: {', '.join(differences)}" if differences else ""
    shared = f"; {words}" if (words := shared_words(ours, run.results)) else ""
    return f"{run.name}: {_run(run.results)}{by}{unlike}{shared}."


def _replicates(grid: Grid) -> Iterator[str]:
    """Yield how far replicates are from this run, and what their column shows."""
    if words := replicates_words(grid.results):
        yield words
    if any(part.kind == "replicates" for part in grid.parts):
        yield "replicates: ours minus the replicates of the same seeds, mean ± sample standard deviation, in points."


def _unlike(ours: Results, theirs: Results) -> Iterator[str]:
    if theirs.dataset.name != ours.dataset.name:
        yield f"dataset {theirs.dataset.name}"
    elif theirs.dataset.digest != ours.dataset.digest:
        yield "other images or labels"
    if theirs.profile != ours.profile:
        yield f"profile {theirs.profile}"
    if theirs.preset != ours.preset:
        yield f"preset {theirs.preset}"
    if theirs.overrides != ours.overrides:
        settings = ", ".join(f"{name}={value}" for name, value in theirs.overrides.items())
        yield f"settings {settings or 'as the profile has them'}"
    if splits := unlike_splits(ours, theirs):
        yield f"other classes in {enumerated('split', splits)}"


def _differences(grid: Grid) -> Iterator[str]:
    if any(part.kind == "difference" for part in grid.parts):
        yield f"diff.: ours minus {' or '.join(grid.references)}, in points."
