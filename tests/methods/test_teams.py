"""Trainings by several processes that the harness starts: the stages as they are planned, from beginning to end."""

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from benchmark.execute.local import Local
from benchmark.execute.messages import Event, Finished, Progress
from benchmark.execute.session import Session, make_stages
from benchmark.stage import Stage, closure
from benchmark.store import Store
from methods.weights.checkpoints import MODEL_FILE
from tests.methods.support import plan

PLAN: Any = SimpleNamespace(dataset=SimpleNamespace(name="mini"), source="mini", data_root=None, uses={})
SHARED = {"training.batch": 4, "training.emulate_world_size": 2, "simformer.points": 20}


def make(stage: Stage, store: Store, processes: int, *observers: Any) -> Session:
    missing = [one for one in closure([stage]) if not store.find(one)]
    return make_stages(PLAN, missing, store, Local(1, processes), observers)


def trained(variant: str, **overrides: Any) -> Stage:
    return plan("simformer", variant, {**SHARED, **overrides}).inputs["model"]


class Killer:
    """Kills the second process of a team as soon as there is progress."""

    def __init__(self, store: Store, key: str) -> None:
        self._store, self._key = store, key
        self.killed = 0

    def event(self, event: Event) -> None:
        if isinstance(event, Progress) and event.key == self._key and not self.killed:
            first = self._store.attempts(self._key)[-1]["pid"]
            children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
            (self.killed,) = (int(pid) for pid in children if int(pid) != first and self._second(int(pid)))
            os.kill(self.killed, signal.SIGKILL)

    def tick(self) -> None: ...

    @staticmethod
    def _second(pid: int) -> bool:
        return b"\0RANK=1\0" in b"\0" + Path(f"/proc/{pid}/environ").read_bytes()


def test_trainings_say_in_how_many_shares_their_work_falls() -> None:
    oracle = plan("fully_oracle", "", {"training.batch": 8, "training.emulate_world_size": 4})
    starred = plan("simformer", "retrained", SHARED)
    stages = [*closure([oracle, starred])]
    assert sorted(stage.shares for stage in stages if stage.kind in {"train", "retrain"}) == [2, 2, 4]
    assert {stage.shares for stage in stages if stage.kind not in {"train", "retrain"}} == {1}
    same = plan("fully_oracle", "", {"training.batch": 8, "training.emulate_world_size": 4, "input.workers": 3})
    assert oracle.key == same.key


@pytest.mark.slow
def test_two_processes_give_what_one_gives_even_after_one_was_killed(tmp_path: Path) -> None:
    stage = trained("", **{"training.iterations": 40})
    one, two = Store(tmp_path / "one"), Store(tmp_path / "two")
    assert make(stage, one, 1).outcomes[stage.key].state == "done"
    killer = Killer(two, stage.key)
    end = make(stage, two, 2, killer).outcomes[stage.key]
    assert isinstance(end, Finished)
    assert (end.state, end.fault) == ("failed", "machine")
    assert end.message == "rank 1 of 2: its worker process was killed by SIGKILL (out of memory?)"
    assert two.attempts(stage.key)[0]["died"]
    assert make(stage, two, 2).outcomes[stage.key].state == "done"
    assert [record["processes"] for record in two.attempts(stage.key)] == [2, 2]
    expected, found = (load_file(store.folder(stage.key) / MODEL_FILE) for store in (one, two))
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
