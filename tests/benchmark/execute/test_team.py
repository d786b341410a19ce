"""Several processes that make one stage, started by the harness; the stages do without torch."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmark.execute import team
from benchmark.execute.local import Local
from benchmark.execute.messages import Event, Finished, Progress, Started
from benchmark.store import Store
from tests.benchmark.execute.support import Recorder, run, stage


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for a process that is gone is ended soon."""
    monkeypatch.setattr(team, "PARTING", 0.3)


def alive(pids: Sequence[int]) -> list[int]:
    """Return which of the processes are there, and no mere corpses."""
    found = []
    for pid in pids:
        stat = Path(f"/proc/{pid}/stat")
        if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
            found.append(pid)
    return found


def children() -> list[int]:
    """Return the processes that this one has started."""
    return [int(pid) for pid in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()]


def test_a_team_makes_a_stage_and_is_told_of_as_one(store: Store) -> None:
    wanted, seen = stage(), Recorder()
    session = run([wanted], store, Local(1, 2), seen)
    assert session.outcomes[wanted.key].state == "done"
    kinds = [type(event) for event in seen.events if not isinstance(event, Progress)]
    assert kinds == [Started, Finished]
    assert store.result(wanted.key)["summary"] == {"begin": 0, "writers": 0}  # the first process, with its own context
    (record,) = store.attempts(wanted.key)
    assert record["processes"] == 2
    folder = store.attempt_folder(wanted.key, 1)
    assert "rank 0 of 2" in (folder / "log.txt").read_text()
    assert "rank 1 of 2" in (folder / "rank-1.log").read_text()
    points = [json.loads(line)["step"] for line in (store.folder(wanted.key) / "curves.jsonl").read_text().splitlines()]
    assert points == [1, 2, 3]  # each once
    assert not alive(children())


def test_every_process_of_a_team_sees_a_gpu_of_its_own(store: Store) -> None:
    stages = [stage(number=number) for number in range(2)]
    run(stages, store, Local(1, 2, ("GPU-a", "MIG-b", "GPU-c")))
    for one in stages:
        folder = store.attempt_folder(one.key, 1)
        assert "device variables GPU-a" in (folder / "log.txt").read_text()
        assert "device variables MIG-b" in (folder / "rank-1.log").read_text()


@pytest.mark.parametrize(("shares", "size"), [(1, 1), (2, 2), (3, 3), (4, 2), (6, 3), (7, 1)])
def test_a_stage_gets_as_many_processes_as_divide_its_shares(store: Store, shares: int, size: int) -> None:
    wanted = stage(shares=shares)
    run([wanted], store, Local(1, 3))
    assert store.attempts(wanted.key)[0]["processes"] == size


def test_single_processes_are_kept_and_teams_are_not(store: Store) -> None:
    stages = [stage("alone", 1, number=0), stage(number=1), stage("alone", 1, number=2), stage("alone", 1, number=3)]
    for one in stages:  # one run, in this order
        object.__setattr__(one, "cost", 10.0 - one.params["number"])
    run(stages, store, Local(1, 2))
    pids = [store.attempts(one.key)[0]["pid"] for one in stages]
    assert pids[2] == pids[3]
    assert len(set(pids)) == 3
    assert [store.result(one.key)["summary"].get("size") for one in stages] == [1, None, 1, 1]


@pytest.mark.usefixtures("_hasty")
@pytest.mark.parametrize(
    ("rank", "fate", "message", "fault", "died"),
    [
        (1, "kill", "rank 1 of 2: its worker process was killed by SIGKILL (out of memory?)", "machine", True),
        (1, "value", "rank 1 of 2: ValueError: a wrong number", "stage", False),
        (1, "memory", "rank 1 of 2: MemoryError: all used up", "machine", False),
        (1, "exit", "rank 1 of 2: SystemExit: I leave", "stage", False),
        (0, "kill", "its worker process was killed by SIGKILL (out of memory?)", "machine", True),
        (0, "value", "ValueError: a wrong number", "stage", False),
    ],
)
def test_one_that_fails_ends_the_others_and_the_next_attempt_goes_on(
    store: Store, rank: int, fate: str, message: str, fault: str, died: bool
) -> None:
    wanted = stage(fate=[rank, 2, fate])
    end = run([wanted], store, Local(1, 2)).outcomes[wanted.key]
    assert (end.state, end.message, end.fault) == ("failed", message, fault)
    (record,) = store.attempts(wanted.key)
    assert (record["state"], record["error"], record["fault"], record["died"]) == ("failed", message, fault, died)
    assert message in (store.attempt_folder(wanted.key, 1) / "error.txt").read_text()
    assert Path(end.log).is_file()
    assert not alive([*children(), record["pid"]])
    assert run([wanted], store, Local(1, 2)).outcomes[wanted.key].state == "done"
    assert store.result(wanted.key)["summary"]["begin"] == 2
    assert [one["state"] for one in store.attempts(wanted.key)] == ["failed", "done"]
    assert (store.attempt_folder(wanted.key, 1) / "rank-1.log").is_file()


@pytest.mark.usefixtures("_hasty")
def test_the_traceback_of_a_process_is_in_its_log(store: Store) -> None:
    wanted = stage(fate=[1, 0, "value"])
    end = run([wanted], store, Local(1, 2)).outcomes[wanted.key]
    assert Path(end.log).name == "rank-1.log"
    assert "Traceback" in Path(end.log).read_text()


def test_a_team_that_finds_its_stage_in_work_waits_and_finds_it_made(store: Store) -> None:
    wanted, once = stage(), stage()
    lock = store.lock(wanted.key)
    store.work(wanted.key).mkdir(parents=True)

    def let_go(event: Event) -> None:
        if isinstance(event, Finished) and event.state == "busy":
            lock.release()

    lock.acquire()
    seen = Recorder(let_go)
    assert run([wanted], store, Local(1, 2), seen).outcomes[wanted.key].state == "done"
    assert [event.state for event in seen.events if isinstance(event, Finished)] == ["busy", "done"]
    assert run([once], store, Local(1, 2)).outcomes[wanted.key].message == "made by another run"
    assert not alive(children())


def test_a_stop_reaches_every_process(store: Store) -> None:
    wanted = stage("stoppable", steps=10_000)

    def stop(event: Event) -> None:
        if isinstance(event, Progress):
            os.kill(os.getpid(), 2)

    session = run([wanted], store, Local(1, 2), Recorder(stop))
    assert session.interrupted
    assert session.outcomes[wanted.key].state == "interrupted"
    assert store.state(wanted.key) == "interrupted"
    assert not alive(children())
