"""What executors, workers and the scheduler say to each other; one line of JSON each between processes."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from benchmark.stage import Access

State = Literal["done", "failed", "interrupted", "busy", "blocked"]
Fault = Literal["", "stage", "machine"]


@dataclass(frozen=True)
class Job:
    """A stage to be made, with what its key leaves out.

    Attributes:
        inputs: role -> key of a stage that is complete.
        cells: the cells that rest on the stage.
        store: folder of the store.
        sources: name of a dataset -> what ``load_dataset`` takes for it.
        data_root: folder of the dataset.
        hints: as in ``Stage``.
        shares: as in ``Stage``.
    """

    key: str
    kind: str
    name: str
    function: str
    version: int
    params: Mapping[str, Any]
    inputs: Mapping[str, str]
    access: Access
    cost: float
    cells: list[dict[str, Any]]
    store: str
    sources: Mapping[str, str]
    data_root: str | None
    hints: Mapping[str, Any] = field(default_factory=dict)
    shares: int = 1

    def spec(self) -> dict[str, Any]:
        """Return the content of ``stage.json``."""
        elsewhere = {"store", "sources", "data_root", "hints", "shares"}
        return {name: value for name, value in dataclasses.asdict(self).items() if name not in elsewhere}

    def encode(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def decode(cls, line: str) -> "Job":
        return cls(**json.loads(line))


class Started(NamedTuple):
    """An attempt at a stage has begun."""

    key: str
    attempt: int


class Progress(NamedTuple):
    """A stage has done so much of its work."""

    key: str
    done: int
    total: int


class Finished(NamedTuple):
    """A stage has come to an end, for now.

    Attributes:
        state: ``busy`` means that another process is making the stage, ``blocked`` that an input failed.
        seconds: wall time of the attempt; 0 where there was none.
        message: why it is not done, in one line, or where it was done instead.
        log: path of the file that tells more, or empty.
        fault: of a failure: ``stage`` where the stage raised an exception of its own, which it will raise again, and
            ``machine`` where memory, a disk, a GPU or a process gave out.
    """

    key: str
    state: State
    seconds: float = 0.0
    message: str = ""
    log: str = ""
    fault: Fault = ""


Event = Started | Progress | Finished
_KINDS: dict[str, type[Started | Progress | Finished]] = {kind.__name__: kind for kind in (Started, Progress, Finished)}


def encode(event: Event) -> str:
    """Return an event as one line of JSON."""
    return json.dumps([type(event).__name__, *event])


def decode(line: str) -> Event:
    """Return the event of a line."""
    kind, *values = json.loads(line)
    return _KINDS[kind](*values)
