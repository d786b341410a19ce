"""``measure --input``: training images on photographs, without a training."""

import json

import pytest
from click.testing import CliRunner

from benchmark.commands.measure import command
from benchmark.costs.input_speed import measure_input
from benchmark.errors import BenchmarkError, Exit
from benchmark.stage import Stage

SMOKE = ["--profile", "smoke", "--table", "2", "--splits", "S4"]
LONGER = ["--set", "training.iterations=200", "--set", "pretrain.iterations=0"]


def test_the_input_alone_is_measured_on_photographs() -> None:
    options = ["--input", "--row", "Cross-Pair", "--images", "2", *LONGER]
    jittered = [*options, "--set", "input.colour_jitter=true"]
    result = CliRunner().invoke(command, [*SMOKE, *jittered, "--json"], standalone_mode=False, catch_exceptions=False)
    assert result.return_value == Exit.OK
    measured = json.loads(result.stdout)
    assert measured["images"] == 2
    assert all(measured["sections"][label] > 0 for label in ("decode", "resize", "colour jitter"))
    assert measured["per_cpu_second"] == pytest.approx(1000 / sum(measured["sections"].values()))
    assert all(rate > 0 for rate in measured["per_second"].values())
    shown = CliRunner().invoke(command, [*SMOKE, *options], standalone_mode=False, catch_exceptions=False).stdout
    assert "colour jitter" in shown
    assert "images a CPU second" in shown


def test_a_stage_without_training_images_has_no_input_to_measure() -> None:
    with pytest.raises(BenchmarkError, match="'sums' makes no training images"):
        measure_input(Stage("sum", "sums", "a:b", 1, {}), 1)
