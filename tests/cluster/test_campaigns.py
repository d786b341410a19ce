"""A table made on a cluster: submitted and forgotten, by two users at once, with a failure in it."""

from pathlib import Path

import pytest

from benchmark.store import Store
from tests.cluster.conftest import Lab
from tests.cluster.support import Bench

pytestmark = pytest.mark.slow


def test_table_2_is_submitted_forgotten_and_collected(slurm: Lab, tmp_path: Path) -> None:
    bench = Bench(tmp_path, "--splits", "S4", table="2")
    bench.submit()
    cells = bench.status()["tables"][0]["cells"]
    assert cells["queued"] + cells["running"] == 3
    bench.wait(lambda: not bench.jobs(), "Table 2 is made", patience=400)
    assert bench.status()["tables"][0]["cells"]["done"] == 3
    alone = Store(tmp_path / "alone")
    bench.call("run", "--table", "2", *bench.selection, "--executor", "inline", "--no-mlflow", store=alone)
    assert bench.csv() == bench.csv(alone)


def test_two_runs_at_once_make_no_stage_twice(slurm: Lab, reference: Store, tmp_path: Path) -> None:
    bench = Bench(tmp_path, "--splits", "S4,S5", pause=0.0)
    runs = [bench.start("run", *bench.run_options(), "--wait", "--store", str(bench.store.root)) for _ in range(2)]
    ends = [(*process.communicate(timeout=180), process.returncode) for process in runs]
    assert [code for _, _, code in ends] == [0, 0], ends
    tables = ["\n".join(out.splitlines()[1:]) for out, _, _ in ends]  # without the campaign's name
    assert tables[0] == tables[1]
    assert "Walk" in tables[0]
    assert [len(bench.store.attempts(key)) for key in bench.stages().values()] == [1] * 5
    bench.settled()
    assert bench.csv() == bench.csv(reference)


def test_a_failure_blocks_its_dependents_alone_and_is_retried_by_hand(
    slurm: Lab, reference: Store, tmp_path: Path
) -> None:
    bench = Bench(tmp_path, "--splits", "S4,S5", pause=0.0)
    (bench.faults / "S4").touch()
    campaign = bench.submit()
    keys = bench.stages()
    bench.settled()
    failed, blocked = keys["walk S4, seed 0"], keys["evaluation S4, seed 0"]
    assert bench.states(failed) == ["failed"]  # once: it would fail again
    assert len(campaign.rounds()) == 1
    status = bench.status()
    states = {stage["key"]: stage["state"] for stage in status["stages"]}
    assert (states[failed], states[blocked]) == ("failed", "blocked")
    assert {state: n for state, n in status["tables"][0]["cells"].items() if n} == {"done": 1, "failed": 1}
    assert "RuntimeError: the way is blocked" in bench.call("logs", failed[:8])
    job = bench.call("logs", blocked[:8])  # it has no log of its own: that of its job is shown
    assert f"blocked: walk S4, seed 0 [{failed[:8]}] failed: RuntimeError: the way is blocked" in job
    bench.call("retry", code=5)
    (bench.faults / "S4").unlink()
    bench.call("retry", "--failed")
    bench.settled()
    assert bench.states(failed) == ["failed", "done"]
    assert bench.csv() == bench.csv(reference)
