"""Fixtures that every test may use."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.released import released_arrays

pytest_plugins = ["tests.needs"]

# Test processes share the cores: more threads than that only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def released() -> Mapping[str, Any]:
    """Inputs and outputs of the released code."""
    return released_arrays()


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's own store, tracking server or data."""
    for name in [n for n in os.environ if n.startswith(("BENCHMARK_DATA_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BENCHMARK_STORE", str(tmp_path / "own" / "store"))
