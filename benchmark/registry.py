"""Methods, found by name through entry points; the harness knows none of them."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from benchmark.errors import BenchmarkError, unknown
from benchmark.paths import PACKAGES
from benchmark.plugins import plugins
from benchmark.stage import Stage

if TYPE_CHECKING:
    from benchmark.datasets.base import DatasetInfo, Split

GROUP = "weakshot_benchmark.methods"


@dataclass(frozen=True)
class Cell:
    """What is claimed: one method on one split with one seed.

    ``settings`` maps a section's name (``training``, ``simformer``, ...) to the resolved instance of the dataclass that
    the method declares for it.
    """

    dataset: "DatasetInfo"
    split: "Split"
    variant: str
    seed: int
    settings: Mapping[str, Any]


class Method(Protocol):
    """How a cell is made. Importing a method must not import torch: ``plan`` and ``--help`` stay fast.

    Attributes:
        name: as in table files.
        title: as the paper prints it.
        summary: one line for ``methods``.
        variants: variant -> one line; the default variant is ``""`` and always exists.
        settings: section name -> frozen dataclass with defaults (the paper's values) that the method reads.

    A method that has the attribute ``bound = True`` learns from more than the task allows, in whatever row it stands
    (``benchmark.hidden_pixels``).
    """

    name: str
    title: str
    summary: str
    variants: Mapping[str, str]
    settings: Mapping[str, type]

    def preset(self, name: str, dataset: str, split: str) -> Mapping[str, Any]:
        """Return dotted setting -> value for preset ``paper`` or ``official``."""

    def plan(self, cell: Cell) -> Stage:
        """Return the evaluation stage of a cell; its result folder holds ``counts.npz`` (benchmark.metrics)."""


@runtime_checkable
class CheckpointReader(Protocol):
    """What a method may be beside: able to say what a file of weights holds."""

    def describe_checkpoint(self, path: Path) -> Mapping[str, Any]:
        """Return JSON values by name, for people too. Raises BenchmarkError for a file that cannot be read."""


@cache
def methods() -> dict[str, Method]:
    """Return every installed method by name.

    Raises BenchmarkError when one cannot be loaded, two share a name, or there is none.
    """
    found = dict(plugins(GROUP, "method"))
    if not found:
        raise BenchmarkError(
            f"no method is installed: entry points are missing. Run `{Path(sys.executable).name} -m pip install -e .` "
            f"in {PACKAGES}."
        )
    return found


def method(name: str, where: str = "") -> Method:
    """Return one method. Raises BenchmarkError with near matches for an unknown name."""
    known = methods()
    if name not in known:
        raise unknown("method", name, known, where)
    return known[name]
