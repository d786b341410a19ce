"""``status``, ``logs``, ``cancel`` and ``retry`` about jobs of a cluster, and where there is none."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.cli import main
from benchmark.commands import logs
from benchmark.execute.cluster.campaign import job_name
from benchmark.execute.stage_status import cancelled_mark
from tests.benchmark import toy
from tests.benchmark.execute.cluster.fake_queue import Queue
from tests.benchmark.execute.cluster.fake_slurm import FakeSlurm
from tests.benchmark.execute.cluster.support import ROOT, Site, wait_for

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    toy.install(monkeypatch)
    monkeypatch.setenv("TOY_CALLS", str(tmp_path / "calls"))


@pytest.fixture
def queue(slurm: FakeSlurm, tmp_path: Path) -> Queue:
    slurm.answers("sacct")
    slurm.answers("scancel")
    return Queue(slurm, tmp_path)


@pytest.fixture
def site(tmp_path: Path, queue: Queue) -> Site:
    """A campaign of two cells whose stages 101, 102_0, 102_1, 103_0 and 103_1 make, with monitor 104."""
    site = Site(tmp_path, splits="S1 S2", mode="fail")
    site.submit()
    return site


def holds(queue: Queue, site: Site, **states: str) -> None:
    queue.holds(**{job: f"{state} {job_name(site.campaign.id, 'x')}" for job, state in states.items()})


def call(site: Site, verb: str, *arguments: str) -> int:
    return main([verb, *arguments, "--store", str(site.store.root)])


def status(site: Site, *more: str) -> int:
    toys = ["--table", str(site.folder / "table_t.yaml"), "--profile", str(site.folder / "toy.yaml")]
    return call(site, "status", *toys, "--set", "toy.mode=fail", *more)


def test_status_counts_what_waits_and_why(site: Site, queue: Queue, slurm: FakeSlurm, capsys: Captured) -> None:
    holds(queue, site, _101="RUNNING", _102_0="PENDING", _102_1="PENDING", _103_0="PENDING", _103_1="PENDING")
    before = len(slurm.calls())
    assert status(site, "--json") == 0
    content = json.loads(capsys.readouterr().out)
    assert {state: n for state, n in content["tables"][0]["cells"].items() if n} == {"running": 2}
    (campaign,) = content["campaigns"]
    assert (campaign["id"], campaign["at_work"]) == (site.campaign.id, True)
    assert campaign["stages"] == {"running": 1, "queued": 4}
    assert len(slurm.calls()) == before + 1  # one question, whatever the number of stages
    assert status(site) == 0
    text = capsys.readouterr().out
    assert "running: preparation" in text
    assert "job 101 on n1" in text
    assert "queued: 4 stages" in text
    assert "retry" not in text


def test_status_says_when_nobody_works_any_more(site: Site, queue: Queue, capsys: Captured) -> None:
    site.made("prepare")
    site.made_one(site.key("train", "S1"))
    assert status(site) == 0
    text = capsys.readouterr().out
    assert f"none of its jobs is in the queue; python -m benchmark retry {site.campaign.id}" in text
    assert "failed: training S1" in text
    assert "blocked: 1 stage (1 needs " in text
    assert "lost: training S2" in text
    assert "log:" not in text.partition("lost: training S2")[2]
    log = site.campaign.rounds()[0].slurm / f"{site.campaign.rounds()[0].tasks[site.key('train', 'S2')]}_0_log.err"
    log.write_text("module: command not found\n")
    status(site)
    assert f"  log: {log}" in capsys.readouterr().out


def test_status_while_slurm_is_silent(site: Site, slurm: FakeSlurm, capsys: Captured) -> None:
    slurm.answers("squeue", error="squeue: error: Unable to contact slurm controller\n", code=1)
    assert status(site) == 0
    text = capsys.readouterr().out
    assert "Slurm does not say what is in its queue: squeue: squeue: error: Unable to contact" in text
    assert "none of its jobs" not in text


def test_status_shows_attempts_at_complete_stages_only_when_asked(site: Site, queue: Queue, capsys: Captured) -> None:
    site.made("prepare")
    status(site)
    assert "preparation" not in capsys.readouterr().out
    status(site, "--attempts")
    assert "done: preparation" in capsys.readouterr().out


def test_logs_of_a_failure_by_key_and_by_job(site: Site, capsys: Captured) -> None:
    site.made("prepare")
    key = site.key("train", "S1")
    site.made_one(key)
    for word in (key[:8], site.campaign.rounds()[0].tasks[key]):
        assert call(site, "logs", word) == 0
        captured = capsys.readouterr()
        assert "RuntimeError: the toy is broken" in captured.out
        assert "attempt 1, " in captured.err
        assert str(site.store.attempt_folder(key, 1) / "error.txt") in captured.err


def test_logs_of_one_attempt(site: Site, capsys: Captured) -> None:
    site.made("prepare")
    key = site.key("train", "S1")
    for number in (1, 2):
        site.made_one(key)
        (site.store.attempt_folder(key, number) / "log.txt").write_text(f"this is {number}\n")
    call(site, "logs", key[:8], "--attempt", "1")
    assert "this is 1" in capsys.readouterr().out
    call(site, "logs", key[:8])
    assert "this is 2" in capsys.readouterr().out
    assert call(site, "logs", key[:8], "--attempt", "3") == 2
    assert "has no attempt 3, only 1 to 2" in capsys.readouterr().err


def test_logs_of_a_job_that_never_began(site: Site, queue: Queue, capsys: Captured) -> None:
    key = site.key("prepare")
    assert call(site, "logs", key[:8]) == 1
    assert "it waits in Slurm's queue as job 101" in capsys.readouterr().err
    (site.campaign.rounds()[0].slurm / "101_0_log.err").write_text("module: command not found\n")
    assert call(site, "logs", "101") == 0
    assert capsys.readouterr().out == "module: command not found\n"


def test_logs_are_followed_until_the_attempt_ends(
    site: Site, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "POLL", 0.01)
    key = site.key("prepare")
    folder = site.store.attempt_folder(key, 1)
    folder.mkdir(parents=True)
    record = {"number": 1, "state": "running", "started": time.time(), "host": "h", "pid": 1, "error": ""}
    (folder / "attempt.json").write_text(json.dumps(record))
    (folder / "log.txt").write_text("one\n")
    (site.store.work(key) / "stage.json").write_text(json.dumps(site.campaign.job(key).spec()))

    def go_on() -> None:
        with site.store.lock(key):
            seen.wait(10)
            with (folder / "log.txt").open("a") as stream:
                stream.write("two\n")
            (folder / "attempt.json").write_text(json.dumps(record | {"state": "failed", "error": "three"}))

    seen = threading.Event()
    maker = threading.Thread(target=go_on)
    maker.start()
    wait_for(lambda: site.store.locked(key), "the lock")
    monkeypatch.setattr("time.sleep", lambda _: seen.set())
    assert call(site, "logs", key[:8], "--follow") == 0
    maker.join()
    assert capsys.readouterr().out == "one\ntwo\n"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("102", "job 102 has 2 stages ("),
        ("ab", "write at least 4 of its hexadecimal digits"),
        ("20200101-1", "no campaign in store"),
        ("99999", "no stage in store"),
    ],
)
def test_words_that_mean_nothing_or_too_much(site: Site, word: str, message: str, capsys: Captured) -> None:
    assert call(site, "cancel" if "-" in word else "logs", word) == 2
    assert message in capsys.readouterr().err


def test_a_campaign_is_cancelled_as_a_whole(site: Site, queue: Queue, slurm: FakeSlurm, capsys: Captured) -> None:
    site.made("prepare")
    foreign = "RUNNING wss-20200101-000000-abcd-x"
    queue.holds(
        _102_0=f"RUNNING {job_name(site.campaign.id, 'x')}", _104=f"PENDING {job_name(site.campaign.id, 'monitor')}",
        _7=foreign, _102_1=f"CANCELLED {job_name(site.campaign.id, 'x')}",
    )  # fmt: skip
    assert call(site, "cancel", site.campaign.id[:15]) == 0
    assert slurm.calls("scancel") == ["scancel 102_0 104"]
    assert capsys.readouterr().out == "2 jobs of Slurm cancelled, 0 local processes told to stop\n"
    marked = [key for key in site.campaign.stages if cancelled_mark(site.store, key).exists()]
    assert marked == [key for key in site.campaign.stages if key != site.key("prepare")]


def test_a_stage_is_cancelled_alone(site: Site, queue: Queue, slurm: FakeSlurm) -> None:
    holds(queue, site, _101="RUNNING", _102_0="PENDING", _102_1="PENDING", _104="PENDING")
    key = site.key("train", "S1")
    assert call(site, "cancel", key[:8]) == 0
    assert slurm.calls("scancel") == [f"scancel {site.campaign.rounds()[0].tasks[key]}"]
    assert [one for one in site.campaign.stages if cancelled_mark(site.store, one).exists()] == [key]


def test_an_array_is_cancelled_by_its_number(site: Site, queue: Queue, slurm: FakeSlurm) -> None:
    holds(queue, site, _101="RUNNING", _102_0="PENDING", _102_1="PENDING", _104="PENDING")
    assert call(site, "cancel", "102") == 0
    assert slurm.calls("scancel") == ["scancel 102_0 102_1"]


def test_nothing_is_cancelled_while_slurm_is_silent(site: Site, slurm: FakeSlurm, capsys: Captured) -> None:
    slurm.answers("squeue", error="squeue: error: no controller\n", code=1)
    assert call(site, "cancel") == 2
    assert "nothing was cancelled: squeue: squeue: error: no controller" in capsys.readouterr().err
    assert not any(cancelled_mark(site.store, key).exists() for key in site.campaign.stages)


def test_nothing_to_cancel(tmp_path: Path, slurm: FakeSlurm, capsys: Captured) -> None:
    assert main(["cancel", "--store", str(tmp_path / "store")]) == 5
    assert "nothing to cancel" in capsys.readouterr().err
    assert slurm.calls() == []


@pytest.fixture
def local_run(site: Site) -> Iterator["subprocess.Popen[str]"]:
    """A run of another shell, on this machine and without Slurm, that is at a slow training."""
    toys = ["--table", toy.table(site.folder, splits="S3 S4", name="slow"), "--profile", str(site.folder / "toy.yaml")]
    slow = ["--set", "toy.steps=500", "--set", "toy.pause=0.02", "--workers", "2", "--no-mlflow"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmark.toy_cli", "run", *toys, *slow, "--store", str(site.store.root)],
        cwd=ROOT,
        env=os.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    yield process
    process.kill()
    process.communicate()


def trainings(site: Site) -> list[str]:
    """Return the slow trainings, once both have kept something."""
    kept = wait_for(lambda: (found := list(site.store.root.glob("work/*/scratch/step.json")))[1:] and found, "both run")
    return [path.parents[1].name for path in kept]


def test_runs_of_other_shells_are_cancelled_too(
    site: Site, queue: Queue, local_run: "subprocess.Popen[str]", capsys: Captured
) -> None:
    keys = trainings(site)
    assert call(site, "cancel") == 0
    assert "1 local process told to stop" in capsys.readouterr().out  # the run, not each of its workers
    _, err = local_run.communicate(timeout=60)
    assert local_run.returncode == 130
    assert "the state is kept" in err
    assert [site.store.state(key) for key in keys] == ["interrupted"] * 2


def test_one_stage_of_a_local_run_is_cancelled(
    site: Site, queue: Queue, local_run: "subprocess.Popen[str]", capsys: Captured
) -> None:
    first, second = trainings(site)
    assert call(site, "cancel", first[:12]) == 0
    wait_for(lambda: not site.store.locked(first), "the stage is told")
    assert site.store.state(second) == "running"
    assert "1 local process told to stop" in capsys.readouterr().out


def test_a_run_on_another_machine_is_named(site: Site, queue: Queue, capsys: Captured) -> None:
    key = site.key("prepare")
    folder = site.store.attempt_folder(key, 1)
    folder.mkdir(parents=True)
    (folder / "attempt.json").write_text('{"number": 1, "state": "running", "host": "far", "pid": 9, "started": 0}')
    with site.store.lock(key):
        assert call(site, "cancel", key[:8]) == 1
    assert "is made by process 9 on far: cancel it there" in capsys.readouterr().err


def retried(site: Site) -> list[str]:
    made = site.campaign.rounds()[-1]
    return (
        [] if made.number == 1 else [site.campaign.job(key).name for key in site.campaign.stages if key in made.tasks]
    )


def test_what_was_lost_is_submitted_again(site: Site, queue: Queue, capsys: Captured) -> None:
    site.made("prepare")
    site.made_one(site.key("train", "S1"))
    assert call(site, "retry") == 0
    assert retried(site) == ["training S2", "evaluation S2"]
    assert capsys.readouterr().out == f"round 2 of campaign {site.campaign.id}: 2 of 5 stages submitted\n"
    assert site.campaign.rounds()[-1].code != site.campaign.code  # as it is now


def test_failures_are_submitted_again_when_asked_for(site: Site, queue: Queue) -> None:
    site.made("prepare")
    site.made_one(site.key("train", "S1"))
    site.made_one(site.key("train", "S2"))
    assert call(site, "retry") == 5
    assert retried(site) == []
    assert call(site, "retry", site.key("train", "S1")[:8]) == 0
    assert retried(site) == ["training S1", "evaluation S1"]
    assert call(site, "retry", "--failed") == 0
    assert sorted(retried(site)) == ["evaluation S1", "evaluation S2", "training S1", "training S2"]


def test_what_was_cancelled_is_submitted_again_when_named(site: Site, queue: Queue) -> None:
    holds(queue, site, _101="PENDING", _102_0="PENDING")
    assert call(site, "cancel") == 0
    queue.holds()
    assert call(site, "retry") == 5
    assert call(site, "retry", site.campaign.id) == 0
    assert len(retried(site)) == 5
    assert not any(cancelled_mark(site.store, key).exists() for key in site.campaign.stages)


def test_the_last_campaign_that_lacks_something_is_taken_up(site: Site, queue: Queue, capsys: Captured) -> None:
    second = Site(site.folder, splits="S3")  # of the same store
    second.submit()
    assert call(site, "retry") == 0
    assert f"of campaign {second.campaign.id}" in capsys.readouterr().out
    second.made("prepare", "train", "evaluate")
    assert call(site, "retry") == 0
    assert f"of campaign {site.campaign.id}" in capsys.readouterr().out


def test_an_earlier_campaign_is_taken_up_where_the_last_has_nothing_to_submit(
    site: Site, queue: Queue, capsys: Captured
) -> None:
    second = Site(site.folder, splits="S3")  # of the same store
    second.submit()
    holds(queue, second, **{f"_{job}": "PENDING" for job in second.campaign.rounds()[0].tasks.values()})
    assert call(site, "retry") == 0
    assert f"of campaign {site.campaign.id}" in capsys.readouterr().out


def test_what_is_queued_is_not_submitted_twice(site: Site, queue: Queue) -> None:
    holds(queue, site, **{f"_{job}": "PENDING" for job in site.campaign.rounds()[0].tasks.values()})
    assert call(site, "retry") == 5
    assert call(site, "retry", site.key("train", "S1")[:8]) == 5


def test_a_job_that_no_node_could_start_is_told_and_let_go(
    site: Site, queue: Queue, slurm: FakeSlurm, capsys: Captured
) -> None:
    name = job_name(site.campaign.id, "x")
    lines = [f"{job}|PENDING|Dependency||{name}" for job in site.campaign.rounds()[0].tasks.values() if job != "101"]
    slurm.answers("squeue", "\n".join([f"101|PENDING|launch_failed_requeued_held||{name}", *lines]))
    status(site)
    assert f"retry {site.campaign.id} lets them go" in capsys.readouterr().out
    assert call(site, "retry") == 0
    assert "scontrol release 101" in slurm.calls("scontrol")
    assert "101 released: a node had failed to start it" in capsys.readouterr().err


def test_retry_where_there_was_no_cluster(tmp_path: Path, capsys: Captured) -> None:
    assert main(["retry", "--store", str(tmp_path / "store")]) == 2
    assert "has no campaign; the `run` command that made it goes on from what exists" in capsys.readouterr().err


def test_the_verbs_work_without_slurm(
    tmp_path: Path, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    site = Site(tmp_path, mode="fail")
    site.made("prepare", "train")
    slurm.uninstall(monkeypatch)
    assert status(site) == 0
    assert call(site, "logs", site.key("train")[:8]) == 0
    assert call(site, "cancel") == 0
    captured = capsys.readouterr()
    assert "Slurm" not in captured.err


@pytest.mark.parametrize("verb", ["logs", "cancel", "retry", "status"])
def test_each_verb_has_help(verb: str, capsys: Captured) -> None:
    assert main([verb, "--help"]) == 0
    assert f"Usage: python -m benchmark {verb}" in capsys.readouterr().out
