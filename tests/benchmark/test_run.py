"""The verb ``run`` in real processes: what is asked of it when things are killed, full, shared or missing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmark.arithmetic import level
from benchmark.cli import main
from benchmark.store import Store
from tests.benchmark import toy
from tests.benchmark.processes import alive

SLOW = ("--set", "toy.steps=100", "--set", "toy.pause=0.02")
PATIENCE = 30.0


class Bench:
    """The command line with the toys, one store, one table; processes are ended with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(folder / "store")
        self.options = ["--profile", toy.profile(folder), "--store", str(self.store.root)]
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str, table: str = "", verb: str = "run") -> "subprocess.Popen[str]":
        table = table or toy.table(self.folder)
        command = [sys.executable, "-m", "tests.benchmark.toy_cli", verb, *self.options, "--table", table, *arguments]
        mirror = ["--no-mlflow"] if verb == "run" else []
        process = subprocess.Popen(
            [*command, *mirror],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def run(self, *arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        process = self.start(*arguments, **options)
        out, err = process.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def reached(self, kind: str) -> str:
        """Wait until a stage of that kind has a checkpoint and return its key."""
        return str(wait_for(lambda: list(self._with_checkpoint(kind)))[0])

    def _with_checkpoint(self, kind: str) -> Iterator[str]:
        for path in self.store.root.glob("work/*/scratch/step.json"):
            key = path.parents[1].name
            if self.store.spec(key)["kind"] == kind:
                yield key

    def pid_of(self, key: str) -> int:
        return int(self.store.attempts(key)[-1]["pid"])


def wait_for(condition: Any) -> Any:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("TOY_CALLS", str(tmp_path / "calls"))
    made = Bench(tmp_path)
    yield made
    for process in made.processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_a_run_makes_its_cells_and_a_second_one_computes_nothing(bench: Bench) -> None:
    first = bench.run("--workers", "2")
    assert first.returncode == 0, first.stderr
    assert first.stdout == "table t: 2 done\n"
    assert "2 of 2 cells done; 5 stages of 5 made now" in first.stderr
    assert f"wrote {bench.folder / 'results' / 'mini-toy' / 'table.csv'}" in first.stderr
    made = toy.calls()
    second = bench.run()
    assert (second.returncode, second.stdout) == (0, first.stdout)
    assert "0 stages of 5 made now" in second.stderr
    assert toy.calls() == made


def test_failures_are_told_with_their_logs_and_do_not_stop_the_others(bench: Bench) -> None:
    rows = "[{label: A, method: toy}, {label: B, method: toy, variant: broken}, {label: C, method: x, optional: true}]"
    done = bench.run("--workers", "1", table=toy.table(bench.folder, rows=rows))
    assert done.returncode == 1
    assert done.stdout == "table t: 2 done\n"
    lines = done.stderr.splitlines()
    failed = [i for i, line in enumerate(lines) if line.startswith("failed: ")]
    assert len(failed) == 2
    assert lines[failed[0]].endswith("RuntimeError: the toy is broken")
    assert "the toy is broken" in Path(lines[failed[0] + 1].removeprefix("  log: ")).read_text()
    assert "2 stages not tried" in done.stderr
    assert "2 cells cannot be made (C: not available yet)" in done.stderr
    quiet = bench.run("--quiet", "--workers", "1", table=toy.table(bench.folder, rows=rows))
    assert quiet.returncode == 1
    assert all("broken" in line or "log" in line or "not tried" in line for line in quiet.stderr.splitlines())


@pytest.mark.parametrize("named", [False, True])
def test_retry_calls_the_last_run_again_and_that_goes_on(bench: Bench, named: bool) -> None:
    process = bench.start("--workers", "1", *SLOW)
    key = bench.reached("train")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    words = [key[:12]] if named else []
    command = [sys.executable, "-m", "tests.benchmark.toy_cli", "retry", "--store", str(bench.store.root), *words]
    root = Path(__file__).parents[2]
    again = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=root, check=False)
    assert (again.returncode, again.stdout) == (0, "table t: 2 done\n"), again.stderr
    assert again.stderr.startswith(f"python -m benchmark run --table {bench.folder}/table_t.yaml --dataset mini")
    assert "--workers 1 --processes 1 --no-mlflow" in again.stderr
    assert bench.store.result(key)["summary"]["begin"] > 0


def test_retry_rounds_as_the_last_run_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_ARITHMETIC", "portable")
    store = tmp_path / "store"
    store.mkdir()
    levels: list[str] = []

    def run(*_: Any, **__: Any) -> int:
        levels.append(level())
        return 0

    last = {"arguments": ["--store", str(store)], "directory": str(tmp_path), "began": 0.0}
    monkeypatch.setattr("benchmark.commands.run.command.main", run)
    for record, expected in (({**last, "arithmetic": "machine"}, "machine"), (last, "portable")):
        (store / "last-run.json").write_text(json.dumps(record))
        assert main(["retry", "--store", str(store)]) == 0
        assert levels.pop() == expected


def test_cells_that_are_not_available_do_not_make_a_run_incomplete(bench: Bench) -> None:
    rows = "[{label: A, method: toy}, {label: C, method: x, optional: true}]"
    assert bench.run("--workers", "0", table=toy.table(bench.folder, rows=rows)).returncode == 0


@pytest.mark.parametrize("workers", ["0", "1"])
def test_ctrl_c_keeps_the_state_and_the_next_run_goes_on(bench: Bench, workers: str) -> None:
    process = bench.start("--workers", workers, *SLOW)
    key = bench.reached("train")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "the same command goes on" in err
    reached = json.loads((bench.store.work(key) / "scratch" / "step.json").read_text())
    assert reached > 0
    assert bench.run("--workers", "2", *SLOW).returncode == 0
    assert bench.store.result(key)["summary"]["begin"] == reached


def test_a_killed_worker_costs_one_attempt(bench: Bench) -> None:
    process = bench.start("--workers", "1", *SLOW, "--splits", "S1")
    key = bench.reached("train")
    os.kill(bench.pid_of(key), signal.SIGKILL)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "killed by SIGKILL" in err
    assert bench.store.state(key) == "failed"
    assert bench.run("--workers", "1", *SLOW, "--splits", "S1").returncode == 0
    result = bench.store.result(key)
    assert result["summary"]["begin"] > 0
    assert [one["state"] for one in result["attempts"]] == ["failed", "done"]


def test_workers_stop_when_the_run_is_killed(bench: Bench) -> None:
    process = bench.start("--workers", "1", *SLOW, "--splits", "S1")
    key = bench.reached("train")
    worker = bench.pid_of(key)
    assert worker != process.pid
    process.kill()
    process.wait()
    wait_for(lambda: not alive(worker))
    assert bench.store.state(key) == "interrupted"
    assert bench.run("--workers", "1", *SLOW, "--splits", "S1").returncode == 0
    assert bench.store.result(key)["summary"]["begin"] > 0


def test_two_runs_at_once_share_the_work(bench: Bench) -> None:
    settings = ("--workers", "2", "--set", "toy.steps=20", "--set", "toy.pause=0.02")
    table = toy.table(bench.folder, splits="S1 S2 S3")
    runs = [bench.start(*settings, table=table) for _ in range(2)]
    ends = [(*process.communicate(timeout=PATIENCE), process.returncode) for process in runs]
    assert [(out, code) for out, _, code in ends] == [("table t: 3 done\n", 0)] * 2
    assert sorted(toy.calls()) == ["evaluate"] * 3 + ["prepare"] + ["train"] * 3


@pytest.mark.parametrize("verb", ["run", "retry"])
def test_torchrun_does_not_start_rival_runs(bench: Bench, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    launched = {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    for name, value in launched.items():
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-m", "tests.benchmark.toy_cli", verb, "--store", str(bench.store.root)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=root, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: this process is one of 2 that torchrun has started (WORLD_SIZE=2, RANK=1)")
    assert "`python -m benchmark run --processes 2`" in done.stderr
    assert not bench.store.root.exists()


def test_torchrun_with_one_process_is_a_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}.items():
        monkeypatch.setenv(name, value)
    assert bench.run("--workers", "1", "--splits", "S1").stdout == "table t: 1 done\n"


def test_first_makes_one_cell_in_this_process(bench: Bench) -> None:
    done = bench.run("--first")
    assert (done.returncode, done.stdout) == (0, "table t: 1 done\n")
    assert toy.calls() == ["prepare", "train", "evaluate"]
    again = bench.run("--first")
    assert (again.returncode, again.stdout) == (0, "table t: 2 done\n")


@pytest.mark.parametrize("options", [("--executor", "inline"), ("--workers", "0")])
def test_inline_makes_everything_in_this_process(bench: Bench, options: tuple[str, ...]) -> None:
    process = bench.start(*options)
    assert process.communicate(timeout=PATIENCE)[0] == "table t: 2 done\n"
    assert {bench.store.attempts(key)[0]["pid"] for key in [*bench.store.keys()]} == {process.pid}


def test_local_workers_are_what_nobody_has_to_ask_for(bench: Bench) -> None:
    process = bench.start("--splits", "S1")
    assert process.communicate(timeout=PATIENCE)[0] == "table t: 1 done\n"
    assert process.pid not in {bench.store.attempts(key)[0]["pid"] for key in [*bench.store.keys()]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--executor", "inline", "--workers", "2"), "leave out --workers"),
        (("--executor", "inline", "--processes", "2"), "--processes and --gpus need worker processes"),
        (("--workers", "0", "--gpus", "0"), "--processes and --gpus need worker processes"),
        (("--executor", "cloud"), "'cloud' is not one of"),
        (("--gpus", "none-such"), "unknown GPU 'none-such'"),
    ],
)
def test_options_that_contradict_each_other(
    bench: Bench, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str
) -> None:
    assert main(["run", *bench.options, *options]) == 2
    assert message in capsys.readouterr().err


def test_workers_that_share_gpus_are_warned_of(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
    monkeypatch.delenv("BENCHMARK_DEVICE", raising=False)
    assert "warning: 3 processes share 2 GPUs: GPU-a, GPU-b\n" in bench.run("--workers", "3").stderr
    assert "warning" not in bench.run("--workers", "3").stderr  # there is nothing left to make


def test_a_dry_run_touches_nothing(bench: Bench) -> None:
    done = bench.run("--dry-run")
    assert done.returncode == 0
    assert "5 stages to make" in done.stdout
    assert not bench.store.root.exists()
    assert toy.calls() == []


def test_a_store_that_cannot_be_written(bench: Bench) -> None:
    (bench.folder / "file").write_text("")
    bench.options[-1] = str(bench.folder / "file" / "store")
    done = bench.run()
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: cannot write {bench.folder / 'file'}")
    assert "choose another folder with --store" in done.stderr
    assert toy.calls() == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--splits", "S9"), "splits S9: these tables have the methods toy and the splits S1, S2."),
        (("--methods", "other"), "methods other: these tables have the methods toy and the splits S1, S2."),
    ],
)
def test_nothing_selected(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    toy.install(monkeypatch)
    for verb in ("run", "plan"):
        code = main([verb, *bench.options, "--table", toy.table(bench.folder), *arguments])
        captured = capsys.readouterr()
        assert (code, captured.out) == (5, "")
        assert captured.err.startswith("Nothing matches table ")
        assert captured.err.endswith(f"{sentence}\n")


def test_tables_are_published_and_mlflow_never_fails_a_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchmark.report import publication

    told: list[str] = []

    class Broken:
        def __init__(self, store: Store) -> None:
            assert store == bench.store

        def start(self) -> None:
            told.append("start")

        def notify(self, key: str) -> None:
            told.append(key)

        def close(self, timeout: float) -> None:
            assert timeout > 0
            told.append("close")

    monkeypatch.setattr("benchmark.tracking.observer.Mirror", Broken)
    monkeypatch.setattr(publication, "publish", lambda *_: (_ for _ in ()).throw(RuntimeError("a bug")))
    toy.install(monkeypatch)
    code = main(["run", *bench.options, "--table", toy.table(bench.folder, splits="S1"), "--workers", "0"])
    assert code == 3
    assert "bug: RuntimeError: a bug; details in " in capsys.readouterr().err
    keys = set(bench.store.keys())
    assert told[0] == "start"
    assert told[-1] == "close"
    assert set(told[1:-1]) == keys
    assert len(keys) == 3
