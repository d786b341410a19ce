"""Where MLflow's files are."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.store import Store
from benchmark.tracking import Mirror, public, tracking_uri
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
