"""``profile`` on a real training at smoke size."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmark.commands.input_speed import measure_input
from benchmark.commands.profile import command
from benchmark.errors import BenchmarkError, Exit
from benchmark.stage import Stage

SMOKE = ["--profile", "smoke", "--table", "2", "--splits", "S4"]
LONGER = ["--set", "training.iterations=200", "--set", "pretrain.iterations=0"]


def test_sections_of_a_training_step(tmp_path: Path) -> None:
    trace = tmp_path / "trace.json"
    options = ["--row", "Cross-Pair", "--iterations", "3", "--trace", str(trace), "--json"]
    result = CliRunner().invoke(command, [*SMOKE, *LONGER, *options], standalone_mode=False, catch_exceptions=False)
    assert result.return_value == Exit.OK
    measured = json.loads(result.stdout)
    assert measured["iterations"] == 3
    assert "cross-pair" in measured["stage"]
    assert set(measured["sections"]) >= {"input", "forward", "matching", "losses", "backward", "optimiser"}
    assert 0 < sum(measured["sections"].values()) <= measured["wall_ms"] * 1.05
    assert "traceEvents" in json.loads(trace.read_text())


def test_a_training_that_is_too_short_says_so() -> None:
    options = [*SMOKE, "--set", "pretrain.iterations=0", "--iterations", "9"]
    with pytest.raises(BenchmarkError, match="ended before 14 iterations"):
        CliRunner().invoke(command, options, standalone_mode=False, catch_exceptions=False)


def test_an_unknown_row_names_the_rows() -> None:
    with pytest.raises(BenchmarkError, match="Cross-Pair"):
        CliRunner().invoke(command, [*SMOKE, "--row", "Cross"], standalone_mode=False, catch_exceptions=False)


def test_the_input_alone_is_measured_on_photographs() -> None:
    options = ["--row", "Cross-Pair", "--input", "--iterations", "2", *LONGER]
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
