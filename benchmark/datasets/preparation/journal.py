"""What was prepared from what: a line a pair, so that a second run goes on where the first one ended."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmark.datasets.manifest import FileFacts, PairFacts
from benchmark.datasets.preparation.pairs import PairOutcome
from benchmark.errors import BenchmarkError

NAME = ".prepared.jsonl"
VERSION = 1  # of the conversion; a change makes all of it again


class Journal:
    """The pairs that a folder holds, as far as they are known.

    Lines that were cut off by a crash count for nothing; later ones replace earlier ones. Raises BenchmarkError for the
    journal of another dataset.
    """

    def __init__(self, folder: Path, dataset: str) -> None:
        self._path = folder / NAME
        self._head = {"dataset": dataset, "version": VERSION}
        head, *lines = [*_lines(self._path)] or [self._head]
        if head.get("dataset") != dataset:
            raise BenchmarkError(f"{folder}: holds {head.get('dataset')}, not {dataset}. Choose another folder.")
        self._goes_on = head == self._head and self._path.exists()
        self._known = {line["facts"]["id"]: (line["stamp"], _facts(line["facts"])) for line in lines if "facts" in line}

    def known(self, image_id: str, stamp: str) -> PairFacts | None:
        """Return what became of a pair, unless its published files, or the conversion, have changed since."""
        before, facts = self._known.get(image_id, ("", None))
        return facts if self._goes_on and before == stamp else None

    def ids(self) -> tuple[str, ...]:
        """Return the ids of all pairs that were ever put into the folder."""
        return tuple(self._known)

    @contextmanager
    def writing(self) -> Iterator[Callable[[PairOutcome], None]]:
        """Yield a function that notes an outcome at once."""
        with self._path.open("a" if self._goes_on else "w", encoding="utf-8") as stream:
            stream.write("\n" if self._goes_on else json.dumps(self._head) + "\n")  # ends a line that was cut off
            stream.flush()

            def write(outcome: PairOutcome) -> None:
                if outcome.facts and self.known(outcome.id, outcome.stamp) != outcome.facts:
                    line = {"stamp": outcome.stamp, "facts": dataclasses.asdict(outcome.facts)}
                    stream.write(json.dumps(line) + "\n")
                    stream.flush()

            yield write


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    for line in text.split("\n"):
        try:
            content = json.loads(line)
        except ValueError:
            continue
        if isinstance(content, dict):
            yield content


def _facts(content: dict[str, Any]) -> PairFacts:
    counts = {int(value): pixels for value, pixels in content["counts"].items()}
    files = {name: FileFacts(**content[name]) for name in ("image", "mask")}
    return PairFacts(**{**content, "counts": counts, **files})
