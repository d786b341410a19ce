"""A judgement as text for people, as CSV and as JSON values."""

from collections.abc import Iterator, Sequence
from typing import Any

from benchmark.report.claims.comparisons import Comparison
from benchmark.report.claims.judge import Judged, Judgement
from benchmark.report.claims.tolerance import rules
from benchmark.report.scores.estimates import Results
from benchmark.report.scores.intervals import Interval
from benchmark.report.scores.replication import of_replicates, replicates_words
from benchmark.report.wording import columns, csv_text, heading, run_words
from benchmark.tables import Table
from benchmark.wording import plural

HEADER = (
    "kind", "row", "column", "printed", "printed_low", "printed_high", "ours", "n_seeds", "difference",
    "seeds_low", "seeds_high", "images_low", "images_high", "tolerance", "verdict", "remark",
)  # fmt: skip


def as_text(judgement: Judgement) -> str:
    """Return what was fixed beforehand, cells, orderings, what is odd in the results, and how many came out how."""
    lines = [*_heading(judgement), ""]
    if judgement.cells:
        lines += [*columns([_title(), *(_cell_line(cell) for cell in judgement.cells)]), ""]
    if judgement.orderings:
        lines += ["Orderings; differences are paired by seed and by test image:"]
        compared = iter(columns([_line(one) for ordering in judgement.orderings for one in ordering.comparisons]))
        for ordering in judgement.orderings:
            lines += [f"  {ordering.ordering}: {ordering.outcome}"]
            lines += [f"    {next(compared)}" for _ in ordering.comparisons]
        lines += [""]
    if judgement.observations:
        lines += ["Beside the numbers:", *(f"  {kind}: {text}" for kind, text in judgement.observations), ""]
    if any(cell.verdict in {"not reproduced", "rank only"} for cell in judgement.cells):
        name = judgement.results.table.name
        lines += [f"`table {name} --convention all` computes the values in other ways and says which explains them."]
    if judgement.undecided:
        lines += ["How many seeds would tell supposes that mean and spread stay as they are."]
    return "\n".join([*lines, _counted(judgement)]) + "\n"


def as_csv(judgement: Judgement) -> str:
    """Return a line a claim under ``HEADER``: values first, then orderings, whose difference is between their cells."""
    lines: list[tuple[object, ...]] = [HEADER]
    for cell in judgement.cells:
        place = ("value", cell.estimate.row, cell.estimate.column)
        printed = (_printed(cell), *(f"{end:.{cell.decimals + 1}f}" for end in cell.printed_interval))
        ours = (_exact(cell.seeds.mean if cell.seeds else None), cell.estimate.n_seeds, _exact(cell.difference))
        spans = (*_ends(cell.over_seeds), *_ends(cell.images))
        tolerance = _exact(judgement.tolerance.size if judgement.results.comparable else None)
        lines.append((*place, *printed, *ours, *spans, tolerance, cell.verdict, cell.remark))
    for ordering in judgement.orderings:
        for one in ordering.comparisons:
            ours = ("", one.seeds.n if one.seeds else 0, _exact(one.difference))
            spans = (*_ends(one.over_seeds), *_ends(one.images))
            lines.append(
                ("ordering", ordering.ordering, one.label, "", "", "", *ours, *spans, "", one.outcome, one.remark)
            )
    return csv_text(lines)


def as_data(judgement: Judgement) -> dict[str, Any]:
    """Return everything as JSON values, numbers unrounded."""
    results, held = judgement.results, judgement.tolerance
    return {
        "table": results.table.name,
        "source": results.table.source,
        "run": run_words(results),
        "seeds": list(results.seeds),
        "comparable": results.comparable,
        "differences": list(results.differences),
        "tolerance": {"size": held.size, "rounding": held.rounding, "sd": held.sd, "factor": held.factor},
        "assumed_seed_spread": results.assumed.model_dump() if results.assumed else None,
        "confidence": rules().confidence,
        "replicates": _replicates_data(results),
        "values": [_cell_data(cell, results.table) for cell in judgement.cells],
        "orderings": [
            {"ordering": one.ordering, "outcome": one.outcome, "comparisons": [*map(_comparison_data, one.comparisons)]}
            for one in judgement.orderings
        ],
        "observations": [{"kind": kind, "text": text} for kind, text in judgement.observations],
        "missed": judgement.missed,
        "undecided": judgement.undecided,
    }


def _heading(judgement: Judgement) -> Iterator[str]:
    """Yield what the claims are about and what was fixed before the run."""
    results = judgement.results
    yield from heading(results)
    if results.comparable:
        yield f"Tolerance, fixed before any run: {judgement.tolerance}."
    if results.assumed:
        weight = f"worth {results.assumed.weight:g} degrees of freedom"
        yield f"SD over seeds, taken beforehand: {results.assumed.sd:g}, {weight}; {results.assumed.source}."
    if words := replicates_words(results):
        yield words


def _title() -> list[str]:
    share = f"{100 * rules().confidence:g} %"
    return ["", "printed", "ours", "seeds", f"over seeds, {share}", f"over images, {share}", "difference", "verdict"]


def _cell_line(cell: Judged) -> list[str]:
    seeds = cell.seeds
    return [
        f"{cell.estimate.row}, {cell.estimate.column}",
        _printed(cell),
        "" if seeds is None else f"{seeds.mean:.2f}",
        str(cell.estimate.n_seeds),
        _span(cell.over_seeds),
        _span(cell.images),
        _signed(cell.difference),
        _with_remark(cell.verdict, cell.remark if cell.verdict != "not comparable" else ""),
    ]


def _printed(cell: Judged) -> str:
    return f"{cell.printed:.{cell.decimals}f}"


def _line(one: Comparison) -> list[str]:
    spans = (_span(one.over_seeds), _span(one.images))
    return [one.label, _signed(one.difference), *spans, _with_remark(one.outcome, one.remark)]


def _counted(judgement: Judgement) -> str:
    """Return how many claims came out how."""
    values = [cell.verdict for cell in judgement.cells]
    compared = [one.outcome for ordering in judgement.orderings for one in ordering.comparisons]
    return " ".join([*_tally("value", values), *_tally("comparison", compared)]) or "No claim."


def _tally(kind: str, found: Sequence[str]) -> list[str]:
    counted = ", ".join(f"{one} {found.count(one)}" for one in dict.fromkeys(found))
    return [f"{plural(len(found), kind)}: {counted}."] if found else []


def _with_remark(verdict: str, remark: str) -> str:
    return f"{verdict} ({remark})" if remark else verdict


def _span(interval: Interval | None) -> str:
    return "" if interval is None else f"{interval.low:.2f} to {interval.high:.2f}"


def _signed(number: float | None) -> str:
    return "" if number is None else f"{number:+.2f}"


def _exact(number: float | None) -> str:
    return "" if number is None else f"{number:.4f}"


def _ends(interval: Interval | None) -> tuple[str, str]:
    return ("", "") if interval is None else (_exact(interval.low), _exact(interval.high))


def _replicates_data(results: Results) -> dict[str, Any] | None:
    apart = of_replicates(results)
    if not apart.differences:
        return None
    numbers = {name: getattr(apart, name) for name in ("mean", "sd", "largest", "seed_sd")}
    return {"values": len(apart.differences), **numbers}


def _cell_data(cell: Judged, table: Table) -> dict[str, Any]:
    return {
        "table": table.name,
        "row": cell.estimate.row,
        "column": cell.estimate.column,
        "source": table.source,
        "printed": cell.printed,
        "printed_interval": list(cell.printed_interval),
        "ours": cell.seeds and cell.seeds.mean,
        "status": cell.estimate.status,
        "difference": cell.difference,
        **_intervals_data(cell),
        "verdict": cell.verdict,
        "remark": cell.remark,
    }


def _comparison_data(one: Comparison) -> dict[str, Any]:
    return {
        "label": one.label,
        "above": list(one.pair.above) if one.pair else None,
        "below": list(one.pair.below) if one.pair else None,
        "difference": one.difference,
        **_intervals_data(one),
        "outcome": one.outcome,
        "remark": one.remark,
    }


def _intervals_data(one: Judged | Comparison) -> dict[str, Any]:
    return {
        "n_seeds": one.seeds.n if one.seeds else 0,
        "sd": one.seeds and one.seeds.sd,
        "over_seeds": one.over_seeds and list(one.over_seeds),
        "over_images": one.images and list(one.images),
    }
