import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark import datasets
from benchmark.errors import BenchmarkError
from benchmark.execute import machine
from benchmark.execute.attempt import make
from benchmark.execute.context import WorkContext
from benchmark.execute.curves import Curves
from benchmark.execute.display import PlainDisplay
from benchmark.execute.executor import Interrupts, counted_interrupts
from benchmark.execute.forecast import Forecast
from benchmark.execute.inline import Inline
from benchmark.execute.local import Local
from benchmark.execute.machine import available_cores, choose_device, default_workers
from benchmark.execute.messages import Event, Finished, Job, Progress, Started, decode, encode
from benchmark.execute.scheduler import Scheduler
from benchmark.execute.session import Session, job_of, make_stages
from benchmark.plan import Plan, build_plan
from benchmark.stage import Stage, StageContext
from benchmark.store import Store
from tests.benchmark import toy
from tests.benchmark.execute.support import Recorder


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    toy.install(monkeypatch)
    monkeypatch.setenv("TOY_CALLS", str(tmp_path / "calls"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def plan(folder: Path, splits: str = "S1", **overrides: Any) -> Plan:
    settings = {f"toy.{name}": value for name, value in overrides.items()}
    own = toy.table(folder, splits=splits)
    return build_plan([own], "mini", toy.profile(folder), (0,), overrides=(settings,))


def run(planned: Plan, store: Store, workers: int = 0, *observers: Any) -> Session:
    launcher = Local(workers) if workers else Inline()
    return make_stages(planned, planned.pending(store), store, launcher, observers)


def stage_of(planned: Plan, kind: str) -> Stage:
    return next(stage for stage in planned.stages if stage.kind == kind)


@pytest.mark.parametrize("workers", [0, 2])
def test_stages_are_made_once_with_all_that_belongs_to_a_result(tmp_path: Path, store: Store, workers: int) -> None:
    planned = plan(tmp_path, "S1 S2")
    session = run(planned, store, workers)
    assert {end.state for end in session.outcomes.values()} == {"done"}
    assert sorted(toy.calls()) == ["evaluate", "evaluate", "prepare", "train", "train"]
    train = stage_of(planned, "train")
    folder = store.find(train)
    assert folder
    assert {path.name for path in folder.iterdir()} >= {
        "stage.json",
        "result.json",
        "curves.jsonl",
        "log.txt",
        "model.txt",
    }
    points = [json.loads(line) for line in (folder / "curves.jsonl").read_text().splitlines()]
    assert [(point["step"], point["loss"]) for point in points] == [(0, 1.0), (1, 1 / 2), (2, 1 / 3)]
    spec, result = store.spec(train.key), store.result(train.key)
    assert spec["inputs"] == {"shared": stage_of(planned, "prepare").key}
    assert spec["cells"] == planned.uses[train.key]
    assert (spec["kind"], spec["function"], spec["version"], spec["cost"]) == (
        "train",
        "tests.benchmark.toy:train",
        1,
        2.0,
    )
    assert result["summary"] == {"begin": 0}
    assert result["finished"] >= result["started"]
    assert result["provenance"]["device"] == "cpu"
    assert result["provenance"]["dataset_digest"] == planned.dataset.digest
    assert [one["state"] for one in result["attempts"]] == ["done"]
    assert not store.work(train.key).exists()
    assert run(planned, store, workers) == Session({}, interrupted=False)
    assert len(toy.calls()) == 5


@pytest.mark.parametrize("workers", [0, 1])
def test_a_failure_costs_only_what_rests_on_it(tmp_path: Path, store: Store, workers: int) -> None:
    rows = "[{label: A, method: toy}, {label: B, method: toy, variant: broken}]"
    planned = build_plan([toy.table(tmp_path, rows=rows, splits="S1")], "mini", toy.profile(tmp_path), (0,))
    ends = run(planned, store, workers).outcomes
    by_state = {
        state: [key for key, end in ends.items() if end.state == state] for state in ("failed", "blocked", "done")
    }
    assert {state: len(keys) for state, keys in by_state.items()} == {"failed": 1, "blocked": 1, "done": 3}
    failed = ends[by_state["failed"][0]]
    assert failed.message == "RuntimeError: the toy is broken"
    assert "Traceback" in Path(failed.log).read_text()
    assert ends[by_state["blocked"][0]].message == "needs 'training S1'"
    assert store.state(failed.key) == "failed"
    assert store.attempts(failed.key)[0]["error"] == failed.message
    assert not list(store.root.glob("stages/??/.*"))
    run(planned, store, workers)
    assert [one["number"] for one in store.attempts(failed.key)] == [1, 2]
    assert toy.calls().count("prepare") == 1


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("mode", "message"), [("full_disk", "the disk is full. Nothing finished is lost"), ("exit", "SystemExit: I leave")]
)
def test_other_ways_to_fail(tmp_path: Path, store: Store, workers: int, mode: str, message: str) -> None:
    planned = plan(tmp_path, mode=mode)
    end = run(planned, store, workers).outcomes[stage_of(planned, "train").key]
    assert end.state == "failed"
    assert message in end.message
    if mode == "full_disk":
        assert str(store.root) in end.message


def test_a_killed_worker_is_named_and_replaced(tmp_path: Path, store: Store) -> None:
    rows = "[{label: A, method: toy}, {label: B, method: toy, set: {toy.mode: kill, toy.steps: 2}}]"
    planned = build_plan([toy.table(tmp_path, rows=rows, splits="S1 S2")], "mini", toy.profile(tmp_path), (0,))
    ends = run(planned, store, 1).outcomes
    failed = [end for end in ends.values() if end.state == "failed"]
    assert len(failed) == 2
    assert "killed by SIGKILL (out of memory?)" in failed[0].message
    assert store.state(failed[0].key) == "failed"
    assert "SIGKILL" in store.attempts(failed[0].key)[0]["error"]
    assert sum(end.state == "done" for end in ends.values()) == 5


def test_a_worker_that_gets_a_signal_from_outside_fails_its_stage_only(tmp_path: Path, store: Store) -> None:
    rows = "[{label: A, method: toy, set: {toy.mode: signal, toy.pause: 0.01}}, {label: B, method: toy}]"
    planned = build_plan([toy.table(tmp_path, rows=rows, splits="S1")], "mini", toy.profile(tmp_path), (0,))
    ends = run(planned, store, 1).outcomes
    failed = [end for end in ends.values() if end.state == "failed"]
    assert [end.message for end in failed] == ["stopped by a signal from outside; its state is kept"]
    assert sum(end.state == "done" for end in ends.values()) == 3


def test_a_worker_that_cannot_start_says_why(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    planned = plan(tmp_path)
    end = run(planned, store, 1).outcomes[stage_of(planned, "prepare").key]
    assert (end.state, end.message) == ("failed", "its worker process ended with exit code 1")


@pytest.mark.parametrize("workers", [0, 1])
def test_what_a_stage_prints_goes_to_its_log(
    tmp_path: Path, store: Store, workers: int, capfd: pytest.CaptureFixture[str]
) -> None:
    planned = plan(tmp_path, mode="print")
    run(planned, store, workers)
    log = store.folder(stage_of(planned, "train").key) / "log.txt"
    assert "printed by Python" in log.read_text()
    assert ("printed by a child" in log.read_text()) == (workers > 0)  # file descriptors are the process's own inline
    captured = capfd.readouterr()
    assert "printed by Python" not in captured.out
    assert ("printed by Python" in captured.err) == (workers == 0)


def job(planned: Plan, store: Store, kind: str = "prepare") -> Job:
    return job_of(stage_of(planned, kind), planned, store)


def test_a_stage_that_another_process_makes_is_busy_and_then_done(tmp_path: Path, store: Store) -> None:
    planned = plan(tmp_path)
    wanted = job(planned, store)
    store.work(wanted.key).mkdir(parents=True)
    with store.lock(wanted.key):
        assert make(wanted, print, lambda: False, lambda _: nullcontext()).state == "busy"
    assert toy.calls() == []
    assert make(wanted, print, lambda: False, lambda _: nullcontext()).state == "done"
    again = make(wanted, print, lambda: False, lambda _: nullcontext())
    assert (again.state, again.message) == ("done", "made by another run")
    assert toy.calls() == ["prepare"]


def test_a_stage_that_begins_elsewhere_at_the_same_moment_is_busy(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan(tmp_path)
    wanted = job(planned, store)
    begun = store.attempt_folder(wanted.key, 1)
    monkeypatch.setattr("benchmark.execute.attempt.mark_dead", lambda *_: begun.mkdir(parents=True))
    assert make(wanted, print, lambda: False, lambda _: nullcontext()).state == "busy"
    assert toy.calls() == []


@pytest.mark.parametrize("workers", [0, 1])
def test_an_interrupted_stage_goes_on_from_its_checkpoint(tmp_path: Path, store: Store, workers: int) -> None:
    planned = plan(tmp_path, steps=200, pause=0.01)
    key = stage_of(planned, "train").key

    def interrupt(event: Event) -> None:
        if isinstance(event, Progress) and event.key == key:
            os.kill(os.getpid(), signal.SIGINT)

    session = run(planned, store, workers, Recorder(interrupt))
    assert session.interrupted
    assert session.outcomes[key].state == "interrupted"
    assert store.state(key) == "interrupted"
    reached = json.loads((store.work(key) / "scratch" / "step.json").read_text())
    assert 0 < reached < 200
    with (store.work(key) / "curves.jsonl").open("a") as stream:  # as after a kill: beyond the checkpoint, and torn
        stream.write(f'{{"step": {reached}, "time": 0, "loss": 9}}\n{{"step": {reached + 1}, "ti')
    planned = plan(tmp_path, steps=200, pause=0.01)
    assert not run(planned, store, 2).interrupted
    assert store.result(key)["summary"] == {"begin": reached}
    assert [one["state"] for one in store.attempts(key)] == ["interrupted", "done"]
    points = [json.loads(line) for line in (store.folder(key) / "curves.jsonl").read_text().splitlines()]
    assert [point["step"] for point in points] == list(range(200))
    assert all(point["loss"] <= 1 for point in points)


def test_a_broken_checkpoint_fails_one_attempt_only(tmp_path: Path, store: Store) -> None:
    planned = plan(tmp_path)
    key = stage_of(planned, "train").key
    scratch = store.work(key) / "scratch"
    scratch.mkdir(parents=True)
    (scratch / "step.json").write_text('{"torn')
    end = run(planned, store).outcomes[key]
    assert end.state == "failed"
    assert "checkpoint was set aside" in end.message
    assert (store.attempt_folder(key, 1) / "scratch" / "step.json").is_file()
    assert run(planned, store).outcomes[key].state == "done"


def test_a_checkpoint_that_led_somewhere_is_kept_when_a_stage_fails(tmp_path: Path, store: Store) -> None:
    planned = plan(tmp_path, steps=5)
    key = stage_of(planned, "train").key
    scratch = store.work(key) / "scratch"
    scratch.mkdir(parents=True)
    (scratch / "step.json").write_text("2")
    (scratch / "step.tmp").mkdir()  # the stage cannot write its next checkpoint
    assert run(planned, store).outcomes[key].state == "failed"
    assert (scratch / "step.json").read_text() == "2"


@pytest.mark.parametrize("workers", [0, 1])
def test_a_second_interrupt_ends_at_once(
    tmp_path: Path, store: Store, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toy, "StageInterrupted", RuntimeError)
    planned = plan(tmp_path, steps=1, pause=30)  # does not look whether it should stop
    key = stage_of(planned, "train").key

    def interrupt(event: Event) -> None:
        if isinstance(event, Progress | Started) and event.key == key:
            signal.setitimer(signal.ITIMER_REAL, 0.3)

    def twice(*_arguments: object) -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGALRM, twice)
    began = time.monotonic()
    try:
        session = run(planned, store, workers, Recorder(interrupt))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - began < 15
    assert session.interrupted
    assert store.state(key) == "interrupted"


def test_interrupts_are_counted_and_handlers_restored() -> None:
    before = signal.getsignal(signal.SIGINT)
    with counted_interrupts(raise_on_second=True) as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupts.count == 1
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def context(planned: Plan, store: Store, kind: str = "prepare", **changes: Any) -> WorkContext:
    store.root.mkdir(exist_ok=True)
    return WorkContext(
        replace(job(planned, store, kind), inputs={}, **changes), store, store.root, print, lambda: False
    )


def test_training_stages_do_not_get_the_full_ground_truth(tmp_path: Path, store: Store) -> None:
    planned = plan(tmp_path)
    with pytest.raises(BenchmarkError, match=r"has access 'training'.*training_view"):
        context(planned, store).dataset()
    assert context(planned, store, "evaluate").dataset().info == planned.dataset


def test_the_training_view_hides_the_novel_classes_of_the_stage(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def view(dataset: Any, novel: Any, presence: str) -> tuple[str, Any, str]:
        return dataset.info.name, novel, presence

    monkeypatch.setattr(datasets, "TrainingView", view)
    planned = plan(tmp_path)
    novel = list(planned.splits["S1"].novel)
    found: Any = context(planned, store, "train").training_view()
    assert found == ("mini", novel, "image")
    params = {**stage_of(planned, "train").params, "presence": "crop"}
    found = context(planned, store, "train", params=params).training_view()
    assert found == ("mini", novel, "crop")


def test_data_that_changed_since_the_plan_is_an_error(tmp_path: Path, store: Store) -> None:
    planned = plan(tmp_path)
    params = {"dataset": {"name": "mini", "digest": "0" * 64}}
    with pytest.raises(BenchmarkError) as error:
        context(planned, store, "evaluate", params=params).dataset()
    assert planned.dataset.digest in str(error.value)
    assert "0" * 64 in str(error.value)


def test_root_and_source_of_the_data_come_from_the_job(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Path | None]] = []

    def load(name: str, root: Path | None) -> Any:
        asked.append((name, root))
        return SimpleNamespace(info=SimpleNamespace(digest="d", parts={}))

    monkeypatch.setattr(datasets, "load_dataset", load)
    planned = plan(tmp_path)
    for name in ("own", "another"):
        changes = {"params": {"dataset": {"name": name, "digest": "d"}}, "sources": {"own": "/a/own.yaml"}}
        context(planned, store, "evaluate", data_root="/data", **changes).dataset()
    assert asked == [("/a/own.yaml", Path("/data")), ("another", None)]


def test_a_missing_input_is_named(tmp_path: Path, store: Store) -> None:
    with pytest.raises(BenchmarkError, match="input 'shared'"):
        WorkContext(job(plan(tmp_path), store, "train"), store, tmp_path, print, lambda: False)


def test_progress_is_written_at_most_twice_a_second(tmp_path: Path, store: Store) -> None:
    planned = plan(tmp_path)
    reports: list[tuple[int, int]] = []
    wanted = job(planned, store)
    store.work(wanted.key).mkdir(parents=True)
    one = WorkContext(wanted, store, tmp_path, lambda *report: reports.append(report), lambda: False)
    for done in range(1000):
        one.progress(done, 1000)
    assert reports[0] == (0, 1000)
    assert len(reports) < 10
    assert json.loads((store.work(wanted.key) / "progress.json").read_text())["total"] == 1000


def test_the_device_is_asked_for_or_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_DEVICE", "cpu")
    assert choose_device() == "cpu"
    monkeypatch.setenv("BENCHMARK_DEVICE", "tpu")
    with pytest.raises(BenchmarkError, match="'tpu'; expected cpu or cuda"):
        choose_device()


def test_points_of_one_step_are_kept_and_earlier_steps_rewind(tmp_path: Path) -> None:
    def steps() -> list[tuple[int, list[str]]]:
        lines = (json.loads(line) for line in (tmp_path / "curves.jsonl").read_text().splitlines())
        return [(line["step"], sorted(set(line) - {"step", "time"})) for line in lines]

    curves = Curves(tmp_path / "curves.jsonl")
    for step in (0, 5, 10):
        curves.add(step, {"loss": 1.0})
    curves.add(10, {"miou": 2.0})
    assert steps() == [(0, ["loss"]), (5, ["loss"]), (10, ["loss"]), (10, ["miou"])]
    again = Curves(tmp_path / "curves.jsonl")
    again.add(10, {"loss": 3.0})
    assert steps() == [(0, ["loss"]), (5, ["loss"]), (10, ["loss"])]
    again.add(3, {"loss": 4.0})
    assert steps() == [(0, ["loss"]), (3, ["loss"])]


def test_messages_survive_the_pipe(tmp_path: Path, store: Store) -> None:
    for event in (Started("a", 2), Progress("a", 1, 3), Finished("a", "failed", 0.5, 'two\nlines "quoted"', "log")):
        line = encode(event)
        assert "\n" not in line
        assert decode(line) == event
        assert type(decode(line)) is type(event)
    wanted = job(plan(tmp_path), store)
    assert Job.decode(wanted.encode()) == wanted


class FakeExecutor:
    """Makes nothing, in time steps of its own; remembers what ran side by side."""

    def __init__(self, workers: int, emit: Callable[[Event], None], failing: set[str], store: Store) -> None:
        self._workers, self._emit, self._failing, self._store = workers, emit, failing, store
        self.running: list[Job] = []
        self.made: list[str] = []
        self.most = 0

    def idle(self) -> int:
        return self._workers - len(self.running)

    def submit(self, job: Job) -> None:
        assert set(job.inputs.values()) <= set(self.made)
        self.running.append(job)
        self.most = max(self.most, len(self.running))

    def wait(self, timeout: float) -> None:
        job = self.running.pop(0)
        if job.key not in self._failing:
            self.made.append(job.key)
        self._emit(Finished(job.key, "failed" if job.key in self._failing else "done", 1.0))

    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def close(self) -> None: ...


@given(
    st.lists(st.sets(st.integers(0, 9), max_size=3), min_size=1, max_size=10),
    st.integers(1, 3),
    st.sets(st.integers(0, 9)),
)
def test_every_stage_is_made_once_unless_it_rests_on_a_failure(
    links: list[set[int]], workers: int, failures: set[int]
) -> None:
    stages: list[Stage] = []
    for number, parents in enumerate(links):
        inputs = {str(i): stages[i] for i in parents if i < number}
        stages.append(Stage("train", "", "m:f", 1, {"number": number}, inputs))
    failing = {stages[i].key for i in failures if i < len(stages)}
    lost = set(failing)
    for stage in stages:
        if any(parent.key in lost for parent in stage.inputs.values()):
            lost.add(stage.key)
    store = Store(Path("/nonexistent"))
    planned: Any = SimpleNamespace(dataset=SimpleNamespace(name="d"), source="d", data_root=None, uses={})
    scheduler = Scheduler(stages, {stage.key: job_of(stage, planned, store) for stage in stages}, store, [])
    executor = FakeExecutor(workers, scheduler.event, failing, store)
    ends = scheduler.run(executor, Interrupts())
    assert set(ends) == {stage.key for stage in stages}
    assert sorted(executor.made) == sorted(key for key, end in ends.items() if end.state == "done")
    assert {key for key, end in ends.items() if end.state != "done"} == lost
    assert {key for key, end in ends.items() if end.state == "failed"} <= failing
    assert executor.most <= workers


def test_a_forecast_learns_from_what_was_measured() -> None:
    now = 0.0
    stages = [Stage("train", f"t{i}", "m:f", 1, {"number": i}, cost=10.0) for i in range(3)]
    forecast = Forecast(stages, 1, lambda: now)
    assert forecast.left() == 30
    forecast.event(Started(stages[0].key, 1))
    now = 20.0
    forecast.event(Finished(stages[0].key, "done", 20.0))
    assert forecast.left() == 40  # everything takes twice as long as expected
    forecast.event(Started(stages[1].key, 1))
    forecast.event(Progress(stages[1].key, 50, 100))  # resumed: the first half was done earlier
    now = 25.0
    forecast.event(Progress(stages[1].key, 75, 100))
    assert forecast.running[stages[1].key].left() == 5.0
    assert forecast.left() == pytest.approx(5 + 10 * (20 + 10) / 20)
    forecast.event(Finished(stages[1].key, "failed"))
    forecast.event(Finished(stages[2].key, "blocked"))
    assert (forecast.finished, forecast.failed, forecast.left()) == (3, 2, 0)


def test_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    stages = [Stage("train", f"stage {i}", "m:f", 1, {"number": i}, cost=10.0) for i in range(3)]
    shown = PlainDisplay(stages, 1, lambda: now)
    shown.event(Started(stages[0].key, 2))
    for now in (5.0, 21.0, 22.0):
        shown.event(Progress(stages[0].key, int(now), 100))
    shown.event(Finished(stages[0].key, "done", 75.0))
    shown.event(Finished(stages[1].key, "failed", 1.0, "why\nmore"))
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert [line.split()[0] for line in lines] == ["start", "progress", "done", "FAILED"]
    assert "attempt 2" in lines[0]
    assert "stage 0 21/100" in lines[1]
    assert "in 75 s" in lines[2]
    assert lines[3].endswith(": why")


def test_cores_are_at_least_one() -> None:
    assert 1 <= available_cores() <= (os.cpu_count() or 1)


def test_one_worker_a_gpu_unless_the_cpu_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCHMARK_DEVICE", raising=False)
    monkeypatch.setattr(machine, "NVIDIA_GPUS", tmp_path)
    assert default_workers() == available_cores()
    for name in ("0000:01:00.0", "0000:02:00.0", "0000:03:00.0"):
        (tmp_path / name).mkdir()
    assert default_workers() == 3
    monkeypatch.setenv("BENCHMARK_DEVICE", "cpu")
    assert default_workers() == available_cores()


def test_contexts_fit_the_protocol(tmp_path: Path, store: Store) -> None:
    names = [name for name in (*vars(StageContext), *StageContext.__annotations__) if not name.startswith("_")]
    found = context(plan(tmp_path), store)
    assert [name for name in names if not (hasattr(type(found), name) or hasattr(found, name))] == []


def test_results_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    planned = plan(tmp_path, "S1 S2 S3")
    contents: list[Mapping[str, bytes]] = []
    for workers in (0, 1, 3):
        store = Store(tmp_path / str(workers))
        run(planned, store, workers)
        results = store.root.glob("stages/*/*/*")
        volatile = {"result.json", "curves.jsonl", "log.txt", "attempts"}
        contents.append(
            {str(path.relative_to(store.root)): path.read_bytes() for path in results if path.name not in volatile}
        )
    assert contents[0] == contents[1] == contents[2]
    assert len(contents[0]) > 7
