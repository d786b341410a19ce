"""Whether this machine's numbers will be the published ones: a little of each kind of training, compared bit by bit."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmark.costs.running import make_stages_here
from benchmark.costs.workloads import changed, measurable, representatives
from benchmark.errors import BenchmarkError
from benchmark.files import read_json
from benchmark.plan import Plan, build_plan
from benchmark.stage import Change, Stage, closure
from benchmark.store import Store

PUBLISHED = Path(__file__).with_name("reproduction.json")
TABLES = ("2", "3", "baselines")
SPLIT = "S4"
ITERATIONS = 20  # rounding shows within a few
PATIENCE = 60.0  # CPU seconds that what a training reads may take; RIB's edges wait for a CRF over every image
TRAININGS = frozenset({"pretrain", "train", "retrain"})
_DIGITS = 16


class Trained(NamedTuple):
    """What became of a kind of training.

    Attributes:
        name: of its stage.
        digest: 16 hexadecimal digits of all weights after some iterations.
        published: the same as published; empty where this kind is not.
    """

    name: str
    digest: str
    published: str

    @property
    def same(self) -> bool:
        return self.digest == self.published


def trainings() -> tuple[Plan, list[Stage]]:
    """Return a stage of each kind of training of the miniature, of some iterations on inputs that are soon made."""
    plan = build_plan(TABLES, "mini", "mini", (0,), splits=(SPLIT,))
    kinds = [stage for stage in representatives(plan.stages).values() if stage.kind in TRAININGS and _soon(stage)]
    return plan, [changed(measurable(stage), _longer(stage.work.shortened)) for stage in kinds]


def digests() -> Iterator[Trained]:
    """Train each kind in this process and yield what became of it, one by one.

    Raises:
        BenchmarkError: a stage could not be made.
        KeyboardInterrupt: the user asked to stop.
    """
    published = published_digests()
    plan, stages = trainings()
    with TemporaryDirectory(prefix="weakshot-arithmetic-") as folder:
        store = Store(Path(folder, "store"))
        for stage in stages:
            make_stages_here(plan, closure([stage]), store)
            yield Trained(stage.name, weights_digest(store.folder(stage.key)), published.get(stage.name, ""))


def published_digests() -> Mapping[str, str]:
    """Return the name of a training -> digest, as they were when the published results were made."""
    content = read_json(PUBLISHED)
    if not isinstance(content, dict) or not isinstance(content.get("digests"), dict):
        raise BenchmarkError(f"{PUBLISHED} is damaged; install this software again.")
    return dict(content["digests"])


def weights_digest(folder: Path) -> str:
    """Return 16 hexadecimal digits of the names, types, shapes and values of all tensors of a result."""
    from safetensors.numpy import load_file

    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        for name, values in sorted(load_file(path).items()):
            digest.update(f"{path.name} {name} {values.dtype} {values.shape}\n".encode())
            digest.update(values.tobytes())
    return digest.hexdigest()[:_DIGITS]


def _soon(stage: Stage) -> bool:
    """Return whether what a stage reads, other trainings apart, is soon made."""
    return sum(one.cost for one in closure(stage.inputs.values()) if one.kind not in TRAININGS) <= PATIENCE


def _longer(change: Change) -> Change:
    """Return the change after which a training is not as short as can be, but of a few more iterations."""
    return {name: _longer(value) if isinstance(value, Mapping) else ITERATIONS for name, value in change.items()}
