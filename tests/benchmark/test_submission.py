"""``run --executor slurm`` as a user sees it, against commands that stand in for Slurm's."""

import json
import shlex
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmark.cli import main
from benchmark.execute.cluster import submission
from benchmark.execute.cluster.campaign import Campaign, campaigns
from benchmark.execute.cluster.rounds import Round
from benchmark.execute.cluster.submit import submit_round
from benchmark.execute.messages import Finished
from benchmark.execute.session import Session
from benchmark.selection.last_run import arguments
from benchmark.selection.options import parse_settings
from benchmark.store import Store
from tests.benchmark import toy
from tests.benchmark.execute.cluster.fake_queue import Queue
from tests.benchmark.execute.cluster.fake_slurm import FakeSlurm

PRESET = """
signal_seconds: 30
resources:
  default: {time: 00:10:00, memory: 1G}
  train: {max_running: 1}
  evalute: {cpus: 2}
"""
Run = Callable[..., int]


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    return FakeSlurm(tmp_path, monkeypatch)


@pytest.fixture
def queue(slurm: FakeSlurm, tmp_path: Path) -> Queue:
    return Queue(slurm, tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "relative" / "store")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the verb in ``tmp_path``, with relative paths only."""
    toy.install(monkeypatch)
    toy.profile(tmp_path)
    toy.table(tmp_path)
    (tmp_path / "cluster.yaml").write_text(PRESET)
    monkeypatch.setenv("TOY_CALLS", str(tmp_path / "calls"))
    monkeypatch.chdir(tmp_path)
    options = ["--profile", "./toy.yaml", "--table", "./table_t.yaml", "--store", "relative/store"]

    def call(*arguments: str, cluster: bool = True) -> int:
        slurm = ["--executor", "slurm", "--cluster", "cluster.yaml"] if cluster else []
        return main(["run", *options, *slurm, *arguments])

    return call


def test_a_plan_is_submitted_and_the_command_returns(
    run: Run, queue: Queue, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0
    captured = capsys.readouterr()
    (campaign,) = campaigns(store)
    (made,) = campaign.rounds()
    assert captured.out == f"{campaign.id}\n"
    lines = captured.err.splitlines()
    assert lines[0] == "note: no stage here is of class evalute; kinds of stages: evaluate, prepare, train"
    assert lines[1].startswith(f"submitted 5 stages in 3 arrays as campaign {campaign.id}; they run ")
    assert f" MB of code as it is now ({campaign.code})" in lines[1]
    assert lines[2:5] == ["  101  1 prepare", "  102  2 train; 1 at a time; after 101", "  103  2 evaluate; after 102"]
    assert "logs KEY" in captured.err
    assert set(made.tasks) == set(campaign.stages)
    assert toy.calls() == []


def own_dataset(folder: Path) -> None:
    """Write a dataset of one training and one test image whose YAML lies beside its folder."""
    for name in ("images", "masks"):
        (folder / "data" / name).mkdir(parents=True)
        for image in ("a", "b"):
            Image.fromarray(np.eye(4, dtype=np.uint8)).save(folder / "data" / name / f"{image}.png")
    (folder / "data" / "train.txt").write_text("a\n")
    (folder / "data" / "test.txt").write_text("b\n")
    (folder / "tiny.yaml").write_text(
        "{name: tiny, title: Tiny, classes: [x, y], images: images, masks: masks, image_suffix: .png, "
        "lists: {train: train.txt, test: test.txt}, splits: {S1: [y]}}"
    )


def test_what_jobs_need_does_not_depend_on_where_they_start(
    run: Run, queue: Queue, store: Store, tmp_path: Path
) -> None:
    own_dataset(tmp_path)
    chosen = ("--dataset", "./tiny.yaml", "--data-root", "data", "--splits", "S1")
    assert run(*chosen, "--seeds", "0,3", "--set", "toy.sizes=[3, 4]") == 0
    (campaign,) = campaigns(store)
    job = campaign.job(campaign.stages[0])
    assert (job.store, job.data_root) == (str(store.root), str(tmp_path / "data"))
    assert job.sources == {"tiny": str(tmp_path / "tiny.yaml")}
    assert campaign.tables == (str(tmp_path / "table_t.yaml"),)
    assert campaign.directory == tmp_path
    assert dict(zip(campaign.selection[::2], campaign.selection[1::2], strict=True)) == {
        "--dataset": str(tmp_path / "tiny.yaml"),
        "--profile": str(tmp_path / "toy.yaml"),
        "--preset": "paper",
        "--store": str(store.root),
        "--out": str(tmp_path / "relative" / "results" / "tiny-toy-set-f81bdb"),
        "--seeds": "0,3",
        "--splits": "S1",
        "--set": "toy.sizes=[3, 4]",
        "--data-root": str(tmp_path / "data"),
    }
    for folder in (campaign.code, campaign.folder, Path(queue.options(102)["output"])):
        assert folder.is_absolute()


def test_the_recorded_selection_is_that_of_the_command(
    run: Run,
    queue: Queue,
    store: Store,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run("--seeds", "0,3", "--set", "toy.mode=print", "--set", "toy.rate=1e-2") == 0
    (campaign,) = campaigns(store)
    monkeypatch.chdir("/")
    capsys.readouterr()
    assert main(["plan", "--table", ",".join(campaign.tables), *campaign.selection, "--json"]) == 0
    stages = json.loads(capsys.readouterr().out)["stages"]
    assert {stage["key"] for stage in stages} == set(campaign.stages)


@pytest.mark.parametrize("value", ["12", "", "yes", "null", "a: b", None, True, 0.01, 1e-9, [3, 4], ["x", "1"]])
def test_recorded_settings_keep_their_types(value: object) -> None:
    plan: Any = SimpleNamespace(source="mini", data_root=None)
    chosen: Any = SimpleNamespace(
        profile="mini",
        preset="paper",
        store=Store(Path("s")),
        results_folder=lambda: Path("r"),
        seeds=(0,),
        splits=None,
        methods=None,
        overrides={"a.b": value},
    )
    given = dict(pairwise(arguments(plan, chosen)))
    context: Any = None
    assert parse_settings(context, context, [given["--set"]]) == {"a.b": value}


def test_a_dry_run_shows_the_very_scripts_and_touches_nothing(
    run: Run, queue: Queue, slurm: FakeSlurm, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--dry-run") == 0
    shown = capsys.readouterr().out
    assert not store.root.exists()
    assert slurm.calls("sbatch") == []
    assert run() == 0
    (campaign,) = campaigns(store)
    foretold = scripts(shown)
    assert list(foretold) == ["ARRAY1", "ARRAY2", "ARRAY3", "MONITOR"]
    names = {"101": "ARRAY1", "102": "ARRAY2", "103": "ARRAY3"}
    for number, text in zip((101, 102, 103, 104), foretold.values(), strict=True):
        real = "\n".join(queue.script(number)).replace(campaign.id, "ID")
        for job, name in names.items():
            real = real.replace(f":{job}", f":{name}")
        assert real.strip() == text.replace(campaign_in(text), "ID").strip()
    assert "  ARRAY2  2 train; 1 at a time; after ARRAY1" in shown.splitlines()


def scripts(shown: str) -> dict[str, str]:
    parts = (part.partition("\n") for part in shown.split("### ")[1:])
    return {name: text for name, _, text in parts}


def campaign_in(script: str) -> str:
    name = next(line for line in script.splitlines() if "--job-name=" in line)
    return name.partition("=wss-")[2].rpartition("-")[0]


def test_a_dry_run_needs_no_slurm(
    run: Run, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slurm.uninstall(monkeypatch)
    assert run("--dry-run") == 0
    shown = capsys.readouterr().out
    assert "scontrol is not installed here" in shown
    assert "Assumed here: 1001" in shown
    assert len(scripts(shown)) == 4


def test_without_slurm_nothing_but_the_code_is_left(
    run: Run, slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slurm.uninstall(monkeypatch)
    assert run() == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: Slurm does not answer, so nothing was submitted: squeue is not installed here.\n"
    assert campaigns(store) == []
    assert [path.name for path in (store.root / "campaigns").iterdir()] == ["lock"]


def test_a_part_that_was_refused_is_told_with_the_way_out(
    run: Run, queue: Queue, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.accepts(2)
    assert run("--quiet") == 1
    captured = capsys.readouterr()
    (campaign,) = campaigns(store)
    assert captured.out == f"{campaign.id}\n"
    lines = captured.err.splitlines()
    assert lines[0].startswith("only a part was submitted, 2 stages were not: ")
    assert lines[0].endswith("QOSMaxSubmitJobPerUserLimit")
    assert f"retry {campaign.id}" in lines[-1]


def test_a_second_command_submits_no_stage_twice(
    run: Run, queue: Queue, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0
    (first,) = campaigns(store)
    (made,) = first.rounds()
    queue.holds(**{f"_{job}": f"PENDING {name_of(made, key)}" for key, job in made.tasks.items()})
    capsys.readouterr()
    assert run() == 0
    second = campaigns(store)[1]
    (again,) = second.rounds()
    assert (again.arrays, again.monitor) == ((), "105")
    assert queue.options(105)["dependency"] == "afterany:101:102:103"
    assert "5 stages that jobs of other campaigns make already are waited for" in capsys.readouterr().err


def name_of(made: Round, key: str) -> str:
    return next(array.name for array in made.arrays if key in array.keys)


def test_one_cell_can_be_tried_first(run: Run, queue: Queue, store: Store) -> None:
    assert run("--first") == 0
    (campaign,) = campaigns(store)
    assert [campaign.job(key).kind for key in campaign.stages] == ["prepare", "train", "evaluate"]


def test_jobs_tell_mlflow_unless_that_is_switched_off(
    run: Run, queue: Queue, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@server:5000")
    assert run() == 0
    assert run("--no-mlflow") == 0
    told, untold = campaigns(store)
    assert (told.tracking, untold.tracking) == ("http://server:5000", None)
    assert "unset MLFLOW_TRACKING_URI" not in queue.script(101)
    assert "unset MLFLOW_TRACKING_URI" in queue.script(105)
    assert queue.environment(101)["MLFLOW_TRACKING_URI"] == "http://me:secret@server:5000"
    files = [path for path in store.root.rglob("*") if path.is_file() and "secret" in path.read_text(errors="replace")]
    assert [path for path in files if "/code/" not in str(path)] == [], "a password stays out of files"


def test_what_is_complete_is_not_submitted_but_printed(
    run: Run, slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchmark.report import publication

    monkeypatch.setattr(publication, "publish", lambda *_: ("the table", ()))
    assert run("--executor", "inline", "--no-mlflow", cluster=False) == 0
    capsys.readouterr()
    assert run() == 0
    assert capsys.readouterr().out == "the table\n"
    assert slurm.calls() == []


@pytest.mark.parametrize(("state", "code"), [("done", 0), ("failed", 1), ("interrupted", 130)])
def test_one_may_wait_for_the_jobs(
    run: Run,
    queue: Queue,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    state: str,
    code: int,
) -> None:
    from benchmark.report import publication

    def watch(campaign: Campaign, observers: Sequence[Any]) -> Session:
        ends = {key: Finished(key, "done", 1.0) for key in campaign.stages}
        if state == "failed":
            ends[campaign.stages[0]] = Finished(campaign.stages[0], "failed", message="it broke", log="/the/log")
        for event in ends.values():
            observers[0].event(event)
        if state == "done":
            assert run("--executor", "inline", "--no-mlflow", "--quiet", cluster=False) == 0
        return Session(ends, interrupted=state == "interrupted")

    monkeypatch.setattr(submission, "watch", watch)
    monkeypatch.setattr(publication, "publish", lambda *_: ("the table", ()))
    assert run("--wait", "--no-mlflow") == code
    captured = capsys.readouterr()
    assert ("the table" in captured.out) == (state != "interrupted")
    assert captured.err.count("done ") >= 4, "progress is shown"
    assert ("failed: " in captured.err and "it broke\n  log: /the/log" in captured.err) == (state == "failed")
    assert ("no longer waiting; the jobs go on." in captured.err) == (state == "interrupted")


def test_one_waits_for_what_is_made_before_the_display_is_there_too(
    run: Run, queue: Queue, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchmark.report import publication

    def fast(campaign: Campaign, keys: Sequence[str], afterwards: Any) -> Round:
        made = submit_round(campaign, keys, afterwards)
        assert run("--executor", "inline", "--no-mlflow", "--quiet", cluster=False) == 0
        return made

    def watch(campaign: Campaign, observers: Sequence[Any]) -> Session:
        ends = {key: Finished(key, "done", 1.0) for key in campaign.stages}
        for event in ends.values():
            observers[0].event(event)
        return Session(ends, interrupted=False)

    monkeypatch.setattr(submission, "submit_round", fast)
    monkeypatch.setattr(submission, "watch", watch)
    monkeypatch.setattr(publication, "publish", lambda *_: ("the table", ()))
    assert run("--wait", "--no-mlflow") == 0
    assert "5 stages of 5 made now" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--cluster cluster.yaml", "--cluster and --wait belong to --executor slurm."),
        ("--executor inline --wait", "--cluster and --wait belong to --executor slurm."),
        ("--executor slurm", "--executor slurm needs --cluster FILE, as in --cluster slurm/local.yaml."),
        ("--executor slurm --cluster cluster.yaml --workers 2", "on a cluster its file says it."),
        ("--executor slurm --cluster nowhere.yaml", "error: cannot read nowhere.yaml: No such file or directory."),
    ],
)
def test_options_that_do_not_go_together(
    run: Run, arguments: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*shlex.split(arguments), cluster=False) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a\nb", "100%"])
def test_a_store_whose_path_slurm_would_read_otherwise(
    run: Run, queue: Queue, store: Store, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for dry in ([], ["--dry-run"]):
        assert run("--store", name, *dry) == 2
        assert "cannot be written into a script for Slurm" in capsys.readouterr().err
    assert not Path(name).exists()
