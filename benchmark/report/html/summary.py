"""The first paragraph of a page: what was run, and what it says of the paper, in words."""

from collections.abc import Iterator, Sequence

from benchmark.report.claims.judge import Judgement
from benchmark.report.claims.tolerance import rules
from benchmark.report.html.words import sentence
from benchmark.wording import form, listed, plural, tally


def summary(judgements: Sequence[Judgement]) -> list[str]:
    """Return the sentences."""
    return [*_cells(judgements), *_values(judgements), *_orderings(judgements), *_observations(judgements)]


def _cells(judgements: Sequence[Judgement]) -> Iterator[str]:
    cells = [cell.status for judgement in judgements for cell in judgement.results]
    done = cells.count("done")
    rest = tally(status for status in cells if status != "done")
    words = f"all {len(cells):,} are" if done == len(cells) else f"{done:,} of {len(cells):,} are"
    seeds = listed(map(str, judgements[0].results.seeds))
    yield f"Of the cells, {words} done{f', {rest}' if rest else ''}; seeds {seeds}."


def _values(judgements: Sequence[Judgement]) -> Iterator[str]:
    """Say what becomes of the printed values, or why they are not compared."""
    judged = [cell for judgement in judgements for cell in judgement.cells]
    if any(cell.difference is not None for cell in judged):
        yield f"Of the {plural(len(judged), 'printed value')}, {sentence(cell.verdict for cell in judged)}."
    elif judged:
        remarks = dict.fromkeys(cell.remark for cell in judged if cell.verdict == "not comparable")
        why = f": {'; '.join(remarks)}" if remarks else ""
        yield f"Values are not compared with the {len(judged)} printed ones{why}."


def _orderings(judgements: Sequence[Judgement]) -> Iterator[str]:
    orderings = [one for judgement in judgements for one in judgement.orderings]
    outcomes = [one.outcome for ordering in orderings for one in ordering.comparisons]
    if not outcomes:
        return
    yield (
        f"Of the {plural(len(outcomes), 'comparison')} behind the paper's {plural(len(orderings), 'ordering')}, "
        f"{sentence(outcomes)} ({100 * rules().confidence:g} %, over seeds and over test images)."
    )
    held = [one.ordering for one in orderings if one.outcome == "holds"]
    fallen = [one.ordering for one in orderings if one.outcome == "does not hold"]
    if held:
        yield f"In every column {form(len(held), 'holds', 'hold')} {listed(held)}."
    if fallen:
        yield f"The other way round in some column: {listed(fallen)}."


def _observations(judgements: Sequence[Judgement]) -> Iterator[str]:
    number = sum(len(judgement.observations) for judgement in judgements)
    if number:
        yield f"Beside the numbers, {plural(number, 'thing')} should be looked at; each table names its own."
