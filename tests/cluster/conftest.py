"""A real Slurm on this machine for the tests of this folder; see slurm/start_local_slurm.sh.

``BENCHMARK_TEST_SLURM=require`` has root install what is missing, and makes a Slurm that cannot be had a failure;
``never`` skips these tests at once.
"""

import os
import random
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from filelock import FileLock

from benchmark.store import Store
from tests.cluster.support import Bench
from tests.needs import system_path, without

SCRIPTS = Path(__file__).resolve().parents[2] / "slurm"
OPTIONS = {"SLURM_LAB_NODES": "2", "SLURM_LAB_CPUS": "2", "SLURM_LAB_MEM_MB": "16000", "SLURM_LAB_GPUS": "0"}
PORTS = 8  # that the script may use, from the first one on
PATIENCE = 600.0  # seconds; most of it for the packages


class Lab:
    """A running Slurm: its folder, and the variables that make commands use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {"SLURM_CONF": str(folder / "etc" / "slurm.conf"), "PATH": system_path()}


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One Slurm for the whole session, shared by the processes of pytest-xdist; the last of them purges it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    with _shared_lab(shared / "slurm-lab") as folder:
        yield Lab(folder)


@pytest.fixture
def slurm(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """The running Slurm, used by every command of the test, and by no other test meanwhile."""
    for name, value in lab.environment.items():
        monkeypatch.setenv(name, value)
    with FileLock(lab.folder / "test.lock"):
        yield lab


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The store of all walks, made by one process without Slurm: what every way over a cluster must lead to."""
    bench = Bench(tmp_path_factory.mktemp("reference"), pause=0.0)
    bench.call("run", "--table", bench.table, *bench.selection, "--executor", "inline", "--no-mlflow")
    return bench.store


@contextmanager
def _shared_lab(register: Path) -> Iterator[Path]:
    """Yield the folder of the one running Slurm; ``register`` has its path and a line for each process that uses it."""
    lock = FileLock(f"{register}.lock")
    with lock:
        lines = register.read_text().split() if register.exists() else []
        lines = lines or [str(_started())]
        register.write_text("\n".join([*lines, str(os.getpid())]))
    try:
        yield Path(lines[0])
    finally:
        with lock:
            folder, *users = register.read_text().split()
            users.remove(str(os.getpid()))
            register.write_text("\n".join([folder, *users]) if users else "")
            if not users:
                subprocess.run([SCRIPTS / "stop_local_slurm.sh", folder, "--purge"], capture_output=True, check=False)


def _started() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="lab", dir="/tmp"))  # short: paths of sockets end at 108 bytes
    reason = _start(folder)
    if reason:
        with suppress(OSError):
            subprocess.run([SCRIPTS / "stop_local_slurm.sh", folder, "--purge"], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)
        without("slurm", f"it does not start: {reason}")
    return folder


def _start(folder: Path) -> str:
    """Start a Slurm and return why it did not."""
    command = [SCRIPTS / "start_local_slurm.sh", folder]
    environment = os.environ | OPTIONS | {"SLURM_LAB_PORT": str(_free_ports())}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it did not start within {PATIENCE:.0f} s"
    return "" if done.returncode == 0 else (done.stderr or done.stdout).strip().rpartition("\n")[2]


def _free_ports() -> int:
    """Return the first of some neighbouring ports on which nobody listens."""
    for _ in range(100):
        first = random.randrange(15000, 32000)
        with suppress(OSError):
            for port in range(first, first + PORTS):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first
    raise AssertionError("no free ports")
