"""``measure --breakdown`` on a real training at smoke size."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmark.commands.measure import command
from benchmark.errors import BenchmarkError, Exit

SMOKE = ["--breakdown", "--profile", "smoke", "--table", "2", "--splits", "S4"]
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
