"""What a reader wants to see in each cell of a table, and against whose values."""

from dataclasses import dataclass

from benchmark.errors import BenchmarkError, unknown

OURS, PAPER = "ours", "paper"
NOTES = ("sd", "interval", "images")  # that stand with a value
PIECES = (OURS, *NOTES, "difference", "verdict", "seeds", "replicates", "base", "miou")
MOST_DECIMALS = 6


@dataclass(frozen=True)
class CellSpec:
    """What to show, in this order; nothing but the defaults unless somebody asks.

    Attributes:
        columns: of ``PIECES`` and ``against``; empty for what the format shows by itself.
        against: ``paper`` and names of other runs, whose values stand beside those of this run.
        precision: decimals of what was computed; ``None`` for as many as the paper prints.
    """

    columns: tuple[str, ...] = ()
    against: tuple[str, ...] = (PAPER,)
    precision: int | None = None

    def __post_init__(self) -> None:
        """Raise BenchmarkError for a name that is none, and for decimals that nobody can read."""
        for name in self.columns:
            if name not in (*PIECES, *self.against):
                near = unknown("column", name, (*PIECES, *self.against), "--columns")
                raise BenchmarkError(f"{near} Splits are chosen with --splits, other runs with --against.")
        for name in self.runs:
            if name in PIECES or self.against.count(name) > 1:
                raise BenchmarkError(
                    f"a run cannot be called {name!r} here: the name is taken. Import it --as another."
                )
        if self.columns and not set(self.columns).difference(NOTES):
            raise BenchmarkError(f"--columns {','.join(self.columns)} has no value to stand with; add ours.")
        if self.precision is not None and not 0 <= self.precision <= MOST_DECIMALS:
            raise BenchmarkError(f"--precision {self.precision}: write a number from 0 to {MOST_DECIMALS}.")

    @property
    def judged(self) -> bool:
        """Whether anything is shown that only a judgement knows."""
        return not {"images", "verdict"}.isdisjoint(self.columns)

    @property
    def runs(self) -> tuple[str, ...]:
        """The names among ``against`` that are no printed values."""
        return tuple(name for name in self.against if name != PAPER)
