"""Networks on the way of a training: kept through every interruption, found by evaluations that ask for them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmark.config import load_profile, resolve
from benchmark.datasets import DatasetInfo
from benchmark.errors import BenchmarkError
from benchmark.plan import Plan, build_plan
from benchmark.registry import methods
from benchmark.settings import from_json, to_json
from benchmark.splits import class_names
from benchmark.stage import Stage, StageInterrupted, closure
from methods.foreign import describe
from methods.settings import LargeFovSettings, TrainingSettings
from methods.training import distributed
from methods.training.loop import train
from methods.training.snapshots import Snapshots, iterations_kept, snapshot_file
from methods.weights.checkpoints import MODEL_FILE, save_tensors
from tests.methods.support import FakeContext, Few, plan, run

SIX = [f"{k}/6" for k in range(1, 7)]
TRAININGS = [
    pytest.param("fully_oracle", "", {"training.snapshots": 4}, id="oracle"),
    pytest.param("simformer", "basic", {"training.snapshots": 4}, id="basic"),
    pytest.param("simformer", "", {"training.snapshots": 4, "simformer.points": 20}, id="pairs"),
    pytest.param("simformer", "retrained", {"retrain.network": "largefov", "largefov.snapshots": 4}, id="largefov"),
]


@pytest.mark.parametrize(
    ("iterations", "snapshots", "expected"),
    [
        (60_000, 6, [10_000, 20_000, 30_000, 40_000, 50_000]),
        (800, 6, [134, 267, 400, 534, 667]),
        (4, 6, [1, 2, 3]),  # no network twice
        (4, 1, []),
        (0, 6, []),
    ],
)
def test_points_have_equal_distances_and_the_last_network_is_none_of_them(
    iterations: int, snapshots: int, expected: list[int]
) -> None:
    assert list(iterations_kept(iterations, snapshots)) == expected


@pytest.mark.parametrize("dataset", ["coco-stuff-10k", "ade20k"])
def test_the_paper_profile_keeps_what_the_released_code_evaluates(dataset: str) -> None:
    settings = resolve(methods()["simformer"], load_profile("paper"), dataset, "S1", "paper")["training"]
    kept = iterations_kept(settings.iterations, settings.snapshots)
    every, end = {"coco-stuff-10k": (10_000, 60_000), "ade20k": (20_000, 160_000)}[dataset]
    assert [*kept, settings.iterations] == list(range(every, end + 1, every))


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}


@pytest.mark.parametrize(("method", "variant", "overrides"), TRAININGS)
def test_an_interrupted_training_leaves_the_same_files(
    method: str, variant: str, overrides: dict[str, Any], tmp_path: Path, few: Few
) -> None:
    training = plan(method, variant, overrides).inputs["model"]
    for stage in closure(training.inputs.values()):
        run(stage, tmp_path / "whole", few)
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    whole = content(run(training, tmp_path / "whole", few).out)
    with pytest.raises(StageInterrupted):
        run(training, tmp_path / "parts", few, stop_after=2)
    scratch = tmp_path / "parts" / training.key / "scratch"
    assert set(content(scratch)) == {snapshot_file(1), snapshot_file(2)}
    stopped = torch.load(scratch / "checkpoint.pt", weights_only=True)["modules"]
    kept = load_file(scratch / snapshot_file(2))
    assert kept
    assert all(torch.equal(value, stopped[f"model.{name}"]) for name, value in kept.items())
    parts = content(run(training, tmp_path / "parts", few).out)
    assert set(whole) == {MODEL_FILE, *map(snapshot_file, (1, 2, 3))}
    assert parts == whole
    assert len(set(whole.values())) == 4


SETTINGS = TrainingSettings(iterations=6, lr=0.1, clip=1.0, snapshots=3)


def train_small(folder: Path, *, die_after: int = 99, **options: Any) -> FakeContext:
    """Train a few weights; the process dies while it reports step ``die_after``, with all written that it writes."""

    class Mortal(FakeContext):
        def progress(self, done: int, total: int) -> None:
            super().progress(done, total)
            if done == die_after:
                raise KeyboardInterrupt

    torch.manual_seed(0)
    modules = nn.ModuleDict({"net": nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))})

    def losses(step: int) -> Iterator[dict[str, Tensor]]:
        x = torch.randn(8, 4, generator=torch.Generator().manual_seed(step))
        yield {"total": modules["net"](x).square().mean()}

    context = Mortal(folder, stop_after=options.pop("stop_after", None))
    groups = [{"params": list(modules.parameters()), "lr": SETTINGS.lr, "weight_decay": 0.0}]
    options = {"save": lambda path: save_tensors(path, modules.state_dict()), **options}
    train(context, modules, groups, losses, SETTINGS, seed=3, **options)
    return context


def test_what_a_process_wrote_after_its_last_checkpoint_is_written_again(tmp_path: Path) -> None:
    whole = content(train_small(tmp_path / "whole").out)
    assert set(whole) == {snapshot_file(2), snapshot_file(4)}
    with pytest.raises(StageInterrupted):
        train_small(tmp_path / "parts", stop_after=1)
    with pytest.raises(KeyboardInterrupt):
        train_small(tmp_path / "parts", die_after=5)
    scratch = tmp_path / "parts" / "scratch"
    assert content(scratch) == whole
    (scratch / snapshot_file(4)).write_bytes(b"of the step that is made again")
    assert content(train_small(tmp_path / "parts").out) == whole


def test_a_result_that_could_not_be_published_is_made_again_with_every_network(tmp_path: Path) -> None:
    whole = content(train_small(tmp_path, checkpoint_seconds=0.0).out)
    shutil.rmtree(tmp_path / "out")
    again = train_small(tmp_path, checkpoint_seconds=0.0)
    assert again.reports == 1  # from the last checkpoint
    assert content(again.out) == whole


def test_of_several_processes_the_first_alone_keeps_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "rank", lambda: 1)
    context = train_small(tmp_path)
    assert context.reports == SETTINGS.iterations
    assert not [*content(context.out), *content(context.scratch)]


def test_an_evaluation_counts_the_network_that_it_asks_for(tmp_path: Path, few: Few) -> None:
    halfway = plan("fully_oracle", "", {"training.snapshots": 2, "evaluation.at": "1/2"})
    for stage in closure([halfway.inputs["model"]]):
        run(stage, tmp_path, few)
    networks = tmp_path / halfway.inputs["model"].key / "out"
    (networks / MODEL_FILE).unlink()
    counts = (run(halfway, tmp_path, few).out / "counts.npz").read_bytes()
    assert counts
    (networks / snapshot_file(2)).rename(networks / MODEL_FILE)
    with pytest.raises(BenchmarkError, match=rf"{snapshot_file(2)}: no such checkpoint\. Delete the folder"):
        run(halfway, tmp_path, few)


def test_a_kept_network_is_a_checkpoint_like_any_other(tmp_path: Path, few: Few) -> None:
    training = plan("fully_oracle", "", {"training.snapshots": 2}).inputs["model"]
    run(training.inputs["backbone"], tmp_path, few)
    kept = run(training, tmp_path, few).out / snapshot_file(2)
    assert describe(kept)["fits"] == "MaskFormer of this benchmark; oracle.checkpoint takes it"


def at(share: object, snapshots: int = 6, iterations: int = 800) -> Stage:
    overrides = {"training.snapshots": snapshots, "training.iterations": iterations, "evaluation.at": share}
    return plan("fully_oracle", "", overrides)


def test_parameters_say_nothing_of_what_is_not_asked_for() -> None:
    for settings in (TrainingSettings(), LargeFovSettings()):
        assert "snapshots" not in to_json(settings)
        kept = replace(settings, snapshots=3)
        assert to_json(kept)["snapshots"] == 3
        assert [from_json(type(settings), to_json(one)) for one in (settings, kept)] == [settings, kept]
    plain, last = plan("fully_oracle"), plan("fully_oracle", "", {"training.snapshots": 1, "evaluation.at": "6/6"})
    assert plain.key == last.key
    assert "iteration" not in plain.params
    assert "iteration" not in at("6/6").params


def test_equal_points_are_one_stage() -> None:
    assert at("1/2").params["iteration"] == 400
    assert at("1/2").key == at("3/6").key == at(0.5).key
    assert at("1/2").key != at("2/6").key
    assert at(1).key == at("6/6").key != at("5/6").key
    assert at("5/6", iterations=4).key == at(1, iterations=4).key  # four iterations have no five points


@pytest.mark.parametrize(
    ("share", "snapshots", "message"),
    [
        ("1/4", 6, r"evaluation\.at = 1/4: .* at 1/6, 2/6, 3/6, 4/6, 5/6, 6/6\. .* change training\.snapshots"),
        (0.17, 6, r"evaluation\.at = 0\.17: .* Take one of these"),
        ("1/2", 1, r"'fully supervised training, seed 0' keeps its last network alone, at 1\."),
        ("7/6", 6, "at 1/6, 2/6"),
        ("0/6", 6, "at 1/6, 2/6"),
        ("-1/6", 6, "at 1/6, 2/6"),
        ("half", 6, r"'half' is no share of a training\. Write 1/6"),
        ("1/0", 6, r"'1/0' is no share"),
    ],
)
def test_a_point_without_a_network_is_refused_with_those_that_have_one(
    share: object, snapshots: int, message: str
) -> None:
    with pytest.raises(BenchmarkError, match=message):
        at(share, snapshots)


def test_what_is_refused_names_the_setting_of_its_network(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"re-training of LargeFOV .* change largefov\.snapshots"):
        plan("simformer", "retrained", {"retrain.network": "largefov", "evaluation.at": "1/2"})
    (tmp_path / "model.pkl").write_bytes(b"one")
    with pytest.raises(BenchmarkError, match=r"network of model\.pkl .* alone, at 1\. Take one of these\.$"):
        plan("fully_oracle", "", {"oracle.checkpoint": str(tmp_path / "model.pkl"), "evaluation.at": "1/2"})


def stages_of(planned: Plan) -> dict[tuple[str, str, str], Stage]:
    return {(cell.table, cell.row, cell.column): cell.stage for cell in planned.cells if cell.stage}


@pytest.fixture
def coco(monkeypatch: pytest.MonkeyPatch) -> str:
    """COCO-Stuff-10K as far as plans need it."""
    name = "coco-stuff-10k"
    info = DatasetInfo(name, "COCO-Stuff-10K", class_names(name), "d" * 64, 9000, 1000)
    monkeypatch.setattr("benchmark.datasets.catalog.describe", lambda *_: info)
    return name


def test_the_last_column_of_the_course_is_the_cell_of_table_3_where_a_profile_keeps_networks(coco: str) -> None:
    planned = stages_of(build_plan(["2", "3", "learning-curve"], coco, "paper", [0], splits=["S4"]))
    for row in ("SimFormer", "SimFormer*", "RETAB*", "FullyOracle"):
        assert planned["learning-curve", row, "6/6"].key == planned["3", row, "Split 4"].key
    assert planned["learning-curve", "Basic", "6/6"].key == planned["2", "Basic", "Split 4"].key
    for row in ("Basic", "SimFormer", "SimFormer*", "RETAB*", "FullyOracle"):
        asked = [planned["learning-curve", row, column].params.get("iteration") for column in SIX]
        assert asked == [10_000, 20_000, 30_000, 40_000, 50_000, None]


@pytest.mark.parametrize("profile", ["mini", "smoke"])
def test_the_course_trains_each_network_once_and_leaves_other_tables_alone(profile: str) -> None:
    planned = stages_of(build_plan(["3", "learning-curve"], "mini", profile, [0], splits=["S4"]))
    for row in ("Basic", "SimFormer", "SimFormer*", "RETAB*", "FullyOracle"):
        models = {planned["learning-curve", row, column].inputs["model"].key for column in SIX}
        assert len(models) == 1
        if row != "Basic":
            assert planned["3", row, "Split 4"].inputs["model"].key not in models


@pytest.mark.slow
def test_the_course_runs_to_its_table_and_plot(tmp_path: Path) -> None:
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    selection = [
        "--splits",
        "S4",
        "--methods",
        "fully_oracle",
        "--profile",
        "smoke",
        "--store",
        str(tmp_path / "store"),
    ]
    command = [sys.executable, "-m", "benchmark", "run", "--table", "learning-curve", *selection, "--no-mlflow"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "Reported is 6/6, whatever the others have. Best on the images scored" in done.stdout
    results = tmp_path / "results" / "mini-smoke"
    assert {path.name for path in results.iterdir()} >= {
        f"learning-curve.{form}" for form in ("csv", "png", "pdf", "json")
    }
    lines = [line.split(",") for line in (results / "learning-curve.csv").read_text().splitlines()[1:]]
    assert [(line[0], line[1], line[-1]) for line in lines] == [("FullyOracle", share, "done") for share in SIX]


@pytest.mark.parametrize("damage", [b"", b"x" * 8])
def test_a_network_on_the_way_that_was_torn_is_not_gone_on_from(tmp_path: Path, damage: bytes) -> None:
    def save(path: Path) -> None:
        path.write_bytes(b"network")

    kept = Snapshots(tmp_path, (2, 4), save)
    kept.keep(2)
    kept.keep(3)
    assert kept.sound(3)
    assert not kept.sound(4)
    (tmp_path / snapshot_file(2)).write_bytes(damage)
    assert not kept.sound(2)
    assert kept.sound(1)
