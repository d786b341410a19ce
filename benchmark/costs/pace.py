"""From the expected costs of stages to seconds on one device, by what is known of their kinds of work."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Literal, NamedTuple

from benchmark.costs.device import own_devices
from benchmark.costs.gpus import FULL, gpu_table, plain
from benchmark.costs.measurements import Measurement, measurements_file, read_measurements
from benchmark.costs.workloads import precision_of, signature
from benchmark.errors import BenchmarkError
from benchmark.stage import Stage
from benchmark.store import Store

# Operations of the stages of profile ``paper``: a file of measurements by `measure --flops` on a processor. It
# counts convolutions, matrix products and attention of one unit, forward and backward, two for a multiplication and an
# addition, by torch.utils.flop_counter.
COUNTS = Path(__file__).with_name("flops.json")
TERA = 1e12

Basis = Literal["kind", "function", "mean"]


class Rate(NamedTuple):
    """How many seconds a second of the expected cost takes, for one kind of work."""

    signature: str
    function: str
    precision: str
    ratio: float


class StageTime(NamedTuple):
    """Seconds of a stage, and where they come from.

    ``kind``: this kind of work is known; ``function``: the same function with other parameters is; ``mean``: neither
    is, and the geometric mean over all known kinds was taken.
    """

    seconds: float
    basis: Basis


@dataclass(frozen=True)
class Pace:
    """What is known of one device.

    Attributes:
        device: its name.
        gpu: whether it is a GPU; else it is one core of a processor.
        source: where the rates come from, in words.
        rates: at least one.
        profiles: whose sizes they are.
        remark: what should be known of the source; a sentence without its end.
    """

    device: str
    gpu: bool
    source: str
    rates: tuple[Rate, ...]
    profiles: frozenset[str]
    remark: str = ""
    _known: dict[str, StageTime] = field(default_factory=dict, compare=False, repr=False)  # by key

    def estimate(self, stage: Stage) -> StageTime:
        """Return how long a stage takes."""
        if stage.key not in self._known:
            self._known[stage.key] = self._estimate(stage)
        return self._known[stage.key]

    def knows(self, stages: Iterable[Stage], profile: str) -> bool:
        """Return whether the profile, or the kind of any of its stages, is known."""
        return profile in self.profiles or any(self.estimate(stage).basis == "kind" for stage in stages)

    def _estimate(self, stage: Stage) -> StageTime:
        precision, kind = precision_of(stage), signature(stage)
        same = [rate for rate in self.rates if rate.function == stage.function]
        steps: Sequence[tuple[Basis, list[Rate]]] = (
            ("kind", [rate for rate in same if (rate.signature, rate.precision) == (kind, precision)]),
            ("function", [rate for rate in same if rate.precision == precision]),
            ("function", same),
            ("mean", [rate for rate in self.rates if rate.precision in {precision, ""}]),
            ("mean", list(self.rates)),
        )
        basis, rates = next(step for step in steps if step[1])
        return StageTime(stage.cost * _mean([rate.ratio for rate in rates]), basis)


def find_pace(stages: Sequence[Stage], profile: str, store: Store, gpu: str | None) -> Pace | None:
    """Return the best that is known of how long stages take; ``None`` where that is their expected cost alone.

    Without ``gpu`` it is, in this order: what was measured on this machine, what was measured on another one last, the
    peak figures of this machine's GPU or of the table's default. Of these only what knows the profile, or some of the
    stages, counts: figures of full-size trainings say nothing about miniatures.

    Raises:
        BenchmarkError: nothing is known of ``gpu``; a file of measurements is damaged.
    """
    measured = measured_paces(read_measurements(measurements_file(store)))
    if gpu is not None:
        named = [
            pace for pace in measured if pace.gpu and plain(gpu) in plain(pace.device) and pace.knows(stages, profile)
        ]
        return named[0] if named else peak_pace(gpu_table().named(gpu))
    here = own_devices()
    measured.sort(key=lambda pace: pace.device not in here)  # stable: the latest of the others comes first
    table = gpu_table()
    known = (*measured, peak_pace(table.among(here) or table.default))
    return next((pace for pace in known if pace.knows(stages, profile)), None)


def measured_paces(measurements: Iterable[Measurement]) -> list[Pace]:
    """Return one pace for each device, the one that was measured last first."""
    ordered = sorted(measurements, key=lambda one: one.device)
    paces = []
    for device, group in groupby(ordered, key=lambda one: one.device):
        own = list(group)
        dates = sorted({one.date for one in own})
        days = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
        rates = tuple(Rate(one.signature, one.function, one.precision, one.ratio) for one in own)
        profiles = frozenset(one.profile for one in own)
        paces.append((dates[-1], Pace(device, own[0].gpu, f"measured on {device} on {days}", rates, profiles)))
    return [pace for _, pace in sorted(paces, key=lambda pair: pair[0], reverse=True)]


def peak_pace(name: str) -> Pace:
    """Return what the peak figures of a GPU of the table make of the operations that were counted.

    A stage without any operation that was counted takes its expected cost, on the processor.
    """
    counted = [one for one in read_measurements(COUNTS) if one.flops is not None]
    if not counted:
        raise BenchmarkError(f"{COUNTS}: no operations were counted. Install the software again.")
    table = gpu_table()
    tflops = table.tflops(name)
    rates = tuple(
        Rate(one.signature, one.function, precision, _peak_ratio(one, tflops[precision or FULL]))
        for one in counted
        for precision in (tflops if one.precision else ("",))
    )
    shares = ", ".join(f"{100 * share:.0f} % of {precision}" for precision, share in table.utilisation.items())
    remark = (
        f"peak figures: {table.gpus[name].source}; assumed is that products and convolutions reach {shares}, and that "
        f"images are read meanwhile"
    )
    profiles = frozenset(one.profile for one in counted)
    return Pace(name, True, f"computed from peak figures of {name}, not measured", rates, profiles, remark)


def _peak_ratio(one: Measurement, tflops: float) -> float:
    operations = one.flops or 0.0
    return operations * one.units / one.cost / (tflops * TERA) if operations else 1.0


def _mean(ratios: Sequence[float]) -> float:
    """Return the geometric mean: one kind that is a hundred times slower than expected does not rule the others."""
    return math.exp(math.fsum(map(math.log, ratios)) / len(ratios))


def by_basis(stages: Iterable[Stage], pace: Pace) -> Mapping[Basis, list[Stage]]:
    """Return where the estimates of stages come from."""
    found: dict[Basis, list[Stage]] = {}
    for stage in stages:
        found.setdefault(pace.estimate(stage).basis, []).append(stage)
    return found
