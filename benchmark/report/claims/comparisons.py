"""Whether the orderings that a paper's table shows hold in this run too, and whether seeds alone could explain them.

Only values of this run are compared with each other, never with printed ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

import numpy as np

from benchmark.orderings import Ordering, Pair
from benchmark.report.scores.estimates import CellEstimate, Results
from benchmark.report.scores.intervals import MOST_SEEDS, Draws, Interval, SeedMean, image_interval, seed_mean
from benchmark.wording import form, plural

OrderingOutcome = Literal["holds", "does not hold", "undecided", "cannot be judged"]


@dataclass(frozen=True)
class Comparison:
    """What this run says about one pair of cells.

    Attributes:
        label: column.
        difference: mean over the common seeds of above - below, in points of mIoU; ``None`` where nothing can be said.
        spread: sample standard deviation of that difference over the common seeds; ``None`` with fewer than two.
        reason: why there is no difference.
        pair: the cells.
        seeds: the difference over seeds, paired, with its interval.
        images: interval of the difference over test images, paired; ``None`` where they were not drawn again, or where
            the two cells were scored on different ones.
    """

    label: str
    difference: float | None
    spread: float | None = None
    reason: str = ""
    pair: Pair | None = None
    seeds: SeedMean | None = None
    images: Interval | None = None

    @property
    def holds(self) -> bool:
        return self.difference is not None and self.difference > 0

    @property
    def beyond_spread(self) -> bool | None:
        """Whether the size of the difference exceeds the spread; ``None`` where the spread is unknown."""
        if self.difference is None or self.spread is None:
            return None
        return abs(self.difference) > self.spread

    @property
    def over_seeds(self) -> Interval | None:
        """Interval of the difference over seeds."""
        return self.seeds.interval if self.seeds else None

    @property
    def outcome(self) -> OrderingOutcome:
        """What can be claimed: only what neither other seeds nor other test images would turn round."""
        if self.difference is None or self.seeds is None:
            return "cannot be judged"
        signs = {self._seed_sign, self.images.sign if self.images else 0}
        return "holds" if signs == {1} else "does not hold" if signs == {-1} else "undecided"

    @property
    def remark(self) -> str:
        """Why an outcome is open, and what would decide it; empty where it is not open."""
        if self.seeds is None or self.outcome == "cannot be judged":
            return self.reason
        reasons = []
        if not self._seed_sign:
            reasons.append(undecided_words(self.seeds, self.seeds.needed(lambda interval: bool(interval.sign))))
        if not self.images:
            reasons.append("scored on different images")
        elif not self.images.sign:
            reasons.append("these test images do not tell, whatever the seeds")
        return "; ".join(reasons)

    @property
    def _seed_sign(self) -> int:
        return self.over_seeds.sign if self.over_seeds else 0


@dataclass(frozen=True)
class OrderingVerdict:
    """What this run says about one ordering."""

    ordering: str
    comparisons: tuple[Comparison, ...]

    @property
    def judged(self) -> tuple[Comparison, ...]:
        return tuple(one for one in self.comparisons if one.difference is not None)

    @property
    def outcome(self) -> OrderingOutcome:
        """What becomes of the ordering as a whole: it holds where each of its columns does, and falls with one."""
        outcomes = [one.outcome for one in self.comparisons]
        worst: tuple[OrderingOutcome, ...] = ("does not hold", "undecided", "cannot be judged")
        return next((one for one in worst if one in outcomes), "holds")

    def __str__(self) -> str:
        """Return the verdict as one line of plain words."""
        missing = _missing(self.comparisons)
        if not self.judged:
            return f"{self.ordering}: cannot be judged ({missing})"
        parts = _one_pair(self.judged[0]) if len(self.comparisons) == 1 else _columns(self.judged)
        return f"{self.ordering}: {'; '.join([*parts, *([f'not judged: {missing}'] if missing else [])])}"


def verdicts(results: Results, draws: Mapping[str, Draws] | None = None) -> tuple[OrderingVerdict, ...]:
    """Return what this run says about every ordering of its table whose rows and columns were selected.

    Args:
        results: the estimates.
        draws: key of an evaluation -> what its test images, drawn again, give; without them no ordering is decided.
    """
    judged = (_verdict(ordering, results, draws or {}) for ordering in results.table.claims())
    return tuple(verdict for verdict in judged if verdict.comparisons)


def undecided_words(seeds: SeedMean, needed: int | None) -> str:
    """Return how many seeds do not tell, and how many would if mean and spread stayed as they are."""
    have = f"{plural(seeds.n, 'seed')} {form(seeds.n, 'does', 'do')} not tell"
    if seeds.sd is None:
        return f"{have}, nor how far seeds differ: run two"
    return f"{have}, {f'{needed} would' if needed else f'nor would {MOST_SEEDS}'}"


def _verdict(ordering: Ordering, results: Results, draws: Mapping[str, Draws]) -> OrderingVerdict:
    chosen = [pair for pair in ordering.pairs if pair.above in results.estimates and pair.below in results.estimates]
    return OrderingVerdict(ordering.text, tuple(_compare(pair, results, draws) for pair in chosen))


def _compare(pair: Pair, results: Results, draws: Mapping[str, Draws]) -> Comparison:
    """Compare two cells seed by seed, over the seeds that both have."""
    above, below = results[pair.above], results[pair.below]
    for cell in (below, above):
        if not cell.scores:
            return Comparison(pair.label, None, reason=f"{cell.row} {cell.status}", pair=pair)
    common = sorted(set(above.scores) & set(below.scores))
    if not common:
        return Comparison(pair.label, None, reason="no seed in common", pair=pair)
    differences = {seed: above.scores[seed].novel - below.scores[seed].novel for seed in common}
    mean = fmean(differences.values())
    return Comparison(
        pair.label,
        mean,
        stdev(differences.values()) if len(common) > 1 else None,
        pair=pair,
        seeds=_over_seeds(above, below, differences, results),
        images=_over_images(above, below, common, mean, results, draws),
    )


def _over_seeds(
    above: CellEstimate, below: CellEstimate, differences: Mapping[int, float], results: Results
) -> SeedMean:
    """Return the mean difference; beforehand, that of two trainings is taken to spread as if they were independent."""
    distinct = {(above.keys[seed], below.keys[seed]): value for seed, value in differences.items()}
    fixed = above.seedless and below.seedless
    return seed_mean(list(distinct.values()), results.assumed, times=2**0.5, fixed=fixed)


def _over_images(
    above: CellEstimate,
    below: CellEstimate,
    common: Sequence[int],
    mean: float,
    results: Results,
    draws: Mapping[str, Draws],
) -> Interval | None:
    """Return the interval of the difference, the same images drawn for both cells and for every seed."""
    keys = [(above.keys[seed], below.keys[seed]) for seed in common]
    drawn = [draws[key] for pair in keys for key in pair if key in draws]
    if len(drawn) < 2 * len(keys) or len({one.images for one in drawn}) > 1:
        return None
    first, second = (results.splits[cell.column].name for cell in (above, below))
    differences = [draws[one].miou[first] - draws[other].miou[second] for one, other in keys]
    return image_interval(mean, np.mean(differences, axis=0))


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
    parts = [f"holds in {len(held)} of {plural(len(judged), 'column')}", *_spreads(held)]
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
