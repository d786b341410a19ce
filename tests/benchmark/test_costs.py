"""``plan`` says what the stages cost before anything is submitted, and where that comes from."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmark.cli import main
from benchmark.config import dataset_of, load_profile
from benchmark.costs import pace
from benchmark.costs.measurements import Measurement, keep, read_measurements
from benchmark.costs.pace import COUNTS
from benchmark.datasets.catalog import as_published
from benchmark.errors import BenchmarkError
from benchmark.plan import Plan, build_plan
from benchmark.stage import Stage
from benchmark.store import Store
from tests.benchmark import toy
from tests.benchmark.costs import support

Captured = pytest.CaptureFixture[str]
COCO = "coco-stuff-10k"


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the options of a plan with trainings of 2000 s, on a processor that is not known."""
    support.install(monkeypatch)
    monkeypatch.setattr(pace, "own_devices", lambda: ["a processor"])
    profile = toy.profile(tmp_path, "toy: {steps: 1000}\n")
    return ["--table", toy.table(tmp_path), "--profile", profile, "--store", str(tmp_path / "a" / "store")]


def planned(options: list[str]) -> Plan:
    return build_plan([options[1]], "mini", options[3], (0,))


def measurement(plan: Plan, kind: str, **changes: Any) -> Measurement:
    stage: Stage = next(one for one in plan.stages if one.kind == kind)
    return replace(support.measured(stage), units=1000, **changes)


def test_a_measurement_turns_costs_into_hours(options: list[str], tmp_path: Path, capsys: Captured) -> None:
    plan = planned(options)
    kinds = [measurement(plan, kind, seconds=3.6) for kind in ("train", "prepare", "evaluate")]
    keep(tmp_path / "a" / "speed.json", kinds)
    assert main(["plan", *options, "--workers", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == (
        "2 cells -> 5 unique stages -> about 5.0 GPU-hours (2 GPUs: 3 h 00 min) | "
        "source: measured on NVIDIA Test 9000 on 2026-02-28 (fp32)"
    )
    assert "kind      stages  cached  GPU time left" in lines
    assert any(re.fullmatch(r"train +2 +0 +2 h 00 min", line) for line in lines)


def test_what_was_not_measured_is_said(options: list[str], tmp_path: Path, capsys: Captured) -> None:
    plan = planned(options)
    keep(tmp_path / "a" / "speed.json", [measurement(plan, "train", seconds=2.0, gpu=False)])
    assert main(["plan", *options, "--set", "toy.rate=0.125", "--workers", "1"]) == 0
    assert "CPU time left" in capsys.readouterr().out  # none of its kinds is known: the expected costs are shown
    assert main(["plan", *options, "--workers", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "about 1.1 CPU-hours (1 core: 67 min)" in lines[-2]
    assert lines[-1] == (
        "3 of 5 stages (0 % of the hours) are estimated by the mean ratio of the known kinds to their expected cost"
    )


def test_without_any_measurement_a_miniature_costs_cpu_time(options: list[str], capsys: Captured) -> None:
    assert main(["plan", *options, "--workers", "2"]) == 0
    assert "5 stages to make: about 67 min of CPU time, 33 min with 2 workers" in capsys.readouterr().out


def test_finished_stages_cost_nothing(options: list[str], tmp_path: Path, capsys: Captured) -> None:
    plan, store = planned(options), Store(tmp_path / "a" / "store")
    kinds = [measurement(plan, kind, seconds=3.6) for kind in ("train", "prepare", "evaluate")]
    keep(tmp_path / "a" / "speed.json", kinds)
    for stage in plan.stages:
        if stage.kind == "train":
            draft = store.draft(stage.key)
            (draft / "result.json").write_text("{}")
            store.publish(stage.key, draft)
    assert main(["plan", *options, "--workers", "1"]) == 0
    output = capsys.readouterr().out
    assert "2 cells -> 5 unique stages, 2 of them to make -> about 2.0 GPU-hours" in output
    assert re.search(r"prepare +1 +0 +0\.0 s", output)  # nobody needs it any more
    for cell in plan.cells:
        assert cell.stage
        draft = store.draft(cell.stage.key)
        (draft / "result.json").write_text("{}")
        store.publish(cell.stage.key, draft)
    assert main(["plan", *options]) == 0
    assert "nothing left to make" in capsys.readouterr().out


def test_costs_as_json(options: list[str], tmp_path: Path, capsys: Captured) -> None:
    assert main(["plan", *options, "--json"]) == 0
    assert "estimate" not in json.loads(capsys.readouterr().out)
    plan = planned(options)
    keep(tmp_path / "a" / "speed.json", [measurement(plan, "train", seconds=3.6)])
    assert main(["plan", *options, "--json", "--workers", "2"]) == 0
    estimate = json.loads(capsys.readouterr().out)["estimate"]
    assert (estimate["device"], estimate["gpu"], estimate["workers"]) == ("NVIDIA Test 9000", True, 2)
    training = next(stage for stage in plan.stages if stage.kind == "train")
    assert estimate["stages"][training.key] == {"seconds": pytest.approx(3600), "basis": "kind"}
    assert estimate["seconds"] == pytest.approx(sum(one["seconds"] for one in estimate["stages"].values()))
    assert 0 < estimate["wall_seconds"] < estimate["seconds"]


def test_a_damaged_file_of_measurements_is_named(options: list[str], tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "speed.json").write_text("{")
    assert main(["plan", *options]) == 2
    assert str(tmp_path / "a" / "speed.json") in capsys.readouterr().err


def paper(*arguments: str, capsys: Captured) -> list[str]:
    capsys.readouterr()
    assert main(["plan", "--profile", "paper", "--table", "3", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def hours(lines: list[str]) -> float:
    (found,) = (re.search(r"about ([\d,]+) GPU-hours", line) for line in lines if "unique stages ->" in line)
    assert found
    return float(found[1].replace(",", ""))


@pytest.mark.usefixtures("_extra")
def test_the_paper_s_sizes_cost_gpu_hours_without_data_or_measurement(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "own_devices", lambda: ["a processor"])
    lines = paper(capsys=capsys)
    assert lines[0] == "the data is not here: sizes as published: 8993 training and 1000 test images"
    assert lines[1].startswith(f"dataset {COCO}, profile paper")
    cost = next(line for line in lines if "unique stages ->" in line)
    assert cost.startswith("24 cells -> 70 unique stages -> about ")
    assert "(4 GPUs: " in cost
    assert "computed from peak figures of RTX 3090" in cost
    assert "not measured (fp32)" in cost
    assert "peak figures: NVIDIA Ampere GA102 whitepaper V2" in lines[-1]
    assert "40 % of fp32" in lines[-1]
    assert not any("estimated by" in line for line in lines)  # the operations of every kind of Table 3 were counted


def test_faster_gpus_and_coarser_arithmetic_take_fewer_hours(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "own_devices", lambda: ["a processor"])
    by_gpu = [hours(paper("--gpu", name, capsys=capsys)) for name in ("T4", "RTX 3090", "H200")]
    assert by_gpu == sorted(by_gpu, reverse=True)
    assert hours(paper("--gpu", "H200", "--set", "training.precision=bf16", capsys=capsys)) < by_gpu[-1]
    assert main(["plan", "--profile", "paper", "--gpu", "H20"]) == 2
    assert "Did you mean 'H200'" in capsys.readouterr().err


@pytest.fixture(params=[None, "installed"], ids=["without the extra crf", "with the extra crf"])
def _extra(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan as if the extra were installed, and as if it were not; whether it is does not matter."""
    monkeypatch.setattr("methods.wsss.settings.find_spec", lambda name: request.param)


def bases(*tables: str) -> dict[str, set[str]]:
    """Return function -> where the hours of its stages come from, at the peak figures of a GPU."""
    plan = build_plan(tables, COCO, "paper", (0,), info=as_published(COCO))
    peaks, found = pace.peak_pace("A100"), dict[str, set[str]]()
    for stage in plan.stages:
        found.setdefault(stage.function.rpartition(":")[2], set()).add(peaks.estimate(stage).basis)
    return found


@pytest.mark.usefixtures("_extra")
def test_operations_were_counted_for_the_tables_of_the_paper_and_the_trainings_of_the_baselines() -> None:
    assert set.union(*bases("3").values()) == {"kind"}
    assert set.union(*bases("1", "2").values()) == {"kind", "function"}  # other numbers of points follow J = 100
    assert bases("baselines")["train_largefov"] == {"function"}  # counted in smaller passes, for memory
    assert all(one.flops is not None and one.device and one.torch and one.date for one in read_measurements(COUNTS))


def test_a_dataset_whose_place_is_wrong_is_still_a_mistake(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["plan", "--profile", "paper", "--data-root", str(tmp_path / "gone")]) == 2
    monkeypatch.setenv("BENCHMARK_DATA_COCO_STUFF_10K", str(tmp_path / "gone"))
    assert main(["plan", "--profile", "paper"]) == 2
    assert "is no folder" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "train", "test"), [(COCO, 8993, 1000), ("ade20k", 20194, 2000), ("msrc21", 335, 256)])
def test_sizes_as_published(name: str, train: int, test: int) -> None:
    info = as_published(name)
    assert (info.train, info.test, info.digest) == (train, test, "")


def test_a_profile_names_the_dataset_that_it_is_meant_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (dataset_of("paper"), dataset_of("mini"), dataset_of("none such")) == (COCO, "mini", "mini")
    assert load_profile("paper").dataset == COCO
    toy.install(monkeypatch)
    assert load_profile(toy.profile(tmp_path, "dataset: msrc21\n")).dataset == "msrc21"
    with pytest.raises(BenchmarkError, match=r"toy.yaml: dataset: expected text, found \['a'\]"):
        load_profile(toy.profile(tmp_path, "dataset: [a]\n"))


@pytest.mark.parametrize("measured", [True, False])
def test_stating_costs_imports_nothing_heavy(measured: bool, tmp_path: Path) -> None:
    if measured:
        plan = build_plan(["3"], COCO, "paper", (0,), info=as_published(COCO))
        keep(tmp_path / "speed.json", [support.measured(stage) for stage in plan.stages[:1]])
    code = (
        "import sys; from benchmark.cli import main; assert main(['plan', '--profile', 'paper', '--store', 's']) == 0;"
        "print([name for name in ('torch', 'torchvision', 'mlflow', 'pandas', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert ("measured on NVIDIA Test 9000" in done.stdout) == measured
    assert done.stdout.splitlines()[-1] == "[]"
