"""A stage is timed by its own progress, ended when enough was seen, and leaves nothing behind."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmark.costs.running import WARM_UP, Limits, Stopwatch, make_inputs, measure_stage
from benchmark.errors import BenchmarkError
from benchmark.plan import Plan, build_plan
from benchmark.stage import Stage, StageContext, StageInterrupted
from benchmark.store import Store
from tests.benchmark import toy
from tests.benchmark.costs import support


class Clock:
    """Time that passes when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def watch(units: int, seconds: float = 1e9) -> tuple[Stopwatch, Clock]:
    clock = Clock()
    return Stopwatch(Limits(units, seconds), lambda: None, clock), clock


def run(stopwatch: Stopwatch, clock: Clock, durations: list[float], units: int = 1000) -> int:
    """Let units of so many seconds pass; return how many there were when the stopwatch ended it."""
    for done, seconds in enumerate(durations, start=1):
        clock.now += seconds
        try:
            stopwatch.progress(done, units)
        except StageInterrupted:
            return done
    return len(durations)


def test_units_after_the_warm_up_are_timed_and_then_it_ends() -> None:
    stopwatch, clock = watch(units=4)
    assert run(stopwatch, clock, [50.0] * WARM_UP + [2.0, 3.0, 4.0, 3.0] + [99.0] * 5) == WARM_UP + 4
    timing = stopwatch.timing()
    assert (timing.seconds, timing.measured, timing.units) == (3.0, 4, 1000)


def test_slow_units_are_few() -> None:
    stopwatch, clock = watch(units=20, seconds=10)
    assert run(stopwatch, clock, [60.0] * 20) == 2  # one to warm up, one that counts
    assert stopwatch.timing()[:2] == (60.0, 1)


@pytest.mark.parametrize(
    ("durations", "seconds", "measured"),
    [([9.0, 1.0, 2.0, 3.0], 3.0, 1), ([9.0, 1.0, 2.0], 1.5, 2), ([9.0, 4.0], 4.0, 1), ([9.0], 9.0, 1)],
)
def test_a_stage_that_ends_too_soon_gives_what_it_can(durations: list[float], seconds: float, measured: int) -> None:
    stopwatch, clock = watch(units=20)
    assert run(stopwatch, clock, durations, units=len(durations)) == len(durations)
    assert stopwatch.timing()[:3] == (seconds, measured, len(durations))


def test_a_stage_that_says_nothing_is_one_unit() -> None:
    stopwatch, clock = watch(units=20)
    clock.now += 7
    assert stopwatch.timing()[:3] == (7.0, 1, 1)


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    support.install(monkeypatch)
    monkeypatch.setenv("TOY_CALLS", str(tmp_path / "calls"))
    profile = toy.profile(tmp_path, "toy: {steps: 1000}\n")
    return build_plan([toy.table(tmp_path, splits="S1")], "mini", profile, (0,))


def stage_of(plan: Plan, kind: str) -> Stage:
    return next(stage for stage in plan.stages if stage.kind == kind)


def test_a_stage_runs_as_long_as_needed_and_leaves_only_its_inputs(plan: Plan, tmp_path: Path) -> None:
    stage, store = stage_of(plan, "train"), Store(tmp_path / "store")
    make_inputs(plan, stage, store)
    timing = measure_stage(stage, plan, store, Limits(units=5, seconds=60), "cpu")
    assert (timing.measured, timing.units) == (5, 1000)
    assert timing.seconds > 0
    assert timing.memory > 1 << 20
    assert list(store.keys()) == [stage_of(plan, "prepare").key]
    assert not list((store.root / "work").iterdir())
    assert toy.calls() == ["prepare", "train"]


def test_what_fails_leaves_nothing_behind_either(plan: Plan, tmp_path: Path) -> None:
    stage, store = stage_of(plan, "train"), Store(tmp_path / "store")
    make_inputs(plan, stage, store)
    broken = replace(stage, params={**stage.params, "mode": "fail"})
    with pytest.raises(RuntimeError, match="the toy is broken"):
        measure_stage(broken, plan, store, Limits(5, 60), "cpu")
    assert len(list(store.root.glob("stages/*/*"))) == 1
    assert not list((store.root / "work").iterdir())


def test_inputs_that_cannot_be_made_are_named(plan: Plan, tmp_path: Path) -> None:
    training = stage_of(plan, "train")
    broken = replace(training, params={**training.params, "mode": "fail"})
    evaluation = replace(stage_of(plan, "evaluate"), inputs={"model": broken})
    with pytest.raises(BenchmarkError, match="'evaluation S1' needs could not be made: RuntimeError: the toy"):
        make_inputs(plan, evaluation, Store(tmp_path / "store"))


@pytest.mark.slow
def test_products_of_one_unit_are_counted(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def train(context: StageContext) -> Mapping[str, Any]:
        layer = torch.nn.Linear(3, 5, bias=False)
        for step in range(50):
            layer(torch.ones(2, 3)).sum().backward()
            with torch.inference_mode():
                layer(torch.ones(7, 3))
            context.progress(step + 1, 50)
        return {}

    monkeypatch.setattr(toy, "train", train)
    stage, store = stage_of(plan, "train"), Store(tmp_path / "store")
    make_inputs(plan, stage, store)
    timing = measure_stage(stage, plan, store, Limits(units=2, seconds=60, flops=True), "cpu")
    # A multiplication and an addition each: forward, and backward to the weights; then without gradients.
    assert timing.flops == 2 * (2 * 3 * 5 + 2 * 3 * 5 + 7 * 3 * 5)
    assert timing.measured == 2
    assert measure_stage(stage, plan, store, Limits(units=2, seconds=60), "cpu").flops is None


def test_a_dataset_of_files_is_read_anew_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmark.costs.photographs import stand_in
    from benchmark.datasets.files import FileDataset

    support.install(monkeypatch)
    monkeypatch.setenv("TOY_CALLS", str(tmp_path / "calls"))
    seen: list[FileDataset] = []

    def train(context: StageContext) -> Mapping[str, Any]:
        context.training_view().image("train0")
        seen.append(context._dataset)  # type: ignore[attr-defined]
        return {}

    monkeypatch.setattr(toy, "train", train)
    drawn = stand_in("msrc21", tmp_path / "data", 2)
    found = build_plan(
        [toy.table(tmp_path, splits="S1")], drawn.source, toy.profile(tmp_path), (0,), data_root=drawn.root
    )
    stage, store = stage_of(found, "train"), Store(tmp_path / "store")
    make_inputs(found, stage, store)
    measure_stage(stage, found, store, Limits(1, 1), "cpu")
    assert seen[0].image_reader()._held.held == 0  # type: ignore[attr-defined]
