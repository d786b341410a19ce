"""What the paper claims, cell by cell and ordering by ordering, and what this run says of it.

A printed cell claims that training again gives the same value. What is judged is the mean over all seeds there could
be, on the test images that the paper was scored on too: seeds can explain a difference there, the choice of images
cannot. With d the mean over the seeds run minus the printed value, h the half-width of its interval over seeds, and t
the tolerance (``benchmark.report.claims.tolerance``), a cell is

- ``reproduced``: |d| + h <= t, the whole interval within the tolerance, a test of equivalence (Schuirmann, 1987);
- ``not reproduced``: |d| - h > t, the whole interval outside; ``rank only`` where it is, but every comparison of the
  table's orderings that the cell takes part in holds;
- ``undecided`` else, with the least number of seeds that would decide if mean and spread stayed as they are.

The interval over images says what the value is worth on other images of the kind. It has no part in these verdicts, but
in those on orderings, which claim something of methods: they hold where neither other seeds nor other images would turn
them round (``benchmark.report.claims.comparisons``).
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from benchmark.metrics import Counts
from benchmark.report.claims.anomalies import Observation, observe
from benchmark.report.claims.comparisons import Comparison, OrderingVerdict, undecided_words, verdicts
from benchmark.report.claims.tolerance import Tolerance, tolerance
from benchmark.report.scores.estimates import CellEstimate, Results, Scored, Status, assemble, printed_decimals, score
from benchmark.report.scores.evaluations import Evaluation, Facts, evaluations, facts, read_each, read_replicates
from benchmark.report.scores.intervals import Draws, Interval, SeedMean, draw, over_images, over_seeds
from benchmark.wording import plural

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.store import Store
    from benchmark.tables import Table

Finding = Literal["reproduced", "rank only", "not reproduced", "undecided", "not comparable"] | Status

MISSED = {"rank only", "not reproduced", "does not hold"}


@dataclass(frozen=True)
class Judged:
    """A printed value and what this run says of it.

    Attributes:
        estimate: of this run, with the printed value.
        decimals: that are printed.
        seeds: mean over seeds with its interval; ``None`` without a result.
        images: interval over test images; ``None`` without a result.
        verdict: in the words of the module, or why there is no number.
        remark: what the verdict rests on, or what would decide it; may be empty.
    """

    estimate: CellEstimate
    decimals: int
    seeds: SeedMean | None
    images: Interval | None
    verdict: Finding
    remark: str = ""

    @property
    def printed(self) -> float:
        assert self.estimate.paper is not None  # a claim is about a printed value
        return self.estimate.paper

    @property
    def printed_interval(self) -> Interval:
        """What the paper's number was before it was rounded: within half a unit of the last printed digit."""
        half = 0.5 * 10.0**-self.decimals
        return Interval(self.printed - half, self.printed + half)

    @property
    def over_seeds(self) -> Interval | None:
        """Interval of the mean over seeds."""
        return self.seeds.interval if self.seeds else None

    @property
    def difference(self) -> float | None:
        """Mean minus printed value, in points; ``None`` where they may not be compared."""
        if self.seeds is None or self.verdict == "not comparable":
            return None
        return self.seeds.mean - self.printed


@dataclass(frozen=True)
class Judgement:
    """What a run says of everything that one table claims.

    Attributes:
        results: the estimates.
        tolerance: of every cell, stated before the run.
        cells: the printed ones among those selected, row by row.
        orderings: those whose rows and columns were selected.
        observations: what is wrong with the results themselves.
        draws: key of a finished evaluation -> what its test images, drawn again, give.
    """

    results: Results
    tolerance: Tolerance
    cells: tuple[Judged, ...]
    orderings: tuple[OrderingVerdict, ...]
    observations: tuple[Observation, ...]
    draws: Mapping[str, Draws] = field(compare=False, repr=False)

    @property
    def verdicts(self) -> Mapping[tuple[str, str], str]:
        """Labels of row and column -> verdict on the printed value."""
        return {(cell.estimate.row, cell.estimate.column): cell.verdict for cell in self.cells}

    @property
    def outcomes(self) -> Iterator[str]:
        """The verdict on each cell, then the outcome of each comparison that an ordering is made of."""
        yield from (cell.verdict for cell in self.cells)
        yield from (one.outcome for ordering in self.orderings for one in ordering.comparisons)

    @property
    def missed(self) -> bool:
        """Whether a value is outside its tolerance, or an ordering the other way round."""
        return any(outcome in MISSED for outcome in self.outcomes)

    @property
    def undecided(self) -> bool:
        return any(outcome == "undecided" for outcome in self.outcomes)


def judge(plan: "Plan", table: "Table", store: "Store") -> Judgement:
    """Return what the store says of the claims of one table of a plan. Raises BenchmarkError for damaged counts."""
    found = evaluations(plan, table, store)
    read = read_each(found, store, _look)
    scored = {key: scores for key, (scores, _, _) in read.items()}
    known = {key: seen for key, (_, seen, _) in read.items()}
    draws = {key: drawn for key, (_, _, drawn) in read.items()}
    results = assemble(plan, table, store, scored, replicated=read_replicates(found, store, score))
    orderings = verdicts(results, draws)
    decimals = printed_decimals(table)
    held = tolerance(0.5 * 10.0**-decimals)
    lacking = {one.stage.key: _lack(one, known[one.stage.key]) for one in found}
    cells = tuple(_Judge(results, draws, held, decimals, orderings, lacking).cells())
    return Judgement(results, held, cells, orderings, observe(found, known, store), draws)


def decide(interval: Interval, printed: float, held: Tolerance) -> Literal["reproduced", "not reproduced", "undecided"]:
    """Return what the interval of a mean over seeds says of a printed value: all of it is near, all far, or neither."""
    low, high = interval.low - printed, interval.high - printed
    if max(-low, high) <= held.size:
        return "reproduced"
    return "not reproduced" if max(low, -high) > held.size else "undecided"


def _look(evaluation: Evaluation, counts: Counts) -> tuple[Scored, Facts, Draws]:
    images = hashlib.sha256("\n".join(counts.image_ids).encode()).hexdigest()
    return score(evaluation, counts), facts(counts), draw(counts, evaluation.splits, images)


def _lack(evaluation: Evaluation, known: Facts) -> str:
    """Return how many images are scored where it is not as many as there are, else nothing."""
    scored, asked = len(known.images), evaluation.asked
    return "" if asked in {None, scored} else f"scored on {scored} of {plural(asked, 'image')}"


@dataclass(frozen=True)
class _Judge:
    """What the verdicts on the cells of a table rest on; ``lacking`` says of an evaluation which images it lacks."""

    results: Results
    draws: Mapping[str, Draws]
    tolerance: Tolerance
    decimals: int
    orderings: Sequence[OrderingVerdict]
    lacking: Mapping[str, str]

    def cells(self) -> Iterator[Judged]:
        for cell in self.results:
            if cell.paper is not None:
                yield self._cell(cell, cell.paper)

    def _cell(self, cell: CellEstimate, printed: float) -> Judged:
        seeds, images = over_seeds(self.results, cell), over_images(self.results, cell, self.draws)
        if seeds is None:
            return Judged(cell, self.decimals, None, None, cell.status)
        return Judged(cell, self.decimals, seeds, images, *self._verdict(cell, printed, seeds))

    def _verdict(self, cell: CellEstimate, printed: float, seeds: SeedMean) -> tuple[Finding, str]:
        obstacles = [*self.results.differences, *dict.fromkeys(self.lacking[cell.keys[seed]] for seed in cell.scores)]
        if any(obstacles) or seeds.interval is None:
            return "not comparable", ", ".join(filter(None, obstacles)) or "nothing is known of the spread over seeds"
        finding = decide(seeds.interval, printed, self.tolerance)
        if finding == "undecided":
            needed = seeds.needed(lambda interval: decide(interval, printed, self.tolerance) != "undecided")
            return finding, undecided_words(seeds, needed)
        if finding == "not reproduced":
            return self._rank(cell)
        return finding, ""

    def _rank(self, cell: CellEstimate) -> tuple[Finding, str]:
        """Return what is left of a value that is not reproduced: its rank, or not even that."""
        outcomes = [one.outcome for one in self._comparisons((cell.row, cell.column))]
        counted = ", ".join(f"{outcomes.count(one)} {one}" for one in dict.fromkeys(outcomes))
        remark = f"its orderings: {counted}" if outcomes else "it takes part in no ordering"
        return ("rank only" if set(outcomes) == {"holds"} else "not reproduced"), remark

    def _comparisons(self, place: tuple[str, str]) -> Iterator[Comparison]:
        for ordering in self.orderings:
            for one in ordering.comparisons:
                if one.pair and place in (one.pair.above, one.pair.below):
                    yield one
