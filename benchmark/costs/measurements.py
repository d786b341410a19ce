"""What was measured, kept beside the store: one entry for each device, kind of work and precision."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from benchmark.errors import BenchmarkError
from benchmark.files import naming, read_json, write_json
from benchmark.program import program
from benchmark.store import Store
from benchmark.validation import validated

FORMAT = 1
Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


@dataclass(frozen=True)
class Measurement:
    """How fast one stage was.

    Attributes:
        signature, function, precision: the kind of work (``benchmark.costs.workloads``).
        kind, stage: kind and name of the stage, for people.
        dataset, profile: whose sizes it had.
        hints: of the stage, which may change its speed.
        device: model of the GPU or processor; a GPU if ``gpu``, else one core.
        torch, commit, date: the software, and the day, as in 2026-02-28.
        seconds: of a unit, on a processor those that it spends on it.
        measured: units that were timed.
        units: of the whole stage.
        cost: what the stage was expected to take, in CPU seconds.
        images: that one unit computes on; 0 where it is not a matter of images.
        memory: peak, in bytes: of the GPU by tensors, else by the process.
        flops: floating-point operations of a unit; ``None`` where they were not counted.
    """

    signature: str
    function: str
    precision: str
    kind: str
    stage: str
    dataset: str
    profile: str
    device: str
    gpu: bool
    torch: str
    date: str
    seconds: Positive
    measured: Count
    units: Count
    cost: Positive
    images: Natural = 0
    memory: Natural = 0
    flops: float | None = None
    commit: str | None = None
    hints: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """Seconds that a second of the expected cost takes."""
        return self.seconds * self.units / self.cost

    @property
    def images_per_second(self) -> float | None:
        return self.images / self.seconds if self.images else None


def measurements_file(store: Store) -> Path:
    """Return where measurements are kept: beside the store, whose results they say nothing about."""
    return store.root.parent / "speed.json"


def read_measurements(path: Path) -> tuple[Measurement, ...]:
    """Return what a file holds, nothing where there is none. Raises BenchmarkError where it is damaged."""
    content = read_json(path)
    if content is None and not path.exists():
        return ()
    way_out = f"Delete it and measure again: `{program()} measure`."
    if not isinstance(content, dict) or content.get("format") != FORMAT or not isinstance(content.get("kinds"), list):
        raise BenchmarkError(f"{path}: holds no measurements of format {FORMAT}. {way_out}")
    try:
        return tuple(validated(Measurement, one, f"{path}: kind {i}") for i, one in enumerate(content["kinds"]))
    except BenchmarkError as error:
        raise BenchmarkError(f"{error}\n{way_out}") from error


def keep(path: Path, new: Iterable[Measurement]) -> None:
    """Add measurements to a file; each takes the place of an older one of that device, kind and precision."""
    found = {_place(one): one for one in (*read_measurements(path), *new)}
    with naming(path, "Free space or change permissions, or choose another folder with --store."):
        write_json(path, {"format": FORMAT, "kinds": [dataclasses.asdict(one) for one in found.values()]})


def _place(one: Measurement) -> tuple[str, str, str]:
    return one.device, one.signature, one.precision
