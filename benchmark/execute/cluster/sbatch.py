"""What sbatch is given: options and lines of a job's script, written by submitit."""

import io
import os
import shlex
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from submitit import SlurmExecutor
from submitit.core.utils import FailedJobError, FailedSubmissionError

from benchmark.arithmetic import VARIABLE, level
from benchmark.errors import BenchmarkError
from benchmark.execute.cluster.arrange import TeamLayout
from benchmark.execute.cluster.cluster_file import ClusterFile, ResourceClass

_OF_JOBS = ("SLURM_", "SLURMD_", "SRUN_", "SBATCH_", "SUBMITIT_")
_DATA = "BENCHMARK_DATA_"


@dataclass(frozen=True)
class Request:
    """An array, or a single job, that Slurm is asked for.

    Attributes:
        name: of its jobs.
        cluster: the cluster file.
        needs: what each element needs.
        layout: processes of each element.
        code: folder of the code that it runs.
        folder: where submitit keeps its files.
        tracked: whether MLflow is told.
        parallel: elements that may run side by side; ``None`` is all.
        after: jobs that must have ended before.
        exclude: nodes to keep away from, beside those of the cluster file.
    """

    name: str
    cluster: ClusterFile
    needs: ResourceClass
    layout: TeamLayout
    code: Path
    folder: Path
    tracked: bool
    parallel: int | None = None
    after: Sequence[str] = ()
    exclude: Collection[str] = ()

    def script(self, count: int) -> str:
        """Return the script of so many elements."""
        executor = self._executor(count)
        if count > 1:
            executor.parameters["map_count"] = count
        text: str = executor._make_submission_file_text(executor._submitit_command_str, "")
        return text

    def submit(self, calls: Sequence[Callable[[], object]]) -> str:
        """Hand one element for each call to Slurm and return the number of the array or job.

        Raises BenchmarkError with Slurm's words where it refuses.
        """
        try:
            with outside_of_jobs(), redirect_stderr(io.StringIO()):  # submitit prints what its exception says too
                jobs = self._executor(len(calls)).submit_array(calls)
        except (FailedJobError, FailedSubmissionError, OSError) as error:
            raise BenchmarkError(str(error).strip() or "sbatch failed without a word") from error
        return str(jobs[0].job_id).partition("_")[0]

    def _executor(self, count: int) -> "_Executor":
        executor = _Executor(self.folder, python=self._python())
        executor.update_parameters(**self._parameters(count))
        return executor

    def _parameters(self, count: int) -> dict[str, Any]:
        cluster, needs, layout = self.cluster, self.needs, self.layout
        gpus = -(-needs.gpus * layout.processes // needs.processes)  # a smaller team has its share of them
        return {
            "job_name": self.name,
            "partition": needs.partition or cluster.partition,
            "account": cluster.account,
            "qos": cluster.qos,
            "constraint": cluster.constraint,
            "exclude": ",".join(filter(None, [cluster.exclude, *sorted(self.exclude)])) or None,
            "time": needs.minutes,
            "nodes": layout.nodes,
            "ntasks_per_node": layout.processes,
            "cpus_per_task": needs.cpus,
            "mem": needs.memory,
            "gpus_per_node": (f"{needs.gpu_type}:{gpus}" if needs.gpu_type else gpus) if gpus else None,
            "signal_delay_s": cluster.signal_seconds,
            "dependency": f"afterany:{':'.join(self.after)}" if self.after else None,
            "array_parallelism": self.parallel or count,
            "wckey": None,  # submitit's own would be refused where keys are checked
            "srun_args": [f"--cpus-per-task={needs.cpus}"],  # srun stopped asking sbatch for it in Slurm 22.05
            "setup": list(self._setup()),
            "additional_parameters": {"requeue": True, "chdir": str(self.code), **cluster.extra, **needs.extra},
        }

    def _setup(self) -> Iterator[str]:
        """Yield what the script does before the job's own process starts."""
        yield "set -e"
        given = {VARIABLE: level(), **_absolute_data(), **self.cluster.environment}
        yield from (_exported(name, value) for name, value in given.items())
        if not self.tracked:
            yield "unset MLFLOW_TRACKING_URI"
        yield from self.cluster.setup
        yield f"cd {shlex.quote(str(self.code))}"  # the working directory comes first where Python looks for modules
        yield f"export PYTHONPATH={shlex.quote(str(self.code))}${{PYTHONPATH:+:$PYTHONPATH}}"

    def _python(self) -> str:
        return f"{self.cluster.container} {self.cluster.python or shlex.quote(sys.executable)}".strip()


class _Executor(SlurmExecutor):
    """submitit's own, which writes a script where there is no Slurm, too."""

    @classmethod
    def affinity(cls) -> int:
        return 2


@contextmanager
def outside_of_jobs() -> Iterator[None]:
    """Forget that this process may run in a job: what a job leaves in the environment would change its successors."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(_OF_JOBS)}
    if "SLURM_CONF" in hidden:
        os.environ["SLURM_CONF"] = hidden["SLURM_CONF"]
    try:
        yield
    finally:
        os.environ.update(hidden)


def _absolute_data() -> dict[str, str]:
    """Return the variables with folders of data that are relative, which jobs start elsewhere than here."""
    folders = {name: Path(value) for name, value in os.environ.items() if name.startswith(_DATA) and value}
    return {name: str(path.absolute()) for name, path in folders.items() if not path.is_absolute()}


def _exported(name: str, value: str | int) -> str:
    return f"export {name}={shlex.quote(str(value))}"
