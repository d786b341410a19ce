"""Curves of a running stage: one JSON line a point, kept consistent with the checkpoint after a resumption."""

import json
import time
from pathlib import Path

from benchmark.files import write_text


class Curves:
    """Appends points to a file. A point at or before the last one of an earlier attempt drops what it repeats."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last = max((step for step, _ in self._lines()), default=-1)
        self._fresh = True

    def add(self, step: int, metrics: dict[str, float]) -> None:
        """Append one point, readable by others at once."""
        if step < self._last or (self._fresh and step == self._last) or self._fresh:
            self._rewind(step)
        self._fresh = False
        self._last = step
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"step": step, "time": time.time(), **metrics}) + "\n")

    def _rewind(self, step: int) -> None:
        """Drop points from ``step`` on, and the torn last line of a process that was killed."""
        if self._path.exists():
            write_text(self._path, "".join(line for earlier, line in self._lines() if earlier < step))

    def _lines(self) -> list[tuple[int, str]]:
        """Return (step, line) of every whole line."""
        if not self._path.exists():
            return []
        found = []
        for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
            try:
                found.append((int(json.loads(line)["step"]), line))
            except (ValueError, KeyError, TypeError):
                continue
        return [(step, line) for step, line in found if line.endswith("\n")]
