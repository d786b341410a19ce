"""Which GPUs there are, and which process gets which; no GPU is needed."""

from pathlib import Path

import pytest

from benchmark.errors import BenchmarkError
from benchmark.execute import machine
from benchmark.execute.inline import Inline
from benchmark.execute.local import Local
from benchmark.execute.machine import choose_gpus, default_workers, find_gpus
from benchmark.store import Store
from tests.benchmark.execute.support import run, stage


@pytest.fixture
def gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A driver that shows four GPUs, and no variable that limits them."""
    for name in ("BENCHMARK_DEVICE", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "gpus"
    for number in range(4):
        (folder / f"0000:0{number}:00.0").mkdir(parents=True)
    monkeypatch.setattr(machine, "NVIDIA_GPUS", folder)
    return folder


@pytest.mark.parametrize(
    ("visible", "found"),
    [
        (None, ("0", "1", "2", "3")),
        ("2,0", ("2", "0")),
        ("GPU-1abc, GPU-2def", ("GPU-1abc", "GPU-2def")),
        ("MIG-3a,MIG-3b,MIG-3c", ("MIG-3a", "MIG-3b", "MIG-3c")),
        ("1,-1,2", ("1",)),
        ("", ()),
        ("-1", ()),
        ("NoDevFiles", ()),
    ],
)
@pytest.mark.usefixtures("gpus")
def test_the_users_own_list_of_gpus_counts(
    visible: str | None, found: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert find_gpus() == found


@pytest.mark.parametrize(("device", "found"), [("cpu", ()), ("cuda", ("5", "7")), ("cuda:1", ("7",)), ("cuda:2", ())])
@pytest.mark.usefixtures("gpus")
def test_the_device_that_is_asked_for_counts(
    device: str, found: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    monkeypatch.setenv("BENCHMARK_DEVICE", device)
    assert find_gpus() == found


@pytest.mark.usefixtures("gpus")
def test_gpus_are_chosen_among_those_there_are() -> None:
    assert choose_gpus(None) == ("0", "1", "2", "3")
    assert choose_gpus(("3", "1")) == ("3", "1")
    with pytest.raises(BenchmarkError, match=r"unknown GPU '4' in --gpus .*Known: 0, 1, 2, 3"):
        choose_gpus(("0", "4"))


@pytest.mark.usefixtures("gpus")
def test_as_many_stages_side_by_side_as_gpus_allow() -> None:
    assert [default_workers(processes) for processes in (1, 2, 3, 8)] == [4, 2, 1, 1]
    assert default_workers(1, ("0", "3")) == 2


def test_processes_of_a_stage_do_not_share_a_gpu() -> None:
    with pytest.raises(BenchmarkError, match=r"3 processes .* need as many GPUs; here are 2 \(0, 1\)"):
        Local(1, 3, ("0", "1"))


def test_who_shares_a_gpu_is_said() -> None:
    assert Local(3, 1, ("0", "1")).remark == "3 processes share 2 GPUs: 0, 1"
    assert Local(2, 2, ("a", "b", "c")).remark == "4 processes share 3 GPUs: a, b, c"
    assert Local(2, 1, ("0", "1")).remark == Local(8).remark == Inline().remark == ""


def test_stages_side_by_side_see_a_gpu_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,MIG-b")
    store, params = Store(tmp_path / "store"), {"meeting": str(tmp_path / "meeting"), "count": 3}
    stages = [stage("side_by_side", 1, number=number, **params) for number in range(3)]
    session = run(stages, store, Local(3, gpus=find_gpus()))
    assert {end.state for end in session.outcomes.values()} == {"done"}
    found = [store.result(one.key)["summary"]["gpu"] for one in stages]
    assert sorted(found) == ["GPU-a", "GPU-a", "MIG-b"]


def test_a_worker_without_gpus_keeps_the_users_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("BENCHMARK_DEVICE", "cpu")
    store, wanted = Store(tmp_path / "store"), stage("alone", 1)
    run([wanted], store, Local(1, gpus=find_gpus()))
    summary = store.result(wanted.key)["summary"]
    assert summary == {
        "size": 1,
        "CUDA_VISIBLE_DEVICES": "",
        "BENCHMARK_DEVICE": "cpu",
        "OMP_NUM_THREADS": "1",
        "WORLD_SIZE": "1",
    }


def test_a_number_of_a_gpu_means_nothing_to_a_worker_that_sees_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    monkeypatch.setenv("BENCHMARK_DEVICE", "cuda:1")
    store, wanted = Store(tmp_path / "store"), stage("alone", 1)
    run([wanted], store, Local(1, gpus=find_gpus()))
    summary = store.result(wanted.key)["summary"]
    assert (summary["CUDA_VISIBLE_DEVICES"], summary["BENCHMARK_DEVICE"]) == ("7", "cuda")
