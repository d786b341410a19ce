"""One of several processes that run the trainings of ``test_distributed``: ``python -m tests.methods.together FOLDER``.

``FOLDER/jobs.json`` maps a name to the function, parameters and inputs of a stage and, for each rank, after how many
steps it is asked to stop, or null. Prints how each of them ended.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from benchmark.datasets import load_dataset
from benchmark.execute.context import Follower
from benchmark.execute.worker import leave
from benchmark.ranks import find_process_rank
from benchmark.relocated import load_function
from benchmark.stage import StageContext, StageInterrupted
from methods.training import distributed
from tests.methods.support import FakeContext, Few


@dataclass
class Watched(FakeContext):
    """Is asked to stop after a number of looks, whatever progress is reported."""

    stop_at: int | None = None
    looks: int = 0

    @property
    def stop_requested(self) -> bool:
        self.looks += 1
        return self.stop_at is not None and self.looks > self.stop_at


def make_all(context: StageContext) -> Mapping[str, Any]:
    """Stage function: runs the jobs, one after the other."""
    rank, data = distributed.rank(), Few(load_dataset("mini"), 12)
    ends = {}
    for name, job in json.loads((context.scratch / "jobs.json").read_text()).items():
        inputs = {role: Path(path) for role, path in job["inputs"].items()}
        stop_at = job.get("stop_at", {}).get(str(rank))
        watched = Watched(context.scratch / name, job["params"], inputs, data=data, stop_at=stop_at)
        inner = Follower(watched, context.out) if rank else watched
        try:
            load_function(job["function"])(cast("StageContext", inner))
            ends[name] = "done"
        except StageInterrupted:
            ends[name] = f"stopped after {watched.looks - 1} steps"
        if watched.curves:
            (context.scratch / name / f"curves {rank}.json").write_text(json.dumps(watched.curves))
    return ends


def main() -> None:
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    context = FakeContext(folder.parent, process=find_process_rank())
    assert context.scratch == folder
    print(json.dumps(distributed.distributed_stage(make_all)(context)))
    leave(0)


if __name__ == "__main__":
    main()
