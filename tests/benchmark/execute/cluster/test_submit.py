import os
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import BenchmarkError
from benchmark.execute.cluster import submit
from benchmark.execute.cluster.campaign import job_name
from benchmark.execute.cluster.queue import Queued, note, queued
from benchmark.execute.cluster.submit import submit_round, submitting
from tests.benchmark import toy
from tests.benchmark.execute.cluster.fake_queue import Queue
from tests.benchmark.execute.cluster.fake_slurm import FakeSlurm
from tests.benchmark.execute.cluster.support import Site

CLASSES = {"default": {"time": "00:10:00", "memory": "2G"}, "train": {"max_running": 2, "gpus": 1, "partition": "gpu"}}


@pytest.fixture
def queue(slurm: FakeSlurm, tmp_path: Path) -> Queue:
    return Queue(slurm, tmp_path)


@pytest.fixture
def _toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    toy.install(monkeypatch)
    monkeypatch.setenv("TOY_CALLS", str(tmp_path / "calls"))


pytestmark = pytest.mark.usefixtures("_toys")


def site_in(folder: Path, splits: str = "S1 S2 S3", **cluster: Any) -> Site:
    return Site(folder, {"resources": CLASSES, **cluster}, splits)


def of_kind(site: Site, kind: str) -> list[str]:
    return [stage.key for stage in site.plan.stages if stage.kind == kind]


def test_a_plan_becomes_arrays_that_wait_for_each_other_and_a_monitor_that_waits_for_all(
    tmp_path: Path, queue: Queue
) -> None:
    site = site_in(tmp_path)
    made = site.submit()
    assert [(array.id, array.resources, len(array.keys), array.after) for array in made.arrays] == [
        ("101", "default", 1, ()),
        ("102", "train", 3, ("101",)),
        ("103", "default", 3, ("102",)),
    ]
    assert (made.monitor, made.left, made.error) == ("104", (), "")
    assert site.campaign.rounds() == [made]
    assert queue.options(102)["array"] == "0-2%2"
    assert "array" not in queue.options(101)
    assert [queue.options(n).get("dependency") for n in (101, 102, 103, 104)] == [
        *(None, "afterany:101", "afterany:102"),
        "afterany:101:102:103",
    ]
    names = [queue.options(n)["job-name"] for n in (101, 102, 104)]
    assert names == [job_name(site.campaign.id, what) for what in ("default", "train", "monitor")]


def test_every_stage_says_which_job_makes_it(tmp_path: Path, queue: Queue) -> None:
    site = site_in(tmp_path)
    made = site.submit()
    jobs = {key: queued(site.store, key) for key in site.campaign.stages}
    prepare, trains = of_kind(site, "prepare"), of_kind(site, "train")
    assert jobs[prepare[0]] == Queued(site.campaign.id, 1, "101", made.submitted)
    assert sorted(entry.job for key in trains if (entry := jobs[key])) == ["102_0", "102_1", "102_2"]
    assert {key: entry.job for key, entry in jobs.items() if entry} == made.tasks
    pickles = {path.name for path in made.slurm.glob("*_submitted.pkl")}
    assert {f"{job}_submitted.pkl" for job in (*made.tasks.values(), "104")} == pickles


def test_the_script_asks_for_what_the_cluster_file_says_and_runs_the_frozen_code(
    tmp_path: Path, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHMARK_DATA_MSRC21", "relative/data")
    monkeypatch.setenv("BENCHMARK_DATA_VOC2012", "/absolute")
    site = site_in(
        tmp_path,
        account="me",
        qos="high",
        constraint="a100|h100",
        exclude="n7",
        signal_seconds=90,
        setup=["module load x", "ulimit -n 4096"],
        environment={"A": "it's $HOME", "B": 3},
        container="apptainer exec image.sif",
        python="/opt/python",
        extra={"gres": "tmpdisk:10", "exclusive": True},
        resources={
            **CLASSES,
            "train": {"time": "1-00:00:01", "cpus": 3, "gpus": 2, "gpu_type": "a100", "extra": {"licenses": "x"}},
        },
    )
    frozen = tmp_path / "frozen code"
    made = site.submit(code=frozen, exclude=["n9", "n8"])
    assert made.code == frozen
    found, script = queue.options(102), queue.script(102)
    expected = {
        "account": "me",
        "qos": "high",
        "constraint": "'a100|h100'",
        "exclude": "n7,n8,n9",
        "signal": "USR2@90",
        "time": "1441",
        "mem": "2G",
        "cpus-per-task": "3",
        "gpus-per-node": "a100:2",
        "nodes": "1",
        "gres": "tmpdisk:10",
        "exclusive": "",
        "licenses": "x",
        "requeue": "",
        "chdir": f"'{frozen}'",
    }
    assert {name: found.get(name) for name in expected} == expected
    assert "wckey" not in found
    start = script.index("set -e")
    assert script[start + 1 : start + 9] == [
        "export BENCHMARK_ARITHMETIC=portable",
        f"export BENCHMARK_DATA_MSRC21={Path.cwd() / 'relative/data'}",
        "export A='it'\"'\"'s $HOME'",
        "export B=3",
        "unset MLFLOW_TRACKING_URI",
        "module load x",
        "ulimit -n 4096",
        f"cd '{frozen}'",
    ]
    assert script[start + 9] == f"export PYTHONPATH='{frozen}'${{PYTHONPATH:+:$PYTHONPATH}}"
    call = next(line for line in script if line.startswith("srun"))
    assert " --cpus-per-task=3 apptainer exec image.sif /opt/python -u -m submitit.core._submit " in call
    assert "licenses" not in queue.options(101)
    assert queue.options(104)["exclude"] == "n7,n8,n9"


def test_what_a_job_has_in_its_environment_does_not_reach_the_jobs_that_it_submits(
    tmp_path: Path, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = (
        "SLURM_CPUS_PER_TASK",
        "SLURM_MEM_PER_CPU",
        "SBATCH_PARTITION",
        "SRUN_X",
        "SUBMITIT_EXECUTOR",
        "SLURMD_NODENAME",
    )
    for name in names:
        monkeypatch.setenv(name, "7")
    monkeypatch.setenv("SLURM_CONF", "/etc/somewhere.conf")
    site = site_in(tmp_path)
    site.submit()
    assert not set(names) & set(queue.environment(101))
    assert queue.environment(101)["SLURM_CONF"] == "/etc/somewhere.conf"
    assert {name: os.environ[name] for name in names} == dict.fromkeys(names, "7")


def test_arrays_are_cut_to_what_slurm_takes_or_the_cluster_file_says(
    tmp_path: Path, queue: Queue, slurm: FakeSlurm
) -> None:
    slurm.answers("scontrol", "MaxArraySize            = 2\nMaxDBDMsgs = 20012\n")
    site = site_in(tmp_path)
    made = site.submit(of_kind(site, "train"))
    assert [len(array.keys) for array in made.arrays] == [1, 2]
    assert [array.parallel for array in made.arrays] == [1, 1]
    (tmp_path / "own").mkdir()
    own = site_in(tmp_path / "own", max_array_size=3)
    assert [len(array.keys) for array in own.submit(of_kind(own, "train")).arrays] == [3]


def test_what_is_made_or_queued_already_is_waited_for_and_not_submitted_again(tmp_path: Path, queue: Queue) -> None:
    site = site_in(tmp_path, "S1")
    first = site.submit()
    campaign = site_in(tmp_path, "S1 S2").campaign  # in the same store
    name = job_name(site.campaign.id, "train")
    queue.holds(_102=f"RUNNING {name}", _103=f"PENDING {name}", _104=f"PENDING {name}")
    site.made("prepare")
    made = submit_round(campaign, campaign.stages, print)
    shared = set(first.tasks)
    assert set(made.tasks) == set(campaign.stages) - shared
    assert [(array.after) for array in made.arrays] == [(), ("105",)]
    assert queue.options(int(made.monitor or 0))["dependency"] == "afterany:105:106:102:103"


@pytest.mark.parametrize(
    "job",
    ["COMPLETED {name}", "RUNNING wss-20990101-000000-ffff-train", "RUNNING something"],
    ids=["ended", "other", "no"],
)
def test_an_entry_whose_job_has_ended_or_is_another_one_now_counts_for_nothing(
    tmp_path: Path, queue: Queue, job: str
) -> None:
    site = site_in(tmp_path, "S1")
    key = of_kind(site, "train")[0]
    note(site.store, key, Queued(site.campaign.id, 1, "77_3", 0.0))
    queue.holds(_77_3=job.format(name=job_name(site.campaign.id, "train")))
    assert key in site.submit().tasks


def test_inputs_that_others_make_are_dependencies(tmp_path: Path, queue: Queue) -> None:
    site = site_in(tmp_path, "S1")
    key = of_kind(site, "train")[0]
    note(site.store, key, Queued(site.campaign.id, 1, "77_3", 0.0))
    queue.holds(_77_3=f"RUNNING {job_name(site.campaign.id, 'train')}")
    made = site.submit(of_kind(site, "evaluate"))
    assert [array.after for array in made.arrays] == [("77_3",)]
    assert queue.options(102)["dependency"] == "afterany:101:77"


def test_what_does_not_fit_into_the_queue_is_left_for_a_later_round(tmp_path: Path, queue: Queue) -> None:
    site = site_in(tmp_path, max_submitted=5)
    queue.holds(_9="RUNNING wss-20990101-000000-ffff-train", _10="RUNNING of-somebody")
    made = site.submit()
    assert list(made.tasks) == list(site.campaign.stages[:3]), "one is there already, and one is the monitor"
    assert made.left == site.campaign.stages[3:]
    assert site.campaign.rounds()[-1].left == made.left


def test_where_there_is_no_room_at_all_the_monitor_waits_for_some(tmp_path: Path, queue: Queue) -> None:
    site = site_in(tmp_path, max_submitted=2)
    queue.holds(_9_1="RUNNING wss-20990101-000000-ffff-train", _9_2="PENDING wss-20990101-000000-ffff-train")
    made = site.submit()
    assert (made.arrays, made.left) == ((), site.campaign.stages)
    assert queue.options(101)["dependency"] == "afterany:9"


def test_a_refusal_half_way_keeps_what_was_taken_and_names_the_reason(tmp_path: Path, queue: Queue) -> None:
    site = site_in(tmp_path)
    queue.accepts(2)
    made = site.submit()
    assert [array.id for array in made.arrays] == ["101", "102"]
    assert made.monitor is None
    assert made.error.count("QOSMaxSubmitJobPerUserLimit") == 2
    assert "the job that looks after the campaign was refused" in made.error
    assert site.campaign.rounds() == [made]
    assert [bool(queued(site.store, key)) for key in of_kind(site, "train")] == [True] * 3
    assert [bool(queued(site.store, key)) for key in of_kind(site, "evaluate")] == [False] * 3


def test_what_was_taken_is_recorded_even_if_the_command_is_killed(
    tmp_path: Path, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = site_in(tmp_path)

    def killed(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(submit, "_with_monitor", killed)
    with pytest.raises(KeyboardInterrupt):
        site.submit()
    (made,) = site.campaign.rounds()
    assert [array.id for array in made.arrays] == ["101", "102", "103"]
    assert all(queued(site.store, key) for key in site.campaign.stages)


@pytest.mark.parametrize("silent", [True, False])
def test_where_nothing_can_be_submitted_nothing_is_left(
    tmp_path: Path, queue: Queue, slurm: FakeSlurm, silent: bool
) -> None:
    site = site_in(tmp_path)
    queue.accepts(0)
    if silent:
        slurm.answers("squeue", error="squeue: error: Unable to contact slurm controller\n", code=1)
    message = "Slurm does not answer, so nothing was submitted.*Unable to contact" if silent else "QOSMaxSubmit"
    with pytest.raises(BenchmarkError, match=message):
        site.submit()
    assert site.campaign.rounds() == []
    assert not list(site.campaign.folder.glob("rounds/*"))
    assert not list(site.store.root.glob("work/*/queued.json"))


def test_a_stage_that_was_cancelled_is_taken_up_again_when_it_is_submitted(tmp_path: Path, queue: Queue) -> None:
    site = site_in(tmp_path, "S1")
    mark = site.store.work(of_kind(site, "train")[0]) / "cancelled.json"
    mark.parent.mkdir(parents=True)
    mark.write_text("{}")
    site.submit(of_kind(site, "prepare"))
    assert mark.exists()
    site.submit()
    assert not mark.exists()


def test_one_process_submits_at_a_time(tmp_path: Path, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    site = site_in(tmp_path, "S1")
    monkeypatch.setattr(submit, "PATIENCE", 0.05)
    with submitting(site.store), pytest.raises(BenchmarkError, match="another process is submitting"):
        site.submit()
    assert site.submit().arrays


def test_numbers_that_come_back_meet_an_empty_folder(tmp_path: Path, queue: Queue) -> None:
    site = site_in(tmp_path, "S1")
    folders = [site.submit(of_kind(site, "prepare")).slurm for _ in range(2)]
    assert folders[0] != folders[1]
