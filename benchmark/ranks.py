"""Where a process stands among those that make a stage together."""

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from benchmark.errors import BenchmarkError


class ProcessRank(NamedTuple):
    """A process among those of a team.

    Attributes:
        rank: 0 is the first, which leads.
        size: number of processes.
        local: rank among those on the same node.
        init_method: URL at which they find each other.
        team: the same text for all processes of one launch, and another one for every launch.
    """

    rank: int = 0
    size: int = 1
    local: int = 0
    init_method: str = "env://"
    team: str = ""

    def among(self, shares: int) -> "ProcessRank":
        """Return the rank among those that so many equal shares of work need; from rank ``size`` on there is none."""
        return self._replace(size=team_size(self.size, shares))


ALONE = ProcessRank()


def team_size(processes: int, shares: int) -> int:
    """Return how many of the processes can divide so many shares equally."""
    return max(size for size in range(1, min(processes, shares) + 1) if shares % size == 0)


def find_process_rank(environment: Mapping[str, str] = os.environ) -> ProcessRank:
    """Return where torchrun, srun or this harness has put this process; the only one, where none has started it."""
    if "WORLD_SIZE" in environment:
        rank, size, local = (int(environment[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
        return ProcessRank(rank, size, local, team=_launch(environment)) if size > 1 else ALONE
    size = int(environment.get("SLURM_STEP_NUM_TASKS", "1"))
    if size == 1:
        return ALONE
    job, step, rank, local = (int(environment[f"SLURM_{name}"]) for name in ("JOB_ID", "STEP_ID", "PROCID", "LOCALID"))
    host = environment.get("MASTER_ADDR") or _first_host(environment["SLURM_STEP_NODELIST"])
    port = environment.get("MASTER_PORT") or 20_000 + (job + 101 * step) % 20_000  # trainings may share a node
    team = f"{job}.{step}.{environment.get('SLURM_RESTART_COUNT', '0')}"
    return ProcessRank(rank, size, local, f"tcp://{host}:{port}", team)


def refuse_rival_runners(environment: Mapping[str, str] = os.environ) -> None:
    """Raise BenchmarkError in one of several processes of torchrun: each of them would begin a run of its own."""
    size = environment.get("WORLD_SIZE", "")
    if not size.isdecimal() or int(size) <= 1:
        return
    here = environment.get("LOCAL_WORLD_SIZE", size)
    raise BenchmarkError(
        f"this process is one of {size} that torchrun has started (WORLD_SIZE={size}, "
        f"RANK={environment.get('RANK', '?')}), and each would be a run of its own. Start one process without "
        f"torchrun: `python -m benchmark run --processes {here}` shares every training that can be divided among "
        f"{here} processes of this machine. Where each is meant to be a run of its own, unset WORLD_SIZE."
    )


def _launch(environment: Mapping[str, str]) -> str:
    """Return what tells torchrun's launches apart."""
    names = ("TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT", "MASTER_ADDR", "MASTER_PORT")
    return environment.get("BENCHMARK_TEAM") or ".".join(environment.get(name, "") for name in names)


def _first_host(nodes: str) -> str:
    """Return ``n07`` for Slurm's ``n[07-08,11]`` and for ``n07,m1``."""
    return re.sub(r"^([^,\[]*)(?:\[([^-,\]]*).*|,.*)?$", r"\1\2", nodes)
