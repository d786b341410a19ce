"""A queue of Slurm that takes jobs and runs none."""

from pathlib import Path

from tests.benchmark.execute.cluster.fake_slurm import FakeSlurm


class Queue:
    """An sbatch that gives out numbers from 101 on and keeps what it is given; squeue shows what a test says."""

    def __init__(self, slurm: FakeSlurm, folder: Path) -> None:
        self._slurm, self._folder = slurm, folder / "jobs"
        self._folder.mkdir()
        slurm.answers("scontrol", "MaxArraySize            = 1001\n")
        self.holds()
        self.accepts(100)

    def accepts(self, jobs: int) -> None:
        """Take so many submissions and refuse the others."""
        self._slurm.script(
            "sbatch",
            f"cd '{self._folder}'",
            "n=$(( $(ls *.sh 2>/dev/null | wc -l) + 101 ))",
            f'[ $n -le {100 + jobs} ] || {{ echo "sbatch: error: QOSMaxSubmitJobPerUserLimit" >&2; exit 1; }}',
            "cp $1 $n.sh; env >$n.env",
            "echo Submitted batch job $n",
        )

    def holds(self, **jobs: str) -> None:
        """Let squeue show jobs: ``_12_3="RUNNING name"``."""
        lines = (f"{job[1:]}|{state.split()[0]}|None|n1|{state.split()[1]}\n" for job, state in jobs.items())
        self._slurm.answers("squeue", "".join(lines))

    def script(self, number: int) -> list[str]:
        return (self._folder / f"{number}.sh").read_text().splitlines()

    def options(self, number: int) -> dict[str, str]:
        lines = (line.removeprefix("#SBATCH --") for line in self.script(number) if line.startswith("#SBATCH"))
        return {name: value for name, _, value in (line.partition("=") for line in lines)}

    def environment(self, number: int) -> dict[str, str]:
        lines = (self._folder / f"{number}.env").read_text().splitlines()
        return {name: value for name, _, value in (line.partition("=") for line in lines)}
