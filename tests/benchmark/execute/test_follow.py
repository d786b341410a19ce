"""The processes of a team other than the first, and workers that srun has launched."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from benchmark.execute import follow as following
from benchmark.execute.attempt import make
from benchmark.execute.follow import call, follow
from benchmark.execute.local import LocalExecutor
from benchmark.execute.messages import Event, Finished, Progress, Started, decode
from benchmark.ranks import ProcessRank
from benchmark.stage import Stage
from benchmark.store import Store
from tests.benchmark.execute.support import PATIENCE, job, stage

SECOND = ProcessRank(1, 2, team="a/team of ours")
ROOT = Path(__file__).parents[3]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def followed(wanted: Stage, store: Store, process: ProcessRank = SECOND) -> Finished:
    return follow(job(wanted, store), process, lambda: False, lambda _: nullcontext())


def test_a_result_that_is_there_keeps_nobody_waiting(store: Store) -> None:
    wanted = stage("alone")
    make(job(wanted, store), print, lambda: False, lambda _: nullcontext())
    assert followed(wanted, store).state == "done"


def test_who_is_sent_away_goes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "PATIENCE", 5.0)
    wanted = stage()
    with store.lock(wanted.key):
        first = make(job(wanted, store), print, lambda: False, lambda _: nullcontext(), SECOND._replace(rank=0))
        assert (first.state, followed(wanted, store).state) == ("busy", "busy")


def test_a_first_process_that_never_comes_is_not_waited_for_for_ever(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "PATIENCE", 0.05)
    wanted = stage()
    call(store, wanted.key, SECOND._replace(team="another one"), 1)
    end = followed(wanted, store)
    assert (end.state, end.fault) == ("failed", "machine")
    assert "did not begin" in end.message


def test_a_follower_leaves_nothing_behind_but_its_log(store: Store) -> None:
    wanted = stage(steps=1)
    call(store, wanted.key, SECOND, 4)
    meeting = store.work(wanted.key) / "scratch" / "meetings" / SECOND.team / "0"
    meeting.mkdir(parents=True)
    (meeting / "0").touch()  # the first has arrived
    before = {path for path in store.root.rglob("*") if meeting not in path.parents}
    end = followed(wanted, store)
    assert (end.state, Path(end.log)) == ("done", store.attempt_folder(wanted.key, 4) / "rank-1.log")
    assert {path for path in store.root.rglob("*") if meeting not in path.parents} == before


class Workers:
    """Worker processes as srun starts them: each with its rank in the environment."""

    def __init__(self, size: int) -> None:
        slurm = {"SLURM_STEP_NUM_TASKS": str(size), "SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0"}
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29511"}
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-m", "benchmark.execute.worker"],
                env={**os.environ, **slurm, **meeting, "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
            )
            for rank in range(size)
        ]

    def make(self, wanted: Stage, store: Store) -> list[list[Event]]:
        """Give all of them a job and return what each says of it."""
        for process in self.processes:
            assert process.stdin
            process.stdin.write(job(wanted, store).encode() + "\n")
            process.stdin.flush()
        return [list(self._said(process)) for process in self.processes]

    def leave(self) -> list[int]:
        for process in self.processes:
            assert process.stdin
            process.stdin.close()
        return [process.wait(60) for process in self.processes]

    @staticmethod
    def _said(process: "subprocess.Popen[str]") -> Iterator[Event]:
        assert process.stdout
        for line in process.stdout:
            event = decode(line)
            if not isinstance(event, Progress):
                yield event
            if isinstance(event, Finished):
                return


@pytest.fixture
def workers() -> Iterator[Workers]:
    found = Workers(2)
    yield found
    for process in found.processes:
        with process:
            process.kill()


def test_workers_under_srun_make_a_stage_together(workers: Workers, store: Store) -> None:
    shared, single = stage(), stage("alone", 1)
    first, second = workers.make(shared, store)
    assert [type(event) for event in first] == [Started, Finished]
    assert [type(event) for event in second] == [Finished]
    assert {event.state for event in (*first, *second) if isinstance(event, Finished)} == {"done"}
    (record,) = store.attempts(shared.key)
    assert (record["processes"], record["job"], record["pid"]) == (2, "7", workers.processes[0].pid)
    assert "rank 1 of 2" in (store.attempt_folder(shared.key, 1) / "rank-1.log").read_text()
    _, end = workers.make(single, store)
    assert end == [Finished(single.key, "done", message="made without this process")]
    assert store.result(single.key)["summary"]["size"] == 1
    again = workers.make(shared, store)
    assert [event.message for some in again for event in some if isinstance(event, Finished)] == [
        "made by another run",
        "another run makes it",
    ]
    assert workers.leave() == [0, 0]


def test_workers_under_srun_that_find_their_stage_in_work_go_on_when_it_is_free(workers: Workers, store: Store) -> None:
    wanted = stage()
    store.work(wanted.key).mkdir(parents=True)
    with store.lock(wanted.key):
        ends = workers.make(wanted, store)
        assert [event.state for some in ends for event in some if isinstance(event, Finished)] == ["busy", "busy"]
    ends = workers.make(wanted, store)
    assert [some[-1].state for some in ends if isinstance(some[-1], Finished)] == ["done", "done"]


def test_a_worker_whose_job_failed_says_so_to_its_launcher(workers: Workers, store: Store) -> None:
    wanted = stage("fails_first", 1, failures=1)
    workers.make(wanted, store)
    assert workers.leave() == [1, 0]


@pytest.mark.parametrize(("as_launched", "message"), [(True, "made without this process"), (False, "")])
def test_an_executor_in_a_job_of_srun_says_whether_its_workers_take_its_place(
    store: Store, monkeypatch: pytest.MonkeyPatch, as_launched: bool, message: str
) -> None:
    slurm = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1", "SLURM_LOCALID": "1", "MASTER_ADDR": "127.0.0.1"}
    for name, value in {**slurm, "SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0"}.items():
        monkeypatch.setenv(name, value)
    events: list[Event] = []
    executor = LocalExecutor(1, events.append, as_launched=as_launched)
    executor.submit(job(stage("alone", 1), store))
    while not (events and isinstance(events[-1], Finished)):
        executor.wait(PATIENCE)
    executor.close()
    assert [event.message for event in events if isinstance(event, Finished)] == [message]
