"""A stage: one pure step of an experiment, identified by everything that can change its result."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from benchmark.files import canonical_json

if TYPE_CHECKING:
    from benchmark.datasets.base import Dataset
    from benchmark.datasets.view import TrainingView
    from benchmark.ranks import ProcessRank

Access = Literal["training", "evaluation"]


Change = Mapping[str, Any]  # of parameters, nested: {"training": {"iterations": 1}} sets that one; None removes one


@dataclass(frozen=True)
class Work:
    """What a stage does again and again, as its ``progress`` counts it; for measurements and estimates alone.

    Attributes:
        images: that one unit computes on; 0 where it is not a matter of images.
        network: what the network is, in any words, that an input brings, where the speed depends on it.
        speed_neutral: change after which the stage is as fast, and needs nothing but its inputs.
        shortened: change after which the stage soon ends, with a result of the same kind.
        precisions: name -> change after which it computes so precisely; empty where there is no choice.
    """

    images: int = 0
    network: str = ""
    speed_neutral: Change = field(default_factory=dict)
    shortened: Change = field(default_factory=dict)
    precisions: Mapping[str, Change] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """One step: an importable function, its resolved parameters and the stages whose results it reads.

    Two cells that need the same step get the same ``key`` and therefore share it; nothing else does the sharing.

    Attributes:
        kind: what the step does: ``pretrain``, ``train``, ``pseudo_label``, ``evaluate``.
        name: for people; not part of the key.
        function: ``package.module:name`` of a ``StageFunction``.
        version: raised by hand whenever the function computes something else than before.
        params: JSON values only; everything that can change the result and is not an input stage.
        inputs: role -> stage.
        access: what the function may read: the training view of the data, or images with full ground truth.
        cost: expected CPU seconds on one core; for estimates only, not part of the key.
        hints: JSON values that the function may use and that cannot change its result; not part of the key.
        shares: equal shares in which processes may divide the work: any number of processes that divides it gives the
            same result but for rounding. 1 is work of one process; not part of the key.
        work: what is known of its speed; not part of the key.
        maps: of an evaluation: ``package.module:name`` of a ``StageFunction`` that writes label maps
            (``benchmark.labels``) of the images that its parameter ``images`` names, as this stage predicts them, from
            the same inputs and with the same other parameters. Empty where nothing offers it; not part of the key.
    """

    kind: str
    name: str
    function: str
    version: int
    params: Mapping[str, Any]
    inputs: Mapping[str, "Stage"] = field(default_factory=dict)
    access: Access = "training"
    cost: float = 1.0
    hints: Mapping[str, Any] = field(default_factory=dict)
    shares: int = 1
    work: Work = field(default_factory=Work)
    maps: str = ""

    def identity(self) -> dict[str, Any]:
        """Return what the key is the digest of."""
        return {
            "function": self.function,
            "version": self.version,
            "access": self.access,
            "params": dict(self.params),
            "inputs": {role: stage.key for role, stage in self.inputs.items()},
        }

    @cached_property
    def key(self) -> str:
        """64 hexadecimal digits: SHA-256 of the canonical JSON of ``identity()``."""
        return _digest(self.identity())


_IDENTITY = ("function", "version", "access", "params", "inputs")


def key_of(described: Mapping[str, Any]) -> str:
    """Return the key of the stage that ``stage.json`` describes; empty where it describes none."""
    try:
        return _digest({name: described[name] for name in _IDENTITY})
    except (KeyError, TypeError, ValueError):
        return ""


def _digest(identity: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(identity).encode()).hexdigest()


def closure(stages: Iterable[Stage]) -> Iterator[Stage]:
    """Yield the stages and all they depend on, each key once, inputs before users."""
    seen: set[str] = set()

    def visit(stage: Stage) -> Iterator[Stage]:
        if stage.key in seen:
            return
        seen.add(stage.key)
        for parent in stage.inputs.values():
            yield from visit(parent)
        yield stage

    for stage in stages:
        yield from visit(stage)


class StageInterrupted(BaseException):
    """Raised inside a stage after it has saved its checkpoint because it was asked to stop."""


class StageContext(Protocol):
    """What a stage function is given.

    ``out`` is an empty folder that becomes the immutable result when the function returns; ``scratch`` survives a kill
    and is where checkpoints go; ``inputs`` are the result folders of the input stages; ``hints`` change no result;
    ``process`` is the rank of this process among those that make the stage, the only one unless it has ``shares``.
    """

    params: Mapping[str, Any]
    hints: Mapping[str, Any]
    inputs: Mapping[str, Path]
    out: Path
    scratch: Path
    device: str
    process: "ProcessRank"

    def dataset(self) -> "Dataset":
        """Return the data with full ground truth. Raises BenchmarkError in a stage whose access is ``training``."""

    def training_view(self) -> "TrainingView":
        """Return the training images with the masks of ``params['novel']`` hidden."""

    def log(self, step: int, **metrics: float) -> None:
        """Append one point to the stage's curves."""

    def progress(self, done: int, total: int) -> None:
        """Say how far the stage is; cheap enough to call at every iteration."""

    @property
    def stop_requested(self) -> bool:
        """True once the stage should save its checkpoint and raise StageInterrupted."""


class StageFunction(Protocol):
    """The step itself. Returns summary numbers (JSON values) that are kept beside its files."""

    def __call__(self, context: StageContext) -> Mapping[str, Any]: ...
