"""Networks on the way of a training: which are kept, where they lie, and which of them an evaluation counts.

The released code evaluates a network every so many iterations while it trains [6.2]. Here a training never sees the
ground truth of the test images: it keeps its network at these points, and stages of their own count them. What is
reported is the last network, whatever the others have. Nothing here imports torch.
"""

import math
import shutil
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

from benchmark.errors import BenchmarkError
from benchmark.files import sha256, sync, write_text
from benchmark.stage import Stage

SCHEDULES = ("training", "largefov")  # parameters of a training that say how long it is and what it keeps


def iterations_kept(iterations: int, snapshots: int) -> tuple[int, ...]:
    """Return after how many iterations a network is kept before the last, each once.

    The points have equal distances; one that falls between two iterations is the later of them.
    """
    points = (-(-k * iterations // snapshots) for k in range(1, snapshots))
    return tuple(dict.fromkeys(point for point in points if point < iterations))


def snapshot_file(iteration: int) -> str:
    """Return the name of the network after so many iterations, in a result's folder; the last has its usual name."""
    return f"model-{iteration}.safetensors"


def evaluated_iteration(at: float | str, model: Stage) -> int:
    """Return after how many iterations of ``model`` the network to evaluate was kept; 0 for its last one.

    Args:
        at: setting ``evaluation.at``.
        model: the stage that leaves the network behind.

    Raises:
        BenchmarkError: ``at`` is no number, or no network was kept there.
    """
    share = _share(at)
    if share == 1:
        return 0
    section = next((name for name in SCHEDULES if name in model.params), "")
    schedule = {"snapshots": 1, "iterations": 0, **model.params.get(section, {})}
    if not 0 < share < 1 or (share * schedule["snapshots"]).denominator > 1:
        raise BenchmarkError(_nothing_kept(at, model.name, section, schedule["snapshots"]))
    iteration = math.ceil(share * schedule["iterations"])
    return iteration if iteration < schedule["iterations"] else 0


def _share(at: float | str) -> Fraction:
    try:
        return Fraction(str(at))
    except (ValueError, ZeroDivisionError) as error:
        raise BenchmarkError(f"evaluation.at = {at!r} is no share of a training. Write 1/6 or 0.5, say.") from error


def _nothing_kept(at: float | str, name: str, section: str, snapshots: int) -> str:
    points = ", ".join(f"{k}/{snapshots}" for k in range(1, snapshots + 1))
    kept = f"its networks at {points}" if snapshots > 1 else "its last network alone, at 1"
    way_out = f", or change {section}.snapshots" if section else ""
    return f"evaluation.at = {at}: stage {name!r} keeps {kept}. Take one of these{way_out}."


class Snapshots:
    """Keeps a network on the way of its training.

    Until the training ends its networks lie in ``folder``, which survives an interruption; what runs again after one
    writes the same network over the one that is there.

    Attributes:
        folder: the scratch folder of the stage.
        iterations: after which a network is kept.
        save: writes the network as it is into a file.
    """

    def __init__(self, folder: Path, iterations: Iterable[int], save: Callable[[Path], None]) -> None:
        self.folder, self.iterations, self.save = folder, tuple(iterations), save

    def keep(self, iteration: int) -> None:
        """Write the network if this is one of ``iterations``; a file is whole or not there."""
        if iteration in self.iterations:
            path = self.folder / snapshot_file(iteration)
            part = path.with_suffix(".part")
            self.save(part)
            sync(part)
            write_text(self._digest(iteration), sha256(part))  # first: without it the network counts for nothing
            part.replace(path)
            sync(self.folder)

    def sound(self, step: int) -> bool:
        """Return whether the networks that were kept before an iteration are there, as they were written."""
        return all(self._is_sound(iteration) for iteration in self.iterations if iteration <= step)

    def publish(self, out: Path) -> None:
        """Copy the networks into the result; not move, because the result may still fail to be published."""
        for iteration in self.iterations:
            shutil.copyfile(self.folder / snapshot_file(iteration), out / snapshot_file(iteration))

    def _digest(self, iteration: int) -> Path:
        return self.folder / f"{snapshot_file(iteration)}.sha256"

    def _is_sound(self, iteration: int) -> bool:
        path, digest = self.folder / snapshot_file(iteration), self._digest(iteration)
        if not path.is_file():
            return False
        return not digest.exists() or digest.read_text(encoding="utf-8") == sha256(path)  # of older versions: none
