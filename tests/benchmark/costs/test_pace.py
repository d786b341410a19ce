"""From measurements, or peak figures, to the seconds of stages."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.costs import pace as module
from benchmark.costs.gpus import gpu_table
from benchmark.costs.measurements import Measurement, keep, measurements_file
from benchmark.costs.pace import Pace, find_pace, measured_paces, peak_pace
from benchmark.errors import BenchmarkError
from benchmark.stage import Stage
from benchmark.store import Store
from tests.benchmark.costs.support import measured, training


def pace_of(*measurements: Measurement) -> Pace:
    (pace,) = measured_paces(measurements)
    return pace


def test_a_stage_takes_its_cost_times_the_ratio_of_its_kind() -> None:
    pace = pace_of(measured(training(cost=200.0), seconds=0.5, units=100))
    other = training({"novel": [7], "seed": 3}, cost=8000.0)
    assert pace.estimate(other) == (2000.0, "kind")


def test_another_precision_has_a_ratio_of_its_own() -> None:
    rough = training({"rounding": 8})
    pace = pace_of(measured(training(), seconds=4.0), measured(rough, seconds=1.0))
    assert pace.estimate(training()) == (400.0, "kind")
    assert pace.estimate(rough) == (100.0, "kind")


def test_other_sizes_follow_the_same_function_and_unknown_work_the_geometric_mean() -> None:
    label = Stage("label", "labels", "m:label", 1, {}, cost=10.0)
    pace = pace_of(measured(training(), seconds=8.0), measured(label, seconds=1.0))
    assert pace.estimate(training({"size": 320}, cost=100.0)) == (400.0, "function")
    other = pace.estimate(training(function="m:other", cost=10.0))
    assert other.seconds == pytest.approx(10 * math.sqrt(4 * 0.5))
    assert other.basis == "mean"
    # Work that has no choice of a precision is more like other such work.
    assert pace.estimate(Stage("walk", "walk", "m:walk", 1, {}, cost=10.0)) == (5.0, "mean")


def test_a_pace_knows_a_plan_if_it_knows_its_profile_or_one_kind_of_it() -> None:
    pace = pace_of(measured(training()))
    assert pace.knows([training({"size": 1}), training({"seed": 4})], "another profile")
    assert not pace.knows([training({"size": 1})], "another profile")
    assert pace.knows([training({"size": 1})], "p")  # other settings of that profile, or its other datasets


def test_each_device_has_its_own_pace_the_latest_first() -> None:
    old, new = measured(training(), device="old"), measured(training(), device="new", date="2026-03-01")
    assert [pace.device for pace in measured_paces([old, new])] == ["new", "old"]
    assert measured_paces([old, new])[1].source == "measured on old on 2026-02-28"
    both = [old, replace(new, device="old", precision="bf16")]
    assert measured_paces(both)[0].source == "measured on old on 2026-02-28 to 2026-03-01"


@pytest.fixture
def counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ship counts of one training: 712 TFLOP a unit, a unit for every two seconds of cost."""
    path = tmp_path / "flops.json"
    keep(path, [measured(training(), flops=712e12)])
    monkeypatch.setattr(module, "COUNTS", path)
    monkeypatch.setattr(module, "own_devices", lambda: ["some processor"])
    return path


@pytest.mark.usefixtures("counts")
def test_peak_figures_turn_operations_into_seconds() -> None:
    pace = peak_pace("RTX 3090")
    table = gpu_table()
    peak, share = table.gpus["RTX 3090"], table.utilisation
    assert pace.estimate(training(cost=4.0)).seconds == pytest.approx(2 * 712 / (peak.fp32 * share["fp32"]))
    assert pace.gpu
    assert "computed from peak figures of RTX 3090" in pace.source
    assert "not measured" in pace.source


@pytest.mark.usefixtures("counts")
def test_precisions_of_a_gpu_have_peaks_of_their_own_and_a_missing_one_is_as_slow_as_fp32() -> None:
    rates = {rate.precision: rate.ratio for rate in peak_pace("H100").rates}
    assert rates["fp32"] > rates["tf32"] > rates["bf16"]
    rates = {rate.precision: rate.ratio for rate in peak_pace("V100").rates}
    assert rates["fp32"] == rates["tf32"] == rates["bf16"]


def test_work_without_operations_takes_what_was_expected(counts: Path) -> None:
    label = Stage("label", "labels", "m:label", 1, {}, cost=10.0)
    keep(counts, [measured(label, flops=0.0)])
    assert peak_pace("T4").estimate(replace(label, cost=70.0)) == (70.0, "kind")


def test_without_counts_there_are_no_peak_figures(counts: Path) -> None:
    counts.unlink()
    with pytest.raises(BenchmarkError, match="no operations were counted"):
        peak_pace("T4")


def found(store: Store, gpu: str | None = None) -> str:
    pace = find_pace([training()], "another profile", store, gpu)
    assert pace
    return pace.device


def test_what_was_measured_here_comes_before_elsewhere_before_peak_figures(
    counts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "a" / "store")
    assert found(store) == "RTX 3090"
    monkeypatch.setattr(module, "own_devices", lambda: ["NVIDIA A100-SXM4-80GB"])
    assert found(store) == "A100"
    keep(measurements_file(store), [measured(training(), device="elsewhere", date="2027-01-01")])
    assert found(store) == "elsewhere"
    keep(measurements_file(store), [measured(training(), device="NVIDIA A100-SXM4-80GB")])
    assert found(store) == "NVIDIA A100-SXM4-80GB"
    # A measurement of other work does not count.
    keep(measurements_file(store), [measured(training({"size": 1}), device="another", date="2028-01-01")])
    monkeypatch.setattr(module, "own_devices", lambda: ["another"])
    assert found(store) == "elsewhere"


@pytest.mark.usefixtures("counts")
def test_a_gpu_that_is_named_is_the_measured_one_if_there_is_one(tmp_path: Path) -> None:
    store = Store(tmp_path / "a" / "store")
    assert found(store, "rtx3090") == "RTX 3090"
    assert found(store, "h200") == "H200"
    keep(measurements_file(store), [measured(training(), device="NVIDIA H200")])
    assert found(store, "H200") == "NVIDIA H200"
    assert found(store, "T4") == "T4"
    with pytest.raises(BenchmarkError, match=r"unknown GPU 'H2000'.*Did you mean 'H200'"):
        found(store, "H2000")


@pytest.mark.usefixtures("counts")
def test_of_other_work_nothing_is_known(tmp_path: Path) -> None:
    assert find_pace([training({"size": 64})], "mini", Store(tmp_path / "store"), None) is None
    named = find_pace([training({"size": 64})], "mini", Store(tmp_path / "store"), "T4")
    assert named
    assert named.estimate(training({"size": 64})).basis == "function"


def test_the_shipped_table_is_sound() -> None:
    table = gpu_table()
    assert set(table.utilisation) == {"fp32", "tf32", "bf16"}
    assert table.default in table.gpus
    assert {"RTX 3090", "RTX 4090", "RTX A6000", "T4", "V100", "A100", "H100", "H200"} <= set(table.gpus)
    assert all(0 < share <= 1 for share in table.utilisation.values())
    assert all(gpu.source for gpu in table.gpus.values())
