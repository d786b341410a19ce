"""``measure``: every kind of work once, the costliest first, and nothing that was measured is lost."""

import json
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmark.cli import main
from benchmark.costs.measurements import read_measurements
from benchmark.costs.tasks import tasks_of
from benchmark.costs.workloads import precision_of
from benchmark.errors import BenchmarkError
from benchmark.plan import build_plan
from benchmark.stage import StageContext
from tests.benchmark import toy
from tests.benchmark.costs import support

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    support.install(monkeypatch)
    monkeypatch.setenv("TOY_CALLS", str(tmp_path / "calls"))


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    profile = toy.profile(tmp_path, "toy: {steps: 1000}\n")
    places = ["--table", toy.table(tmp_path), "--profile", profile, "--store", str(tmp_path / "a" / "store")]
    return ["measure", *places, "--units", "2"]


def failing(error: BaseException) -> Callable[[StageContext], Mapping[str, Any]]:
    def train(context: StageContext) -> Mapping[str, Any]:
        context.progress(1, 1000)
        raise error

    return train


def test_kinds_are_measured_kept_and_shown(arguments: list[str], tmp_path: Path, capsys: Captured) -> None:
    assert main(arguments) == 0
    output = capsys.readouterr()
    kept = read_measurements(tmp_path / "a" / "speed.json")
    assert [(one.kind, one.precision, one.images) for one in kept] == [
        ("train", "fp32", 4),
        ("evaluate", "", 0),
        ("prepare", "", 0),
    ]
    training = kept[0]
    assert (training.measured, training.units, training.cost) == (2, 1000, 2000.0)
    assert (training.gpu, training.dataset, training.profile) == (False, "mini", "toy")
    assert training.torch
    lines = output.out.splitlines()
    assert lines[0].split() == ["stage", "precision", "images/s", "s/unit", "memory", "full", "stage"]
    assert lines[1].startswith("train: training S1")
    assert f"{training.images / training.seconds:.3g}" in lines[1]
    assert "2 cells -> 5 unique stages -> about" in output.out
    assert "CPU-hours (1 core: " in output.out
    assert f"kept in {tmp_path / 'a' / 'speed.json'}" in output.out
    assert "[1/3] train: training S1, fp32 ..." in output.err
    # The input of the evaluation was made briefly, the training that was measured was not finished.
    assert toy.calls().count("train") == 2
    assert not (tmp_path / "a" / "store").exists()


def test_the_whole_is_the_sum_over_its_stages(arguments: list[str], tmp_path: Path, capsys: Captured) -> None:
    assert main(arguments) == 0
    capsys.readouterr()
    ratios = {one.kind: one.ratio for one in read_measurements(tmp_path / "a" / "speed.json")}
    assert main(["plan", *arguments[1:-2], "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    expected = sum(ratios[stage["kind"]] * stage["cost"] for stage in plan["stages"])
    assert plan["estimate"]["seconds"] == pytest.approx(expected)
    assert {one["basis"] for one in plan["estimate"]["stages"].values()} == {"kind"}


def test_precisions_are_compared(arguments: list[str], tmp_path: Path, capsys: Captured) -> None:
    assert main([*arguments, "--precisions", "bf16,fp32"]) == 0
    output = capsys.readouterr().out
    kept = read_measurements(tmp_path / "a" / "speed.json")
    assert [one.precision for one in kept] == ["fp32", "", "", "bf16"]
    assert output.count("2 cells -> 5 unique stages") == 2
    assert "(fp32)" in output
    assert "(bf16)" in output


def test_a_gpu_is_measured_in_all_precisions_the_planned_one_first(tmp_path: Path) -> None:
    plan = build_plan([toy.table(tmp_path)], "mini", toy.profile(tmp_path), (0,))
    for gpu, expected in ((True, ["fp32", "", "", "bf16"]), (False, ["fp32", "", ""])):
        assert [precision_of(task.stage) for task in tasks_of(plan, plan, None, gpu=gpu)] == expected
    assert [precision_of(task.stage) for task in tasks_of(plan, plan, ("bf16",), gpu=False)] == ["bf16", "", ""]
    with pytest.raises(BenchmarkError, match="unknown precision 'fp8' in --precisions"):
        tasks_of(plan, plan, ("fp8",), gpu=True)


def test_memory_that_gives_out_ends_one_kind_with_a_line(
    arguments: list[str], tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toy, "train", failing(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.")))
    assert main(arguments) == 1
    output = capsys.readouterr().out
    assert "not measured: train: training S1, fp32: out of memory" in output
    assert "not measured: evaluate: evaluation S1: " in output  # it needs a trained model
    assert [one.kind for one in read_measurements(tmp_path / "a" / "speed.json")] == ["prepare"]
    assert "4 of 5 stages" in output
    assert "by the mean ratio" in output


def test_an_input_that_failed_is_not_tried_again(
    arguments: list[str], capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toy, "prepare", failing(RuntimeError("the toy is broken")))
    assert main(arguments) == 1
    output = capsys.readouterr()
    assert "evaluation S1: needs 'preparation', which could not be made" in output.out
    assert output.err.count("start    preparation") == 1


def test_an_interrupt_keeps_what_was_measured(
    arguments: list[str], tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toy, "evaluate", failing(KeyboardInterrupt()))
    assert main(arguments) == 130
    output = capsys.readouterr()
    assert "interrupted: 1 of 3 kinds" in output.err
    assert "train: training S1" in output.out
    assert [one.kind for one in read_measurements(tmp_path / "a" / "speed.json")] == ["train"]


def test_a_time_limit_of_the_system_keeps_it_too(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evaluate(context: StageContext) -> Mapping[str, Any]:
        signal.raise_signal(signal.SIGTERM)
        return {}

    monkeypatch.setattr(toy, "evaluate", evaluate)
    assert main(arguments) == 130
    assert [one.kind for one in read_measurements(tmp_path / "a" / "speed.json")] == ["train"]


def test_when_the_time_is_over_no_kind_begins(arguments: list[str], tmp_path: Path, capsys: Captured) -> None:
    assert main([*arguments, "--minutes", "0"]) == 1
    assert capsys.readouterr().out.count("not begun: the time is over (--minutes)") == 3
    assert not (tmp_path / "a").exists()


def test_measurements_as_json(arguments: list[str], capsys: Captured) -> None:
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["kind"] for one in found] == ["train", "evaluate", "prepare"]
    assert found[0]["units"] == 1000


def test_operations_are_counted_on_a_processor_alone(
    arguments: list[str], capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.execute.machine.choose_device", lambda: "cuda")
    assert main([*arguments, "--flops"]) == 2
    assert "BENCHMARK_DEVICE=cpu" in capsys.readouterr().err


def test_nothing_selected(arguments: list[str], capsys: Captured) -> None:
    assert main([*arguments, "--splits", "S9"]) == 5
    assert "Nothing matches" in capsys.readouterr().err


def help_of(arguments: list[str], capsys: Captured) -> str:
    assert main([*arguments, "--help"]) == 0
    return capsys.readouterr().out


def test_each_mode_has_options_of_its_own(capsys: Captured) -> None:
    own = {"": "--precisions", "--breakdown": "--trace", "--input": "--images"}
    for mode in own:
        text = help_of(["measure", *filter(None, [mode])], capsys)
        assert f"Usage: {f'python -m benchmark measure {mode}'.strip()} [OPTIONS]" in text
        assert [option for option in own.values() if f"  {option} " in text] == [own[mode]]
    text = help_of(["measure"], capsys)
    assert all(f"`measure {mode} --help`" in " ".join(text.split()) for mode in own if mode)


def test_two_modes_at_once_are_refused(capsys: Captured) -> None:
    assert main(["measure", "--input", "--breakdown"]) == 2
    assert "--breakdown and --input are two measurements" in capsys.readouterr().err


def test_an_option_of_another_mode_is_unknown(capsys: Captured) -> None:
    assert main(["measure", "--breakdown", "--precisions", "fp32"]) == 2
    assert "No such option" in capsys.readouterr().err


@pytest.mark.slow
def test_every_stage_of_the_methods_can_be_measured(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With weights, images and label maps that are not here."""
    monkeypatch.undo()  # the methods themselves
    monkeypatch.setenv("BENCHMARK_DEVICE", "cpu")
    classes = [f"class {number}" for number in range(12)]
    novel = ", ".join(classes[::4])
    lists = {"train": [str(number) for number in range(100)], "test": ["a", "b"]}
    for part, names in lists.items():
        (tmp_path / f"{part}.txt").write_text("\n".join(names))
    own = tmp_path / "own.yaml"
    own.write_text(
        f"name: own\ntitle: Not here\nclasses: [{', '.join(classes)}]\nimages: i\nmasks: m\n"
        f"lists: {{train: train.txt, test: test.txt}}\nsplits: {{S4: [{novel}]}}\n"
    )
    settings = ["--set", "labelling.short=64", "--set", "pretrain.iterations=0", "--set", "classifier.iterations=9"]
    tables = ["--table", "3,baselines,stages,learning-curve"]
    arguments = ["--profile", "smoke", *tables, "--splits", "S4", "--dataset", str(own)]
    store = ["--store", str(tmp_path / "a" / "store")]
    assert main(["measure", *arguments, *settings, *store, "--units", "1", "--minutes", "99"]) == 0
    output = capsys.readouterr().out
    assert "not measured" not in output
    assert "estimated by" not in output
    kept = read_measurements(tmp_path / "a" / "speed.json")
    assert all(one.images for one in kept)
    labelling = next(one for one in kept if one.function == "methods.wsss.label_maps:activation_maps")
    assert labelling.units < 10  # few photographs were drawn, and not 100
