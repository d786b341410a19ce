import os

import pytest

from benchmark.execute.cluster.queue import Queue, QueuedJob, ask, expanded, look, past
from tests.benchmark.execute.cluster.fake_slurm import FakeSlurm

LINES = """\
12_0|RUNNING|None|n1|wss-20261121-160000-a1b2-train
12_1|PENDING|Dependency||wss-20261121-160000-a1b2-train
12_2|CANCELLED|None|n1|wss-20261121-160000-a1b2-train
12_3|CANCELLED|DependencyNeverSatisfied||wss-20261121-160000-a1b2-train
13|PENDING|ReqNodeNotAvail, UnavailableNodes:n2||an odd|name
14|COMPLETING|None|n[1-2]|x
15|PENDING|launch_failed_requeued_held||x
slurm_load_jobs warning: not a job
"""


def test_the_queue_is_one_question(slurm: FakeSlurm) -> None:
    slurm.answers("squeue", LINES)
    jobs = look().jobs
    assert list(jobs) == ["12_0", "12_1", "12_2", "12_3", "13", "14", "15"]
    assert jobs["12_0"] == QueuedJob("12_0", "RUNNING", "", "n1", "wss-20261121-160000-a1b2-train")
    assert [job.alive for job in jobs.values()] == [True, True, False, False, True, True, True]
    assert [job.waiting for job in jobs.values()] == [False, True, False, False, True, False, True]
    assert [job.id for job in jobs.values() if job.stuck] == ["15"]
    assert [job.id for job in jobs.values() if job.by_hand] == ["12_2"]
    assert (jobs["13"].reason, jobs["13"].name) == ("ReqNodeNotAvail, UnavailableNodes:n2", "an odd|name")
    assert len(slurm.calls()) == 1


@pytest.mark.parametrize(
    ("answer", "silence"),
    [
        ({"error": "warning\nsqueue: fatal: Unable to contact slurm controller\n", "code": 1}, "Unable to contact"),
        ({"code": 3}, "squeue: exit code 3"),
        ({"text": LINES, "after": 30}, "squeue did not answer within 1 s"),
    ],
)
def test_silence_is_an_answer(
    slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch, answer: dict[str, object], silence: str
) -> None:
    monkeypatch.setattr(ask, "__kwdefaults__", {"patience": 1.0})
    slurm.answers("squeue", **answer)  # type: ignore[arg-type]
    found = look()
    assert found.jobs == {}
    assert silence in found.silence


def test_without_slurm(slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch) -> None:
    slurm.uninstall(monkeypatch)
    assert look() == Queue(silence="squeue is not installed here")
    assert past({"12_0"}) == {}


def test_an_empty_queue_is_known_to_be_empty(slurm: FakeSlurm) -> None:
    slurm.answers("squeue")
    assert look() == Queue()


def test_habits_of_the_user_do_not_hide_jobs(slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SQUEUE_PARTITION", "SACCT_FORMAT"):
        monkeypatch.setenv(name, "x")
    slurm.script("squeue", "env")
    assert not [line for line in ask("squeue").text.splitlines() if line.startswith(("SQUEUE_", "SACCT_"))]


def test_accounting_is_asked_once_for_all_jobs_of_an_array(slurm: FakeSlurm) -> None:
    uid, other = os.getuid(), os.getuid() + 1
    slurm.answers(
        "sacct",
        f"12_0|CANCELLED by {uid}|n1|a\n12_1|CANCELLED by {other}|n1|a\n12_[2-3,5%2]|CANCELLED|None assigned|a\n"
        "13|NODE_FAIL|n2|b|c\n14|COMPLETED|n1|d\nsomething else\n",
    )
    found = past({"12_0", "12_1", "12_2", "12_4", "12_5", "13"})
    assert slurm.calls() == [
        "sacct --noheader --parsable2 --allocations --format=JobID,State,NodeList,JobName --jobs=12,13"
    ]
    assert {job.id: (job.state, job.by_hand, job.node, job.name) for job in found.values()} == {
        "12_0": ("CANCELLED", True, "n1", "a"),
        "12_1": ("CANCELLED", False, "n1", "a"),
        "12_2": ("CANCELLED", False, "", "a"),
        "12_5": ("CANCELLED", False, "", "a"),
        "13": ("NODE_FAIL", False, "n2", "b|c"),
    }


def test_nothing_is_asked_about_nothing(slurm: FakeSlurm) -> None:
    assert past(()) == {}
    assert slurm.calls() == []


def test_accounting_that_is_switched_off(slurm: FakeSlurm) -> None:
    slurm.answers("sacct", error="Slurm accounting storage is disabled\n", code=1)
    assert past({"12"}) == {}


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("7", ["7"]),
        ("7_3", ["7_3"]),
        ("7_[0-2]", ["7_0", "7_1", "7_2"]),
        ("7_[0-1,4%2]", ["7_0", "7_1", "7_4"]),
        ("7_[0-8:4%2]", ["7_0", "7_4", "7_8"]),
        ("7_[0,2,...]", ["7_[0,2,...]"]),
    ],
)
def test_ranges_of_arrays(text: str, ids: list[str]) -> None:
    assert list(expanded(text)) == ids
