from pathlib import Path

import pytest

from benchmark.execute.cluster.arrange import layout_of
from benchmark.execute.cluster.cluster_file import cluster_file_of
from benchmark.execute.cluster.sbatch import Request

TEAM = {"time": "01:00:00", "processes": 4, "nodes": 2, "gpus": 4, "cpus": 3}


def script(shares: int, gpus: int = 4) -> list[str]:
    cluster = cluster_file_of({"resources": {"default": TEAM | {"gpus": gpus}}}, "p.yaml")
    needs = cluster.resources["default"]
    layout = layout_of(needs, shares)
    code, folder = Path("/store/code"), Path("/store/slurm")
    return Request("name", cluster, needs, layout, code, folder, tracked=True).script(1).splitlines()


@pytest.mark.parametrize(
    ("shares", "nodes", "processes", "gpus"), [(8, 2, 4, 4), (4, 1, 4, 4), (2, 1, 2, 2), (6, 2, 3, 3), (1, 1, 1, 1)]
)
def test_a_stage_gets_the_processes_that_can_share_it_and_their_part_of_the_gpus(
    shares: int, nodes: int, processes: int, gpus: int
) -> None:
    lines = script(shares)
    assert f"#SBATCH --nodes={nodes}" in lines
    assert f"#SBATCH --ntasks-per-node={processes}" in lines
    assert f"#SBATCH --gpus-per-node={gpus}" in lines
    assert "#SBATCH --cpus-per-task=3" in lines


def test_a_process_never_gets_a_part_of_a_gpu() -> None:
    assert "#SBATCH --gpus-per-node=1" in script(1, gpus=2)
    assert not [line for line in script(1, gpus=0) if "gpus" in line]


@pytest.mark.parametrize("level", ["portable", "machine"])
def test_jobs_round_as_the_one_who_submits_them_was_asked_to(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_ARITHMETIC", level)
    assert f"export BENCHMARK_ARITHMETIC={level}" in script(1)
