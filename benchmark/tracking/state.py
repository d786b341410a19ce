"""What of a stage MLflow has been sent already: one small file a stage, guarded by a lock."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from benchmark.files import read_json, write_json

_LOCK_SECONDS = 60.0


@dataclass
class Sent:
    """What one tracking server has of one attempt.

    Attributes:
        run_id: MLflow's name of the run.
        lines: how many lines of the curves were sent.
        status: ``RUNNING`` until everything was sent, then how the attempt ended.
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
        """Write the file as a whole; what it says of other servers is kept."""
        write_json(self.file, _read(self.file) | {self.uri: {name: asdict(s) for name, s in self.attempts.items()}})


@contextmanager
def locked_state(folder: Path, key: str, uri: str) -> Iterator[State]:
    """Give the state of one stage at one server to one process at a time. Raises OSError where the lock is not free."""
    folder.mkdir(parents=True, exist_ok=True)
    state = State(folder / f"{key}.json", uri)
    with FileLock(folder / f"{key}.lock", timeout=_LOCK_SECONDS):
        for name, sent in _read(state.file).get(uri, {}).items():
            with suppress(TypeError):  # written by another version; the run is found again by its tags
                state.attempts[name] = Sent(**sent)
        yield state


def _read(file: Path) -> dict[str, Any]:
    content = read_json(file)
    return content if isinstance(content, dict) else {}
