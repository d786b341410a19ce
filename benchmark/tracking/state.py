"""What of a stage MLflow has been sent already: one small file a stage, guarded by a lock."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

_LOCK_SECONDS = 60.0


@dataclass
class Sent:
    """What one tracking server has of one attempt.

    Attributes:
        run_id: MLflow's name of the run.
        lines: how many lines of the curves were sent.
        status: ``RUNNING`` until everything was sent, then the attempt's end.
    """

    run_id: str
    lines: int = 0
    status: str = "RUNNING"


@dataclass
class State:
    """What one tracking server has of one stage: attempt -> what was sent."""

    file: Path
    uri: str
    attempts: dict[str, Sent] = field(default_factory=dict)

    def save(self) -> None:
        """Write the file in one step; what is said there of other servers is kept."""
        content = _read(self.file) | {self.uri: {name: asdict(sent) for name, sent in self.attempts.items()}}
        temporary = self.file.with_suffix(".tmp")
        temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
        os.replace(temporary, self.file)


@contextmanager
def locked_state(folder: Path, key: str, uri: str) -> Iterator[State]:
    """Give the state of one stage at one server to one process at a time. Raises OSError where the lock is not free."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{key}.json"
    with FileLock(folder / f"{key}.lock", timeout=_LOCK_SECONDS):
        attempts: dict[str, Sent] = {}
        for name, sent in _read(file).get(uri, {}).items():
            with suppress(TypeError):  # written by another version; the run is found again by its tags
                attempts[name] = Sent(**sent)
        yield State(file, uri, attempts)


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
