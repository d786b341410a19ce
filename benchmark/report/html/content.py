"""The description inside a page: everything but counts and pictures that is needed to make the page again.

It is JSON, a block of its own, and names the other blocks. A file comes in here from anywhere, so it is validated.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.datasets import DatasetInfo
from benchmark.errors import BenchmarkError
from benchmark.tables import Table

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
State = Literal["done", "running", "failed", "interrupted", "missing"]


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, ser_json_inf_nan="constants")


class Packed(_Model):
    """Counts of an evaluation: names of its blocks (``packing``)."""

    images: Digest
    truth: Digest
    ignored: Digest
    errors: Digest


class CellOf(_Model):
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


class Attempt(_Model):
    number: int
    state: str
    seconds: float | None


class Record(_Model):
    """What the store wrote down about a finished stage.

    Attributes:
        started, finished: seconds since the epoch, 0 where nobody knows.
        wall_seconds, cpu_seconds: that it took; 0 where nobody knows.
        inputs: role -> key, as recorded when it was made.
        attempts: oldest first.
        provenance: as in ``benchmark.provenance``.
    """

    started: float = 0.0
    finished: float = 0.0
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    inputs: Mapping[str, str] = Field(default_factory=dict)
    attempts: tuple[Attempt, ...] = ()
    provenance: Mapping[str, Any] = Field(default_factory=dict)


class StageOf(_Model):
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


class SplitOf(_Model):
    novel: tuple[int, ...]
    base: tuple[int, ...]


class ProfileOf(_Model):
    """A profile; ``shipped`` says that it comes with the software, so that what is known of it applies."""

    name: str
    shipped: bool
    description: str
    dataset: str
    sections: Mapping[str, Mapping[str, Any]]
    datasets: Mapping[str, Mapping[str, Mapping[str, Any]]]


class PictureOf(_Model):
    """One image of a grid: names of the blocks of PNG files, ``None`` for label maps that are not there."""

    id: str
    width: int
    height: int
    image: Digest
    truth: Digest
    parts: Digest
    labels: tuple[Digest | None, ...]
    novel: str  # the outline of the novel classes, as an SVG path in pixels
    shown: tuple[int, ...]  # ids of the classes in any of the maps


class GridOf(_Model):
    """Label maps of one table on one split."""

    table: str
    split: str
    seed: int
    columns: tuple[str, ...]
    pictures: tuple[PictureOf, ...]


class Content(_Model):
    """Everything a page is made from, but for the blocks that it names.

    Attributes:
        format: raised by hand whenever older pages can no longer be read.
        software: version of this software.
        maker: digest of its code that makes pages (``page.maker``).
        evaluator: ``EVALUATOR_VERSION`` of the counts.
        created: when, ISO 8601.
        dataset, splits, profile, preset, overrides, seeds, tables, cells: of the plan.
        stages: key -> stage, inputs before users.
        counts: key of a finished evaluation -> its counts.
        grids: pictures.
    """

    format: Literal[1]
    software: str
    maker: Digest
    evaluator: int
    created: str
    dataset: DatasetInfo
    splits: Mapping[str, SplitOf]
    profile: ProfileOf
    preset: str
    overrides: Mapping[str, Any]
    seeds: tuple[int, ...]
    tables: tuple[Table, ...]
    cells: tuple[CellOf, ...]
    stages: Mapping[Digest, StageOf]
    counts: Mapping[Digest, Packed]
    grids: tuple[GridOf, ...] = ()

    @classmethod
    def read(cls, text: bytes) -> "Content":
        """Read the JSON of a page. Raises BenchmarkError for anything else."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the whole"
            raise BenchmarkError(f"the description in the page cannot be read: {where}: {first['msg']}.") from error

    def written(self) -> bytes:
        """Return the JSON that ``read`` takes."""
        return self.model_dump_json().encode()
