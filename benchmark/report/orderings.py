"""Whether the orderings that a paper's table shows hold in this run too, and whether seeds alone could explain them.

Only values of this run are compared with each other, never with printed ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from benchmark.orderings import Ordering, Pair
from benchmark.report.estimates import Estimate, Sheet


@dataclass(frozen=True)
class Comparison:
    """What this run says about one pair of cells.

    Attributes:
        label: column.
        difference: mean over the common seeds of above - below, in points of mIoU; ``None`` where nothing can be said.
        spread: sample standard deviation of that difference over the common seeds; ``None`` with fewer than two.
        reason: why there is no difference.
    """

    label: str
    difference: float | None
    spread: float | None = None
    reason: str = ""

    @property
    def holds(self) -> bool:
        return self.difference is not None and self.difference > 0

    @property
    def beyond_spread(self) -> bool | None:
        """Whether the size of the difference exceeds the spread; ``None`` where the spread is unknown."""
        if self.difference is None or self.spread is None:
            return None
        return abs(self.difference) > self.spread


@dataclass(frozen=True)
class Verdict:
    """What this run says about one ordering."""

    ordering: str
    comparisons: tuple[Comparison, ...]

    @property
    def judged(self) -> tuple[Comparison, ...]:
        return tuple(one for one in self.comparisons if one.difference is not None)

    def __str__(self) -> str:
        """Return the verdict as one line of plain words."""
        missing = _missing(self.comparisons)
        if not self.judged:
            return f"{self.ordering}: cannot be judged ({missing})"
        parts = _one_pair(self.judged[0]) if len(self.comparisons) == 1 else _columns(self.judged)
        return f"{self.ordering}: {'; '.join([*parts, *([f'not judged: {missing}'] if missing else [])])}"


def verdicts(sheet: Sheet) -> tuple[Verdict, ...]:
    """Return what this run says about every ordering of its table whose rows and columns were selected."""
    judged = (_verdict(ordering, sheet.estimates) for ordering in sheet.table.claims())
    return tuple(verdict for verdict in judged if verdict.comparisons)


def _verdict(ordering: Ordering, estimates: Mapping[tuple[str, str], Estimate]) -> Verdict:
    chosen = [pair for pair in ordering.pairs if _selected(pair, estimates)]
    return Verdict(ordering.text, tuple(_compare(pair, estimates) for pair in chosen))


def _selected(pair: Pair, estimates: Mapping[tuple[str, str], Estimate]) -> bool:
    return pair.above in estimates and pair.below in estimates


def _compare(pair: Pair, estimates: Mapping[tuple[str, str], Estimate]) -> Comparison:
    """Compare two cells seed by seed, over the seeds that both have."""
    above, below = estimates[pair.above], estimates[pair.below]
    for cell in (below, above):
        if not cell.scores:
            return Comparison(pair.label, None, reason=f"{cell.row} {cell.status}")
    common = sorted(set(above.scores) & set(below.scores))
    if not common:
        return Comparison(pair.label, None, reason="no seed in common")
    differences = [above.scores[seed].novel - below.scores[seed].novel for seed in common]
    return Comparison(pair.label, fmean(differences), stdev(differences) if len(common) > 1 else None)


def _size(one: Comparison) -> str:
    """Return a difference with what its spread says: ``+1.2, beyond the seed spread of 0.4``."""
    if one.spread is None:
        return f"{one.difference:+.2f}, seed spread unknown"
    relation = "beyond" if one.beyond_spread else "within"
    return f"{one.difference:+.2f}, {relation} the seed spread of {one.spread:.2f}"


def _one_pair(one: Comparison) -> list[str]:
    return [f"{'holds' if one.holds else 'does not hold'} ({_size(one)})"]


def _columns(judged: Sequence[Comparison]) -> list[str]:
    """Return in how many columns an ordering holds, where that could be chance, and where it does not hold."""
    held = [one for one in judged if one.holds]
    broken = [f"{one.label} ({_size(one)})" for one in judged if not one.holds]
    parts = [f"holds in {len(held)} of {len(judged)} column{'' if len(judged) == 1 else 's'}", *_spreads(held)]
    return [*parts, f"does not hold in {', '.join(broken)}"] if broken else parts


def _spreads(held: list[Comparison]) -> list[str]:
    """Return in how many of the columns in which an ordering holds it could be chance."""
    groups = {
        "beyond the seed spread": [one.label for one in held if one.beyond_spread],
        "within seed spread": [one.label for one in held if one.beyond_spread is False],
        "seed spread unknown (one seed)": [one.label for one in held if one.beyond_spread is None],
    }
    return [f"{words} {_where(labels, len(held))}" for words, labels in groups.items() if labels]


def _missing(comparisons: Sequence[Comparison]) -> str:
    """Return the reasons why columns are not judged, each once with its columns."""
    columns: dict[str, list[str]] = {}
    for one in comparisons:
        if one.difference is None:
            columns.setdefault(one.reason, []).append(one.label)
    whole = len(comparisons)
    return "; ".join(
        reason if len(labels) == whole else f"{reason} in {', '.join(labels)}" for reason, labels in columns.items()
    )


def _where(labels: list[str], held: int) -> str:
    if len(labels) == held:
        return "in each" if held > 1 else "there"
    return f"in {', '.join(labels)}"
