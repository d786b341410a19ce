import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmark.execute.cluster import watch as watching
from benchmark.execute.cluster.campaign import job_name
from benchmark.execute.cluster.watch import next_wait, watch
from benchmark.execute.messages import Event, Finished, Progress, Started
from benchmark.files import write_json
from tests.benchmark import toy
from tests.benchmark.execute.cluster.fake_queue import Queue
from tests.benchmark.execute.cluster.fake_slurm import FakeSlurm
from tests.benchmark.execute.cluster.support import Site


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    toy.install(monkeypatch)
    monkeypatch.setenv("TOY_CALLS", str(tmp_path / "calls"))
    for pause in ("TICK", "SHORTEST", "LONGEST"):
        monkeypatch.setattr(watching, pause, 0.01)


@pytest.fixture
def queue(slurm: FakeSlurm, tmp_path: Path) -> Queue:
    slurm.answers("sacct")
    return Queue(slurm, tmp_path)


class Story:
    """An observer that keeps what it is told, and with every look makes the next thing happen."""

    def __init__(self, *chapters: Callable[[], object]) -> None:
        self.events: list[Event] = []
        self._chapters = list(chapters)

    def event(self, event: Event) -> None:
        self.events.append(event)

    def tick(self) -> None:
        if self._chapters:
            self._chapters.pop(0)()

    def ends(self) -> Mapping[str, str]:
        return {event.key: event.state for event in self.events if isinstance(event, Finished)}


def submitted(folder: Path, **toys: Any) -> Site:
    site = Site(folder, **toys)
    site.submit()
    return site


def holding(queue: Queue, site: Site, **states: str) -> Callable[[], None]:
    return lambda: queue.holds(**{job: f"{state} {job_name(site.campaign.id, 'x')}" for job, state in states.items()})


def test_what_jobs_do_is_told_as_if_it_happened_here(tmp_path: Path, queue: Queue) -> None:
    site = submitted(tmp_path)
    keys = [site.key(kind) for kind in ("prepare", "train", "evaluate")]
    waiting = holding(queue, site, _101="RUNNING", _102="PENDING", _103="PENDING", _104="PENDING")
    waiting()

    def half_way() -> None:
        write_json(site.store.work(keys[0]) / "progress.json", {"done": 1, "total": 2})

    story = Story(half_way, *(lambda kind=kind: site.made(kind) for kind in ("prepare", "train", "evaluate")))
    session = watch(site.campaign, [story])
    assert not session.interrupted
    assert [end.state for end in session.outcomes.values()] == ["done"] * 3
    assert story.events[0] == Progress(keys[0], 1, 2)
    told = [(type(event), event.key) for event in story.events[1:]]
    assert told == [(kind, key) for key in keys for kind in (Started, Finished)]
    assert all(event.seconds > 0 for event in story.events if isinstance(event, Finished))


def test_failures_end_with_what_rests_on_them(tmp_path: Path, queue: Queue) -> None:
    site = submitted(tmp_path, mode="fail")
    site.made("prepare", "train")
    story = Story()
    session = watch(site.campaign, [story])
    failed = session.outcomes[site.key("train")]
    assert (failed.state, failed.message, failed.fault) == ("failed", "RuntimeError: the toy is broken", "stage")
    assert "Traceback" in Path(failed.log).read_text()
    assert session.outcomes[site.key("evaluate")].state == "blocked"


def test_what_a_monitor_may_submit_again_is_waited_for(tmp_path: Path, queue: Queue) -> None:
    site = submitted(tmp_path)
    holding(queue, site, _104="PENDING")()
    folder = site.store.attempt_folder(site.key("prepare"), 1)
    folder.mkdir(parents=True)
    record = {"number": 1, "state": "failed", "fault": "machine", "error": "out of memory", "started": 0.0}
    (folder / "attempt.json").write_text(json.dumps(record))
    story = Story(lambda: None, lambda: None, lambda: site.made("prepare", "train", "evaluate"))
    watch(site.campaign, [story])
    assert set(story.ends().values()) == {"done"}


def test_when_nobody_works_any_more_the_rest_is_given_up(tmp_path: Path, queue: Queue) -> None:
    site = submitted(tmp_path)
    story = Story()
    session = watch(site.campaign, [story])
    assert {end.state for end in session.outcomes.values()} == {"failed"}
    assert all("`retry` submits it again" in end.message for end in session.outcomes.values())
    assert story.ends().keys() == set(site.campaign.stages)
    log = site.campaign.rounds()[0].slurm / "101_0_log.err"
    log.write_text("module: command not found")
    assert watch(site.campaign, []).outcomes[site.key("prepare")].log == str(log)


def test_a_silent_slurm_ends_nothing(tmp_path: Path, queue: Queue, slurm: FakeSlurm) -> None:
    site = Site(tmp_path)  # whose stages are left to a later round
    slurm.answers("squeue", error="squeue: error: no controller\n", code=1)
    story = Story(*[lambda: None] * 5, lambda: site.made("prepare", "train", "evaluate"))
    watch(site.campaign, [story])
    assert set(story.ends().values()) == {"done"}


def test_ctrl_c_ends_the_watching_alone(tmp_path: Path, queue: Queue, slurm: FakeSlurm) -> None:
    site = submitted(tmp_path)
    holding(queue, site, _101="RUNNING")()

    def interrupt() -> None:
        raise KeyboardInterrupt

    session = watch(site.campaign, [Story(interrupt)])
    assert (session.interrupted, session.outcomes) == (True, {})
    assert slurm.calls("scancel") == []


def test_looks_become_rarer_while_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SHORTEST", 2.0)
    monkeypatch.setattr(watching, "LONGEST", 60.0)
    waits = [2.0]
    for _ in range(12):
        waits.append(next_wait(waits[-1], news=False))
    assert waits[1] == 3.0
    assert waits[-1] == 60.0
    assert next_wait(60.0, news=True) == 2.0
