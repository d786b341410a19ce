"""What claims are held against, fixed before any run: ``tolerance.yaml``, and the tolerance that follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from benchmark.config import FOLDER
from benchmark.paths import data_folder
from benchmark.table_files import PAPER, TOLERANCE
from benchmark.validation import validated
from benchmark.yaml12 import load_mapping

if TYPE_CHECKING:
    from benchmark.config import Profile

FILE = data_folder("papers") / PAPER / TOLERANCE


_STRICT = ConfigDict(strict=True, extra="forbid", frozen=True)


class SeedSpread(BaseModel):
    """What is assumed of the seeds before any of them is run.

    Attributes:
        sd: standard deviation of one training's novel mIoU over seeds, in points.
        weight: of that against the seeds of a run, in degrees of freedom.
        source: where it comes from.
    """

    model_config = _STRICT

    sd: float = Field(gt=0)
    weight: float = Field(gt=0)
    source: str


class Rules(BaseModel):
    """The content of ``tolerance.yaml``.

    Attributes:
        confidence: of every interval, two-sided, 0..1.
        resamples: of the test images.
        seed: of the resampling.
        seed_spread: profile -> what is assumed there; ``paper`` is also that of the paper's own runs.
    """

    model_config = _STRICT

    confidence: float = Field(gt=0, lt=1)
    resamples: int = Field(ge=100)
    seed: int
    seed_spread: Mapping[str, SeedSpread]

    @property
    def tail(self) -> float:
        """Probability below the upper end of an interval."""
        return (1 + self.confidence) / 2


@dataclass(frozen=True)
class Tolerance:
    """How far from a printed value the mean over all seeds may be and still be the same result.

    The printed value is one run, so it may lie as far from the mean of its own seeds as single runs do; and it is
    rounded. Both are added, the worst case. The seeds of the run that is judged have no part in it: noisy seeds must
    not make it wider.

    Attributes:
        rounding: half a unit of the last printed digit, in points.
        sd: standard deviation of a single run of the paper over seeds, as assumed.
        factor: standard deviations on either side that hold the confidence.
    """

    rounding: float
    sd: float
    factor: float

    @property
    def size(self) -> float:
        """Largest difference, in points of mIoU."""
        return self.rounding + self.factor * self.sd

    def __str__(self) -> str:
        return (
            f"{self.size:.2f} = {self.rounding:.2g} (rounding of the printed value) + {self.factor:.2f} x "
            f"{self.sd:.2g} (SD over seeds of the paper's single run)"
        )


@cache
def rules() -> Rules:
    """Return the content of ``tolerance.yaml``."""
    return validated(Rules, load_mapping(FILE, "it maps confidence, resamples, seed and seed_spread"), str(FILE))


def tolerance(rounding: float) -> Tolerance:
    """Return the tolerance of a value that is printed to within ``rounding``."""
    return Tolerance(rounding, rules().seed_spread["paper"].sd, NormalDist().inv_cdf(rules().tail))


def assumed_spread(profile: "Profile") -> SeedSpread | None:
    """Return what is assumed of the seeds of a profile; ``None`` for profiles of which nothing is known."""
    shipped = profile.path.resolve().parent == FOLDER.resolve()
    return rules().seed_spread.get(profile.name) if shipped else None
