"""Where MLflow's files are."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.store import Store
from benchmark.tracking import Mirror, connect, public, tracking_uri
from tests.benchmark.tracking.support import KEY, Client, finish


def test_place_of_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracking_uri(tmp_path / "a" / "store") == f"sqlite:///{tmp_path / 'a' / 'mlflow' / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
    assert tracking_uri(tmp_path) == "http://host:5000"


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://me:pa@ss@host:5000/x", "http://host:5000/x"),
        ("http://host", "http://host"),
        ("sqlite:////a@b/mlflow.db", "sqlite:////a@b/mlflow.db"),
        ("postgresql+psycopg2://me:pass@host/db", "postgresql+psycopg2://host/db"),
    ],
)
def test_passwords_are_not_shown(uri: str, shown: str) -> None:
    assert public(uri) == shown


def test_artefacts_lie_beside_the_database(store: Store, client: Client) -> None:
    finish(store)
    Mirror(store).update(KEY)
    assert list((store.root.parent / "mlflow" / "artifacts").rglob("result.json"))


def test_telling_what_is_due_loads_no_mlflow() -> None:
    code = "import sys, benchmark.tracking, benchmark.commands.sync; sys.exit('mlflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_database_that_could_not_be_finished_is_not_left_behind(
    tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "mlflow" / "mlflow.db"

    def full(uri: str) -> None:
        Path(uri.removeprefix("sqlite:///")).write_bytes(b"half a table")
        raise OSError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("benchmark.tracking.server._client", full)
        with pytest.raises(OSError, match="full"):
            connect(f"sqlite:///{place}")
    assert not [path.name for path in place.parent.iterdir() if path.name != "mlflow.db.lock"]
    asked: list[str] = []

    def works(uri: str) -> None:
        asked.append(uri)
        shutil.copy(tables, uri.removeprefix("sqlite:///"))

    monkeypatch.setattr("benchmark.tracking.server._client", works)
    connect(f"sqlite:///{place}")
    assert place.read_bytes() == tables.read_bytes()
    assert asked[-1] == f"sqlite:///{place}"
