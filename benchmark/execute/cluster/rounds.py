"""Rounds: the arrays that were handed to Slurm one time, recorded as soon as Slurm has taken each of them.

``rounds/<n>/arrays.json`` is the record; submitit keeps its files beside it in ``slurm/``, a new folder each time: it
takes a result of an older job with the same number for that of the new one.
"""

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.files import read_json, write_json


@dataclass(frozen=True)
class Array:
    """A job array of one round, or a single job where it has one element.

    Attributes:
        id: Slurm's number of the array.
        name: of its jobs, from ``job_name``.
        resources: name of the class in the cluster file.
        keys: stage of each element.
        parallel: elements that run side by side; ``None`` is all.
        after: jobs that must have ended before: they make inputs of its stages, or share the limit of its class.
    """

    id: str
    name: str
    resources: str
    keys: tuple[str, ...]
    parallel: int | None = None
    after: tuple[str, ...] = ()

    def task(self, index: int) -> str:
        """Return Slurm's name of an element: ``123_4``, or ``123`` for a single job."""
        return f"{self.id}_{index}" if len(self.keys) > 1 else self.id

    @property
    def tasks(self) -> dict[str, str]:
        """Key of a stage -> Slurm's name of the job that makes it."""
        return {key: self.task(index) for index, key in enumerate(self.keys)}


@dataclass(frozen=True)
class Round:
    """What was handed to Slurm one time.

    Attributes:
        number: 1, 2, ...
        folder: holds ``arrays.json`` and ``slurm/``.
        code: folder of the code that the jobs run.
        submitted: seconds since the epoch.
        arrays: in the order in which they were submitted.
        monitor: Slurm's number of the job that looks after the campaign once they have ended; ``None`` without one.
        left: stages for a later round, as no more fitted into the queue.
        error: why stages beside these were not submitted.
    """

    number: int
    folder: Path
    code: Path
    submitted: float
    arrays: tuple[Array, ...] = ()
    monitor: str | None = None
    left: tuple[str, ...] = ()
    error: str = ""

    @property
    def slurm(self) -> Path:
        """The folder in which submitit keeps scripts, pickles and logs of this round."""
        return self.folder / "slurm"

    @property
    def tasks(self) -> dict[str, str]:
        """Key of a stage -> Slurm's name of the job that makes it."""
        return {key: task for array in self.arrays for key, task in array.tasks.items()}

    def record(self) -> None:
        """Write ``arrays.json``."""
        content = dataclasses.asdict(self) | {"code": str(self.code)}
        del content["number"], content["folder"]
        content["keeper"] = content.pop("monitor")  # its name in the files, which jobs of older code read too
        write_json(self.folder / "arrays.json", content)


def rounds_in(folder: Path) -> list[Round]:
    """Return the rounds that were recorded in a folder, oldest first."""
    folders = sorted(folder.glob("[0-9]*"), key=lambda folder: int(folder.name))
    return [recorded for recorded in map(_round, folders) if recorded]


def next_round(folder: Path, code: Path) -> Round:
    """Return a new round with its folder made and nothing in it yet."""
    number = 1 + max((int(path.name) for path in folder.glob("[0-9]*")), default=0)
    made = Round(number, folder / str(number), code, time.time())
    made.slurm.mkdir(parents=True)
    return made


def _round(folder: Path) -> Round | None:
    """Return a round; ``None`` where nothing of it was recorded."""
    content = read_json(folder / "arrays.json")
    if not isinstance(content, dict):
        return None
    arrays = (Array(**{name: _frozen(value) for name, value in array.items()}) for array in content.pop("arrays"))
    code, left, monitor = Path(content.pop("code")), tuple(content.pop("left")), content.pop("keeper")
    return Round(int(folder.name), folder, code, arrays=tuple(arrays), left=left, monitor=monitor, **content)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
