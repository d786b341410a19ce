"""Stages for processes that work together, without torch: they meet through files in their scratch folder."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmark.execute.context import Follower
from benchmark.execute.executor import Launcher
from benchmark.execute.messages import Event, Job
from benchmark.execute.session import Session, job_of, make_stages
from benchmark.stage import Stage, StageContext, StageInterrupted
from benchmark.store import Store

PATIENCE = 60.0
PLAN: Any = SimpleNamespace(dataset=SimpleNamespace(name="none"), source="none", data_root=None, uses={})


def stage(function: str = "together", shares: int = 2, **params: Any) -> Stage:
    here = "tests.benchmark.execute.support"
    return Stage("train", "a training", f"{here}:{function}", 1, {"steps": 3, **params}, shares=shares)


def job(wanted: Stage, store: Store) -> Job:
    return job_of(wanted, PLAN, store)


def run(stages: Sequence[Stage], store: Store, launcher: Launcher, *observers: Any) -> Session:
    return make_stages(PLAN, stages, store, launcher, observers)


class Recorder:
    """An observer that keeps events, and acts on them."""

    def __init__(self, act: Callable[[Event], None] = lambda _: None) -> None:
        self.events: list[Event] = []
        self._act = act

    def event(self, event: Event) -> None:
        self.events.append(event)
        self._act(event)

    def tick(self) -> None: ...


def wait_for(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        if time.monotonic() > end:
            raise TimeoutError("it did not happen in time")
        time.sleep(0.01)
    return found


def together(context: StageContext) -> Mapping[str, Any]:
    """Stage function: at every step all processes wait for each other; the first keeps a checkpoint.

    ``params["fate"]`` is [rank, step, what happens to it there]; it happens once.
    """
    process, steps = context.process, context.params["steps"]
    print(f"rank {process.rank} of {process.size}, device variables {os.environ.get('CUDA_VISIBLE_DEVICES')}")
    checkpoint = context.scratch / "step.json"
    begin = json.loads(checkpoint.read_text()) if checkpoint.exists() else 0
    for step in range(begin, steps):
        _fate(context, step)
        _meet(context.scratch / "meetings" / process.team / str(step), process.rank, process.size)
        context.log(step + 1, loss=1.0 / (step + 1))
        if process.rank == 0:
            checkpoint.write_text(json.dumps(step + 1))
    (context.out / "model.txt").write_text(f"{steps}")
    return {"begin": begin, "writers": 1 if isinstance(context, Follower) else 0}


def stoppable(context: StageContext) -> Mapping[str, Any]:
    """Stage function: every process works until it is asked to stop."""
    for step in range(context.params["steps"]):
        if context.stop_requested:
            raise StageInterrupted
        context.progress(step, context.params["steps"])
        time.sleep(0.01)
    return {}


def killed(_: StageContext) -> Mapping[str, Any]:
    """Stage function: does not come back."""
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def _meet(folder: Path, rank: int, size: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / str(rank)).touch()
    wait_for(lambda: len(list(folder.iterdir())) == size)


def _fate(context: StageContext, step: int) -> None:
    rank, when, what = context.params.get("fate", [-1, 0, ""])
    mark = context.scratch / "fate"
    if (rank, when) != (context.process.rank, step) or mark.exists():
        return
    mark.touch()
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "exit":
        sys.exit("I leave")
    raise {"value": ValueError("a wrong number"), "memory": MemoryError("all used up")}[what]


def alone(context: StageContext) -> Mapping[str, Any]:
    """Stage function of one process: says how it was started."""
    names = ("CUDA_VISIBLE_DEVICES", "BENCHMARK_DEVICE", "OMP_NUM_THREADS", "WORLD_SIZE")
    return {"size": context.process.size, **{name: os.environ.get(name) for name in names}}


def side_by_side(context: StageContext) -> Mapping[str, Any]:
    """Stage function: waits until so many stages run at the same time, and says which GPU it sees."""
    _meet(Path(context.params["meeting"]), context.params["number"], context.params["count"])
    return {"gpu": os.environ.get("CUDA_VISIBLE_DEVICES")}


def fails_first(context: StageContext) -> Mapping[str, Any]:
    """Stage function: talks much, fails as often as it is told, and then succeeds."""
    count = context.scratch / "count"
    done = int(count.read_text()) if count.exists() else 0
    count.write_text(str(done + 1))
    print("x" * context.params.get("talk", 10))
    print(f"the end of attempt {done + 1}")
    context.progress(1, 2)
    if done < context.params["failures"]:
        raise ValueError(f"failure {done + 1}")
    return {}
