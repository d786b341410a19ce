"""Hours in words, for ``plan`` and ``measure``."""

from collections.abc import Iterator, Sequence

from benchmark.costs.pace import Basis, Pace, by_basis
from benchmark.costs.workloads import precision_of
from benchmark.makespan import wall_seconds
from benchmark.stage import Stage
from benchmark.wording import duration, form, plural

HOUR, DAY = 3600.0, 86400.0
LONG = 2 * DAY  # beyond, days say more than hours
_BASES: dict[Basis, str] = {
    "function": "by other stages of the same function",
    "mean": "by the mean ratio of the known kinds to their expected cost",
}


def hours(seconds: float) -> str:
    """Return ``1,240``, ``41``, ``4.0`` or ``0.041``: at least two digits that matter."""
    value = seconds / HOUR
    if value >= 9.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 0.995 else f"{value:.2g}"


def span(seconds: float) -> str:
    """Return ``4.3 days``, or a shorter time in hours and minutes."""
    return f"{seconds / DAY:.1f} days" if seconds >= LONG else duration(seconds)


def device_hours(pace: Pace) -> str:
    """Return the unit: of a processor one core counts."""
    return "GPU-hours" if pace.gpu else "CPU-hours"


def wall(stages: Sequence[Stage], pace: Pace, workers: int) -> float:
    """Return the seconds until the last of the stages is made by so many devices side by side."""
    return wall_seconds(stages, workers, {stage.key: pace.estimate(stage).seconds for stage in stages})


def total(stages: Sequence[Stage], pace: Pace) -> float:
    """Return the seconds of all stages one after the other."""
    return sum(pace.estimate(stage).seconds for stage in stages)


def cost_line(stages: Sequence[Stage], pace: Pace, workers: int) -> str:
    """Return ``about 412 GPU-hours (4 GPUs: 4.3 days) | source: measured on ... (fp32)``."""
    device = "GPU" if pace.gpu else "core"
    several = f"{plural(workers, device)}: {span(wall(stages, pace, workers))}"
    precisions = ", ".join(sorted({precision_of(stage) for stage in stages} - {""}))
    source = f"{pace.source} ({precisions})" if precisions else pace.source
    return f"about {hours(total(stages, pace))} {device_hours(pace)} ({several}) | source: {source}"


def remarks(stages: Sequence[Stage], pace: Pace) -> Iterator[str]:
    """Yield what a pace takes for granted, and how much of the hours rests on kinds of work that are not known."""
    if pace.remark:
        yield pace.remark
    everything = total(stages, pace)
    for basis, words in _BASES.items():
        found = by_basis(stages, pace).get(basis, [])
        if found:
            share = 100 * total(found, pace) / everything
            are = form(len(found), "is", "are")
            yield f"{len(found)} of {plural(len(stages), 'stage')} ({share:.0f} % of the hours) {are} estimated {words}"
