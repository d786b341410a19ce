"""Which stages are as fast as each other, and what is measured in their place."""

from dataclasses import replace

import pytest

from benchmark.costs.workloads import changed, in_precision, measurable, precision_of, representatives, signature
from benchmark.errors import BenchmarkError
from benchmark.stage import Stage, Work
from tests.benchmark.costs.support import training


@pytest.mark.parametrize(
    "other",
    [
        training({"dataset": {"name": "another", "digest": "0"}}),
        training({"novel": [2, 3], "seed": 5}),
        training({"weights": "/home/me/weights.pth"}),
        training({"rounding": 8}),
        training(name="another", cost=9.0, inputs={"labels": training()}),
    ],
)
def test_data_split_seed_files_and_precision_make_no_other_kind(other: Stage) -> None:
    assert signature(other) == signature(training())


@pytest.mark.parametrize(
    "other",
    [
        training({"size": 320}),
        training(function="m:other"),
        training(work=Work(network="small")),
        training({"depth": 1}),
    ],
)
def test_sizes_functions_and_networks_do(other: Stage) -> None:
    assert signature(other) != signature(training())


def test_the_precision_of_a_stage_is_told_by_its_parameters() -> None:
    assert precision_of(training()) == "fp32"
    rough = in_precision(training(), "bf16")
    assert (precision_of(rough), rough.params["rounding"]) == ("bf16", 8)
    without = Stage("label", "labels", "m:label", 1, {})
    assert precision_of(without) == ""
    assert in_precision(without, "bf16") is without
    with pytest.raises(BenchmarkError, match=r"unknown precision 'fp16'.*Did you mean 'bf16'"):
        in_precision(training(), "fp16")


def test_a_kind_is_represented_by_the_stage_that_is_ready_first() -> None:
    labels = Stage("label", "labels", "m:label", 1, {})
    second = training({"seed": 1}, inputs={"labels": labels}, name="re-training")
    first = training(name="training")
    found = representatives([labels, second, first])
    assert [stage.name for stage in found.values()] == ["labels", "training"]


def test_what_is_measured_needs_no_file_and_its_inputs_are_brief() -> None:
    weights = {"weights": "/a/file", "steps": 500}
    model = training(weights, inputs={"backbone": training(weights)})
    stage = replace(training(weights), inputs={"model": model})
    measured = measurable(stage)
    assert "weights" not in measured.params
    assert measured.params["steps"] == 500
    for one in (measured.inputs["model"], measured.inputs["model"].inputs["backbone"]):
        assert one.params["steps"] == 1
        assert "weights" not in one.params
    assert stage.inputs["model"].params == model.params


def test_changes_reach_into_parameters_and_later_ones_win() -> None:
    stage = Stage("a", "a", "m:f", 1, {"training": {"lr": 1, "steps": 9}, "file": "x"})
    found = changed(stage, {"training": {"steps": 1}, "file": None}, {"training": {"steps": 2, "seed": None}, "new": 3})
    assert found.params == {"training": {"lr": 1, "steps": 2}, "new": 3}
    assert stage.params["training"] == {"lr": 1, "steps": 9}
