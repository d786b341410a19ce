import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from benchmark.execute.cluster.campaign import job_name
from benchmark.execute.cluster.queue import Queued, note
from benchmark.execute.cluster.survey import attainable, inputs_of, survey
from benchmark.execute.stage_status import StageStatus, cancelled_mark
from benchmark.files import write_json
from tests.benchmark import toy
from tests.benchmark.execute.cluster.fake_queue import Queue
from tests.benchmark.execute.cluster.fake_slurm import FakeSlurm
from tests.benchmark.execute.cluster.support import Site


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    toy.install(monkeypatch)
    monkeypatch.setenv("TOY_CALLS", str(tmp_path / "calls"))


@pytest.fixture
def queue(slurm: FakeSlurm, tmp_path: Path) -> Queue:
    return Queue(slurm, tmp_path)


class Submitted:
    """A campaign of one cell in a queue that a test speaks for: jobs 101, 102, 103 make its three stages."""

    def __init__(self, folder: Path, queue: Queue, **toys: Any) -> None:
        self.site, self._queue = Site(folder, **toys), queue
        self.site.submit()
        self.name = job_name(self.site.campaign.id, "default")

    def stands(self, kind: str) -> StageStatus:
        return survey(self.site.store, inputs_of(self.site.campaign))[0][self.site.key(kind)]

    def holds(self, **states: str) -> None:
        self._queue.holds(**{job: f"{state} {self.name}" for job, state in states.items()})


def test_stages_stand_as_their_jobs_do(tmp_path: Path, queue: Queue) -> None:
    submitted = Submitted(tmp_path, queue)
    submitted.holds(_101="RUNNING", _102="PENDING", _103="PENDING")
    assert submitted.stands("prepare") == StageStatus("running", "101", "n1", submitted.site.campaign.id)
    assert submitted.stands("train").state == "queued"
    submitted.site.made("prepare")
    assert submitted.stands("prepare") == StageStatus("done")


def test_nothing_is_asked_for_stages_that_were_never_submitted(tmp_path: Path, slurm: FakeSlurm) -> None:
    site = Site(tmp_path)
    stages, _ = survey(site.store, inputs_of(site.campaign))
    assert {stage.state for stage in stages.values()} == {"missing"}
    site.made("prepare", "train", "evaluate")
    stages, _ = survey(site.store, inputs_of(site.campaign))
    assert {stage.state for stage in stages.values()} == {"done"}
    assert slurm.calls() == []


def test_a_job_of_another_name_is_another_job(tmp_path: Path, queue: Queue, slurm: FakeSlurm) -> None:
    submitted = Submitted(tmp_path, queue)
    queue.holds(_101="RUNNING wss-20200101-000000-abcd-default", _102="PENDING other")
    slurm.answers("sacct", "101|COMPLETED|n1|other\n")
    assert submitted.stands("prepare").state == "lost"
    assert submitted.stands("train").state == "lost"


@pytest.mark.parametrize(
    ("line", "state", "detail"),
    [
        ("101|NODE_FAIL|n1|{name}", "lost", "Slurm: NODE_FAIL"),
        (f"101|CANCELLED by {os.getuid()}|n1|{{name}}", "cancelled", ""),
        (f"101|CANCELLED by {os.getuid() + 1}|n1|{{name}}", "lost", "Slurm: CANCELLED"),
        ("", "lost", ""),
    ],
)
def test_what_the_queue_forgot_is_asked_of_the_accounting(
    tmp_path: Path, queue: Queue, slurm: FakeSlurm, line: str, state: str, detail: str
) -> None:
    submitted = Submitted(tmp_path, queue)
    slurm.answers("sacct", line.format(name=submitted.name) + "\n")
    found = submitted.stands("prepare")
    assert (found.state, found.detail) == (state, detail)
    assert len(slurm.calls("sacct")) == 1


def test_while_slurm_is_silent_jobs_count_as_queued(tmp_path: Path, queue: Queue, slurm: FakeSlurm) -> None:
    submitted = Submitted(tmp_path, queue)
    slurm.answers("squeue", error="squeue: error: no controller\n", code=1)
    found = submitted.stands("train")
    assert (found.state, found.detail) == ("queued", "as far as is known: squeue: squeue: error: no controller")
    assert slurm.calls("sacct") == []


def test_failures_block_what_rests_on_them(tmp_path: Path, queue: Queue) -> None:
    submitted = Submitted(tmp_path, queue, mode="fail")
    submitted.site.made("prepare", "train")
    train, evaluation = submitted.stands("train"), submitted.stands("evaluate")
    assert (train.state, train.detail, train.by_machine) == ("failed", "RuntimeError: the toy is broken", False)
    assert (evaluation.state, evaluation.detail) == ("blocked", f"needs {submitted.site.key('train')[:8]}")


def test_a_stage_that_is_queued_again_after_a_failure_is_queued(tmp_path: Path, queue: Queue) -> None:
    submitted = Submitted(tmp_path, queue, mode="fail")
    submitted.site.made("prepare", "train")
    submitted.holds(_102="PENDING")
    assert submitted.stands("train").state == "queued"


def test_a_mark_of_cancellation_holds_until_the_next_attempt(tmp_path: Path, queue: Queue) -> None:
    submitted = Submitted(tmp_path, queue)
    site, key = submitted.site, submitted.site.key("prepare")
    write_json(cancelled_mark(site.store, key), {"time": time.time()})
    assert submitted.stands("prepare").state == "cancelled"
    assert submitted.stands("train").state == "blocked"
    folder = site.store.attempt_folder(key, 1)
    folder.mkdir(parents=True)
    record = {"number": 1, "state": "interrupted", "started": time.time() + 1, "error": "", "checkpoint": 0.0}
    (folder / "attempt.json").write_text(json.dumps(record))
    assert submitted.stands("prepare").state == "interrupted"


def test_a_stage_that_a_process_makes_here_is_running(tmp_path: Path, queue: Queue) -> None:
    submitted = Submitted(tmp_path, queue)
    key = submitted.site.key("prepare")
    (submitted.site.store.attempt_folder(key, 1)).mkdir(parents=True)
    (submitted.site.store.attempt_folder(key, 1) / "attempt.json").write_text('{"number": 1, "state": "running"}')
    with submitted.site.store.lock(key):
        assert submitted.stands("prepare") == StageStatus("running")


def test_a_job_submitted_while_slurm_was_asked_is_queued(tmp_path: Path, queue: Queue, slurm: FakeSlurm) -> None:
    submitted = Submitted(tmp_path, queue)
    site, key = submitted.site, submitted.site.key("prepare")
    newer = Queued(site.campaign.id, 2, "201", time.time())
    slurm.script("squeue", f"echo '{json.dumps(newer._asdict())}' >{site.store.work(key)}/queued.json")
    slurm.answers("sacct")
    assert submitted.stands("prepare") == StageStatus("queued", "201", campaign=site.campaign.id)
    note(site.store, key, newer)
    assert submitted.stands("prepare").state == "lost"


def test_what_can_be_made_rests_on_nothing_that_cannot() -> None:
    inputs = {"a": [], "b": ["a"], "c": ["b"], "d": ["a"], "e": ["d"], "f": []}
    states = {"a": "done", "b": "failed", "c": "blocked", "d": "queued", "e": "lost", "f": "missing"}
    stages = {key: StageStatus(state) for key, state in states.items()}  # type: ignore[arg-type]
    assert attainable(inputs, stages, lambda key, _: key != "b") == ["e", "f"]
    assert attainable(inputs, stages, lambda _key, _: True) == ["b", "c", "e", "f"]
