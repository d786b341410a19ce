"""Several processes: where they find themselves, what they agree on, and that they give what one process gives."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmark.datasets import load_dataset
from benchmark.errors import BenchmarkError
from benchmark.stage import Stage
from methods.training import distributed
from methods.weights.checkpoints import MODEL_FILE
from tests.methods.support import FakeContext, Few, plan, run


def test_a_process_that_nobody_launched_is_alone() -> None:
    assert (distributed.rank(), distributed.size()) == (0, 1)
    assert distributed.added([1.5, 2.0], "cpu") == [1.5, 2.0]


def test_processes_that_cannot_share_the_ranks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "size", lambda: 4)
    distributed.check_share(8)
    with pytest.raises(BenchmarkError, match=r"1 rank, which 4 processes .* to a multiple of 4"):
        distributed.check_share(1)
    with pytest.raises(BenchmarkError, match="6 ranks"):
        distributed.check_share(6)


def test_gradients_are_added_in_the_layout_of_their_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    def doubled(flat: Tensor) -> None:
        flat *= 2

    monkeypatch.setattr(distributed, "size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_reduce", doubled)
    conv, unused, here = (nn.Parameter(torch.randn(shape)) for shape in ((4, 3, 3, 3), (5,), (2, 2)))
    conv.data = conv.data.to(memory_format=torch.channels_last)
    conv.grad = torch.randn(4, 3, 3, 3)
    here.grad = torch.randn(2, 2)
    expected = 2 * conv.grad
    distributed.add_gradients([conv, unused, here])
    torch.testing.assert_close(conv.grad, expected)
    assert unused.grad is None

    def from_elsewhere(flat: Tensor) -> None:
        flat += 1
        flat[-3:] = torch.tensor([0, 1, 0])  # the other process has a gradient where this one has none

    conv.grad = None
    monkeypatch.setattr(torch.distributed, "all_reduce", from_elsewhere)
    distributed.add_gradients([conv, unused, here])
    assert conv.grad is not None
    assert conv.grad.is_contiguous(memory_format=torch.channels_last)
    assert (conv.grad == 1).all()


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def jobs(world: int, root: Path) -> dict[str, Stage]:
    """Two trainings in ``world`` groups, with dropout and trained batch norms; their input is made in ``root``."""
    common = {"training.batch": 2 * world, "training.emulate_world_size": world, "simformer.points": 20}
    stages = {
        "pairs": plan("simformer", "", {**common, "simformer.teacher_bn": "eval"}).inputs["model"],
        "supervised": plan("fully_oracle", "", common).inputs["model"],
    }
    for stage in stages.values():
        run(stage.inputs["backbone"], root, Few(load_dataset("mini"), 12))
    return stages


def described(stage: Stage, root: Path, **extra: Any) -> dict[str, Any]:
    inputs = {role: str(root / parent.key / "out") for role, parent in stage.inputs.items()}
    return {"function": stage.function, "params": dict(stage.params), "inputs": inputs, **extra}


def start(folder: Path, content: Mapping[str, Any], processes: int) -> list[dict[str, str]]:
    """Run the jobs on so many processes that meet on this machine; return how each process says they ended."""
    (folder / "scratch").mkdir(parents=True, exist_ok=True)
    (folder / "scratch" / "jobs.json").write_text(json.dumps(content))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    command = [sys.executable, "-m", "tests.methods.together", str(folder / "scratch")]
    running = []
    for rank in range(processes):
        place = {"RANK": str(rank), "WORLD_SIZE": str(processes), "LOCAL_RANK": str(rank)}
        environment = {**os.environ, **meeting, **place, "OMP_NUM_THREADS": "1"}
        running.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
    outputs = [process.communicate(timeout=300)[0] for process in running]
    assert [process.returncode for process in running] == [0] * processes
    return [json.loads(output.splitlines()[-1]) for output in outputs]


def weights(context: FakeContext) -> dict[str, Tensor]:
    return load_file(context.out / MODEL_FILE)


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "world"), [(2, 4), (4, 4)])
def test_processes_give_what_one_process_gives_but_for_rounding(processes: int, world: int, tmp_path: Path) -> None:
    stages = jobs(world, tmp_path)
    ends = start(tmp_path / "together", {name: described(stage, tmp_path) for name, stage in stages.items()}, processes)
    assert ends == [dict.fromkeys(stages, "done")] * processes
    for name, stage in stages.items():
        alone = run(stage, tmp_path, Few(load_dataset("mini"), 12))
        folder = tmp_path / "together" / "scratch" / name
        assert sorted(path.name for path in folder.iterdir()) == ["curves 0.json", "out", "scratch"]
        found = load_file(folder / "out" / MODEL_FILE)
        for key, value in weights(alone).items():  # four steps move a weight by up to 0.007
            torch.testing.assert_close(found[key], value, rtol=0, atol=5e-4, msg=f"{name}: {key}")
        curves = json.loads((folder / "curves 0.json").read_text())
        assert all(
            curves[str(step)] == pytest.approx(point, rel=1e-5, abs=1e-5) for step, point in alone.curves.items()
        )


@pytest.mark.slow
def test_two_groups_on_two_processes_are_exact_and_go_on_from_a_stop_on_either(tmp_path: Path) -> None:
    stages = jobs(2, tmp_path)
    whole = {name: described(stage, tmp_path) for name, stage in stages.items()}
    stopped = described(stages["pairs"], tmp_path, stop_at={"1": 2})
    ends = start(tmp_path / "together", {**whole, "stopped": stopped}, processes=2)
    assert ends == [{"pairs": "done", "supervised": "done", "stopped": "stopped after 2 steps"}] * 2
    folder = tmp_path / "together" / "scratch"
    expected = {name: weights(run(stage, tmp_path, Few(load_dataset("mini"), 12))) for name, stage in stages.items()}
    for name, values in expected.items():
        found = load_file(folder / name / "out" / MODEL_FILE)
        assert all(torch.equal(value, found[key]) for key, value in values.items()), name
    # The second half on one process: the queue and the statistics of both groups must be in the checkpoint.
    (folder / "stopped").rename(tmp_path / "again")
    shutil.rmtree(tmp_path / stages["pairs"].key)
    (tmp_path / "again").rename(tmp_path / stages["pairs"].key)
    resumed = run(stages["pairs"], tmp_path, Few(load_dataset("mini"), 12))
    assert sorted(resumed.curves) == [3, 4]
    found = weights(resumed)
    assert all(torch.equal(value, found[key]) for key, value in expected["pairs"].items())
