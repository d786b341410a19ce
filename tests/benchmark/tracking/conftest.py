"""An MLflow database made once, and a store with a copy of it beside."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.store import Store
from benchmark.tracking import connect, tracking_uri
from tests.benchmark.tracking.support import Client, Made


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Make MLflow's tables once for all tests; it takes seconds, a copy nothing."""
    file = tmp_path_factory.mktemp("mlflow") / "new folder" / "mlflow.db"
    command = [sys.executable, "-c", "import sys; from benchmark.tracking import connect; connect(sys.argv[1])"]
    both = [
        subprocess.Popen([*command, f"sqlite:///{file}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=300) for process in both]
    return Made(file, [(process.returncode, *output) for process, output in zip(both, outputs, strict=True)])


@pytest.fixture(scope="session")
def tables(made: Made) -> Path:
    return made.file


@pytest.fixture
def store(tmp_path: Path, tables: Path) -> Store:
    """An empty store with a fresh MLflow beside it, in a folder with an awkward name."""
    root = tmp_path / "it's my #1 folder" / "store"
    root.mkdir(parents=True)
    (root.parent / "mlflow").mkdir()
    shutil.copy(tables, root.parent / "mlflow" / "mlflow.db")
    return Store(root)


@pytest.fixture
def client(store: Store) -> Client:
    return connect(tracking_uri(store.root))
