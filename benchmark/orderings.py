"""What a table says about its rows: ``A > B`` and ``A falls from X to Y``, read when the table is."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Self

from benchmark.errors import BenchmarkError, unknown

_ROWS = re.compile(r"(?P<above>.+?) > (?P<below>.+)")
_FALL = re.compile(r"(?P<row>.+?) falls from (?P<first>.+?) to (?P<last>.+)")


class Pair(NamedTuple):
    """One comparison of two cells, (row label, column label) each; ``label`` is the column it is reported under."""

    label: str
    above: tuple[str, str]
    below: tuple[str, str]


@dataclass(frozen=True)
class Ordering:
    """``A > B`` (two rows, column by column) or ``A falls from X to Y`` (two columns of one row)."""

    text: str
    pairs: tuple[Pair, ...]

    @classmethod
    def parse(cls, text: str, rows: Iterable[str], columns: Iterable[str]) -> Self:
        """Read one entry of ``orderings:``. Raises BenchmarkError for another form and for unknown labels."""
        rows, columns = tuple(rows), tuple(columns)
        if fall := _FALL.fullmatch(text):
            row, first, last = (fall[name].strip() for name in ("row", "first", "last"))
            _known("row", [row], rows, text)
            _known("column", [first, last], columns, text)
            return cls(text, (Pair(f"{first} to {last}", (row, first), (row, last)),))
        if above_below := _ROWS.fullmatch(text):
            above, below = above_below["above"].strip(), above_below["below"].strip()
            _known("row", [above, below], rows, text)
            return cls(text, tuple(Pair(column, (above, column), (below, column)) for column in columns))
        raise BenchmarkError(
            f"ordering {text!r} is neither 'A > B' with two rows nor 'A falls from X to Y' with a row and two columns; "
            f"write one of these."
        )


def _known(kind: str, labels: Iterable[str], valid: tuple[str, ...], text: str) -> None:
    for label in labels:
        if label not in valid:
            raise unknown(kind, label, valid, f"ordering {text!r}")
