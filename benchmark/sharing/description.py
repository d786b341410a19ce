"""The description of a run: everything but counts and pictures that is needed to make its tables again.

It is JSON, inside a report and inside an archive. Such a file comes in from anywhere, so it is validated.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from benchmark.datasets import DatasetInfo
from benchmark.errors import BenchmarkError
from benchmark.tables import Table
from benchmark.wording import check_lines

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Instant = Annotated[float, Field(ge=0, le=1e11)]  # seconds since the epoch, of years that have four digits
LINE = r"^[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]{0,200}$"  # for terminals
Line = Annotated[str, Field(pattern=LINE)]
State = Literal["done", "running", "failed", "interrupted", "missing"]
M = TypeVar("M", bound="Model")


class Model(BaseModel):
    """What is read from such a file: nothing converted, nothing extra."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, ser_json_inf_nan="constants")


class CellOf(Model):
    """A planned cell; ``stage`` is the key of its evaluation, ``None`` where it cannot be made, for ``reason``."""

    table: str
    row: str
    column: str
    method: str
    variant: str
    split: str
    seed: int
    stage: Digest | None
    reason: str = ""


class AttemptOf(Model):
    number: int
    state: str
    seconds: float | None


class Record(Model):
    """What the store wrote down about a finished stage.

    Attributes:
        started, finished: seconds since the epoch, 0 where nobody knows.
        wall_seconds, cpu_seconds: that it took; 0 where nobody knows.
        inputs: role -> key, as recorded when it was made.
        attempts: oldest first.
        provenance: as in ``benchmark.provenance``.
    """

    started: Instant = 0.0
    finished: Instant = 0.0
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    inputs: Mapping[str, str] = Field(default_factory=dict)
    attempts: tuple[AttemptOf, ...] = ()
    provenance: Mapping[str, Any] = Field(default_factory=dict)

    @field_validator("provenance")
    @classmethod
    def _with_packages(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        if not isinstance(value.get("packages", {}), Mapping):
            raise ValueError("packages map names to versions")  # noqa: TRY004 - pydantic reports it
        return value


class StageOf(Model):
    """A stage: what its key is the digest of, how it stands, and what was written down when it was made."""

    kind: str
    name: str
    function: str
    version: int
    access: Literal["training", "evaluation"]
    params: Mapping[str, Any]
    inputs: Mapping[str, Digest]
    state: State
    record: Record | None = None


class SplitOf(Model):
    novel: tuple[int, ...]
    base: tuple[int, ...]


class ProfileOf(Model):
    """A profile; ``shipped`` says that it comes with the software, so that what is known of it applies."""

    name: str
    shipped: bool
    description: str
    dataset: str
    sections: Mapping[str, Mapping[str, Any]]
    datasets: Mapping[str, Mapping[str, Mapping[str, Any]]]


class Description(Model):
    """What was asked for, and what came of it.

    Attributes:
        dataset, splits, profile, preset, overrides, seeds, tables, cells: of the plan.
        stages: key -> stage, inputs before users.
    """

    dataset: DatasetInfo
    splits: Mapping[str, SplitOf]
    profile: ProfileOf
    preset: str
    overrides: Mapping[str, Any]
    seeds: tuple[int, ...]
    tables: tuple[Table, ...]
    cells: tuple[CellOf, ...]
    stages: Mapping[Digest, StageOf]

    @model_validator(mode="after")
    def _lines(self) -> "Description":
        shown = (self.dataset.name, self.dataset.title, self.dataset.classes, self.dataset.partial, list(self.splits))
        cells = [(one.table, one.row, one.column, one.method, one.variant, one.split) for one in self.cells]
        stages = [(one.kind, one.name, one.function) for one in self.stages.values()]
        check_lines(shown, self.profile.name, self.profile.dataset, self.preset, cells, stages)
        return self

    @property
    def evaluations(self) -> tuple[str, ...]:
        """Keys of the finished evaluations, in the order of the cells, each once."""
        keys = dict.fromkeys(cell.stage for cell in self.cells if cell.stage)
        return tuple(key for key in keys if key in self.stages and self.stages[key].state == "done")


class ArchiveManifest(Model):
    """The content of ``run.json`` in an archive.

    Attributes:
        format: raised by hand whenever older archives can no longer be read.
        software: version of this software.
        evaluator: ``EVALUATOR_VERSION`` of the counts.
        created: when, ISO 8601.
        by: who made it; empty where nobody said so.
        run: what was run.
    """

    format: Literal[1]
    software: Line
    evaluator: int
    created: Line
    by: Line
    run: Description

    @field_validator("created")
    @classmethod
    def _date(cls, value: str) -> str:
        datetime.fromisoformat(value)  # raises ValueError, which pydantic reports
        return value


def commits(made: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return by which commits results were made, each once, from their provenance."""
    found = {(str(one.get("git_commit") or "unknown"), bool(one.get("git_dirty"))) for one in made}
    return [f"{commit}{' and changes' if dirty else ''}" for commit, dirty in sorted(found)]


def parsed(model: type[M], text: bytes, where: str) -> M:
    """Return what some JSON says. Raises BenchmarkError with ``where`` in its message for anything else."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise BenchmarkError(f"{where} cannot be read: {place}: {first['msg']}.") from error
