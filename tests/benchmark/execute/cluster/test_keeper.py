import json
import pickle
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmark.errors import BenchmarkError
from benchmark.execute.cluster import keeper
from benchmark.execute.cluster.campaign import job_name
from benchmark.execute.cluster.keeper import CampaignMonitor
from benchmark.execute.cluster.submit import submit_round
from benchmark.execute.stage_status import cancelled_mark
from benchmark.files import write_json
from tests.benchmark import toy
from tests.benchmark.execute.cluster.fake_queue import Queue
from tests.benchmark.execute.cluster.fake_slurm import FakeSlurm
from tests.benchmark.execute.cluster.support import Site

RETRIES = 2
QUEUED_BEFORE = b"cbenchmark.execute.cluster.keeper\nKeeper\n(S'/campaigns/1'\ntR."  # a pickle by older code


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    toy.install(monkeypatch)
    monkeypatch.setenv("TOY_CALLS", str(tmp_path / "calls"))


@pytest.fixture
def queue(slurm: FakeSlurm, tmp_path: Path) -> Queue:
    slurm.answers("sacct")
    return Queue(slurm, tmp_path)


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that write tables, which are not run."""
    commands: list[list[str]] = []
    played = SimpleNamespace(run=lambda command, **_: commands.append(command), DEVNULL=None)
    monkeypatch.setattr(keeper, "subprocess", played)
    return commands


def test_a_job_that_older_code_has_queued_finds_its_callable() -> None:
    assert pickle.loads(QUEUED_BEFORE).campaign == "/campaigns/1"


def submitted(folder: Path, splits: str = "S1 S2", **toys: Any) -> Site:
    site = Site(folder, {"retries": RETRIES}, splits, **toys)
    site.submit()
    return site


def died(site: Site, key: str, node: str, **changes: Any) -> None:
    """Leave the record of an attempt whose node went away."""
    number = len(site.store.attempts(key)) + 1
    record = {"number": number, "state": "running", "started": time.time(), "error": "", "checkpoint": 0.0}
    folder = site.store.attempt_folder(key, number)
    folder.mkdir(parents=True)
    (folder / "attempt.json").write_text(json.dumps({**record, "node": node, **changes}))


def of_last_round(site: Site) -> list[str]:
    made = site.campaign.rounds()[-1]
    return sorted(made.tasks)


def keep(site: Site) -> None:
    CampaignMonitor(str(site.campaign.folder))()


def test_what_jobs_have_lost_is_submitted_again_with_all_that_rests_on_it(
    tmp_path: Path, queue: Queue, tables: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    site = submitted(tmp_path)
    site.made("prepare")
    lost = site.key("train", "S1")
    for key in [stage.key for stage in site.plan.stages if stage.name.endswith("S2")]:
        site.made_one(key)
    died(site, lost, "n3")
    keep(site)
    assert of_last_round(site) == sorted([lost, site.key("evaluate", "S1")])
    assert "round 2 of campaign" in capsys.readouterr().out
    assert queue.options(int(site.campaign.rounds()[-1].arrays[0].id))["exclude"] == "n3"
    assert tables == []


def test_rounds_are_bounded_for_each_stage(tmp_path: Path, queue: Queue, tables: list[list[str]]) -> None:
    site = submitted(tmp_path, "S1")
    for number in range(2, 2 + RETRIES):
        keep(site)
        assert site.campaign.rounds()[-1].number == number
    keep(site)
    assert len(site.campaign.rounds()) == 1 + RETRIES
    assert len(tables) == 1


def test_faults_that_used_up_the_starts_of_a_job_are_not_tried_again(
    tmp_path: Path, queue: Queue, tables: list[list[str]]
) -> None:
    site = submitted(tmp_path, "S1")
    for _ in range(1 + RETRIES):
        died(site, site.key("prepare"), "n1", state="failed", fault="machine")
    keep(site)
    assert len(site.campaign.rounds()) == 1


def test_failures_of_their_own_and_cancelled_stages_are_left_alone(
    tmp_path: Path, queue: Queue, tables: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    site = submitted(tmp_path, mode="fail")
    site.made("prepare")
    site.made_one(site.key("train", "S1"))
    write_json(cancelled_mark(site.store, site.key("train", "S2")), {"time": time.time()})
    keep(site)
    assert len(site.campaign.rounds()) == 1
    out = capsys.readouterr().out
    assert f"failed: training S1 [{site.key('train', 'S1')[:8]}]: RuntimeError: the toy is broken" in out
    assert f"cancelled: training S2 [{site.key('train', 'S2')[:8]}]" in out
    assert f"blocked: evaluation S1 [{site.key('evaluate', 'S1')[:8]}]" in out
    (command,) = tables
    assert command[1:4] == ["-P", "-m", "benchmark"]
    assert command[4:] == ["table", str(tmp_path / "table_t.yaml"), "--store", str(site.store.root)]


def test_a_monitor_leaves_the_end_to_the_one_of_a_later_round(
    tmp_path: Path, queue: Queue, tables: list[list[str]]
) -> None:
    site = submitted(tmp_path, "S1")
    name = job_name(site.campaign.id, "default")
    queue.holds(_101=f"RUNNING {name}", _102=f"PENDING {name}", _103=f"PENDING {name}")
    keep(site)
    assert (len(site.campaign.rounds()), tables) == (1, [])


def test_stages_for_which_there_was_no_room_follow(tmp_path: Path, queue: Queue, tables: list[list[str]]) -> None:
    site = Site(tmp_path, {"max_submitted": 3}, "S1 S2")
    site.submit()
    first = site.campaign.rounds()[0]
    for key in first.tasks:
        site.made_one(key)
    keep(site)
    assert first.left
    assert set(of_last_round(site)) <= set(first.left)


def test_nodes_are_not_avoided_where_there_would_be_none(
    tmp_path: Path, queue: Queue, slurm: FakeSlurm, tables: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = submitted(tmp_path, "S1")
    died(site, site.key("prepare"), "n3")
    asked: list[Any] = []

    def refuse(*arguments: Any, exclude: Any = (), **options: Any) -> Any:
        asked.append(set(exclude))
        if exclude:
            raise BenchmarkError("Requested node configuration is not available")
        return submit_round(*arguments, **options)

    monkeypatch.setattr(keeper, "submit_round", refuse)
    keep(site)
    assert asked == [{"n3"}, set()]
    assert len(site.campaign.rounds()) == 2


def test_a_controller_that_is_away_is_waited_for(
    tmp_path: Path, queue: Queue, slurm: FakeSlurm, tables: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = submitted(tmp_path, "S1")
    slurm.answers("squeue", error="squeue: error: no controller\n", code=1)
    played = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: queue.holds())
    monkeypatch.setattr(keeper, "time", played)
    keep(site)
    assert len(site.campaign.rounds()) == 2


def test_a_round_that_slurm_refuses_fails_the_monitor(
    tmp_path: Path, queue: Queue, slurm: FakeSlurm, tables: list[list[str]]
) -> None:
    site = submitted(tmp_path, "S1")
    slurm.answers("sbatch", error="sbatch: error: not from here\n", code=1)
    with pytest.raises(BenchmarkError, match="not from here"):
        keep(site)
    assert len(site.campaign.rounds()) == 1
