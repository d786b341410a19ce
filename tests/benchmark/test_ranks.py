"""Where a process finds itself among others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.errors import BenchmarkError
from benchmark.ranks import ProcessRank, find_process_rank, refuse_rival_runners, team_size

SLURM = {
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_PROCID": "2",
    "SLURM_LOCALID": "0",
    "SLURM_JOB_ID": "77",
    "SLURM_STEP_ID": "1",
}


def test_a_process_that_nobody_launched_is_alone() -> None:
    assert find_process_rank({}) == ProcessRank(0, 1, 0)
    assert find_process_rank({"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}) == ProcessRank()  # a batch script is no step


def test_a_worker_that_was_started_alone_is_alone_whatever_launched_its_parent() -> None:
    assert find_process_rank({**SLURM, "WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"}) == ProcessRank()


def test_torchrun_says_where_a_process_is() -> None:
    process = find_process_rank({"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1"})
    assert process[:4] == (5, 8, 1, "env://")


@pytest.mark.parametrize(
    ("nodes", "host"),
    [("n7", "n7"), ("n[07-08,11]", "n07"), ("gpu-a[3,5]", "gpu-a3"), ("a1,b2", "a1"), ("rack1-n[1-2],x", "rack1-n1")],
)
def test_srun_says_where_a_process_is(nodes: str, host: str) -> None:
    assert find_process_rank({**SLURM, "SLURM_STEP_NODELIST": nodes})[:4] == (2, 4, 0, f"tcp://{host}:20178")


def test_steps_of_a_job_meet_at_different_ports_unless_one_is_given() -> None:
    other = find_process_rank({**SLURM, "SLURM_STEP_ID": "2", "SLURM_STEP_NODELIST": "n7"})
    assert other.init_method == "tcp://n7:20279"
    assert find_process_rank({**SLURM, "MASTER_ADDR": "x", "MASTER_PORT": "9"}).init_method == "tcp://x:9"


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"SLURM_PROCID": "3", "SLURM_LOCALID": "1"}, True),
        ({"SLURM_STEP_ID": "2"}, False),
        ({"SLURM_JOB_ID": "78"}, False),
        ({"SLURM_RESTART_COUNT": "1"}, False),
    ],
)
def test_processes_of_one_launch_share_the_name_of_their_team(change: dict[str, str], same: bool) -> None:
    meeting = {**SLURM, "MASTER_ADDR": "x"}
    assert (find_process_rank(meeting).team == find_process_rank({**meeting, **change}).team) is same


def test_launches_of_torchrun_and_of_the_harness_have_names_of_their_own() -> None:
    one = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "x", "MASTER_PORT": "1"}
    others = [{"MASTER_PORT": "2"}, {"TORCHELASTIC_RUN_ID": "a"}, {"TORCHELASTIC_RESTART_COUNT": "1"}]
    assert len({find_process_rank({**one, **change}).team for change in ({}, *others, {"BENCHMARK_TEAM": "b"})}) == 5


@pytest.mark.parametrize("environment", [{}, {"WORLD_SIZE": "1"}, {"WORLD_SIZE": "x"}, SLURM])
def test_a_process_that_is_a_run_of_its_own_may_run(environment: dict[str, str]) -> None:
    refuse_rival_runners(environment)


def test_processes_of_torchrun_are_told_how_many_one_run_takes() -> None:
    with pytest.raises(BenchmarkError) as caught:
        refuse_rival_runners({"WORLD_SIZE": "8", "RANK": "5", "LOCAL_WORLD_SIZE": "4"})
    assert "one of 8 that torchrun has started (WORLD_SIZE=8, RANK=5)" in str(caught.value)
    assert "`python -m benchmark run --processes 4`" in str(caught.value)


@given(st.integers(1, 64), st.integers(1, 64))
def test_a_team_is_the_largest_that_divides_the_shares(processes: int, shares: int) -> None:
    size = team_size(processes, shares)
    assert size <= processes
    assert shares % size == 0
    assert not [n for n in range(size + 1, processes + 1) if n <= shares and shares % n == 0]


def test_processes_beyond_the_shares_have_no_part() -> None:
    processes = [ProcessRank(rank, 4).among(6) for rank in range(4)]
    assert [process.rank < process.size for process in processes] == [True, True, True, False]
    assert ProcessRank(1, 4).among(1).size == 1
