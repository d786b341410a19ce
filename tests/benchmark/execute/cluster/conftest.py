"""A Slurm that says what the test wants."""

from pathlib import Path

import pytest

from tests.benchmark.execute.cluster.fake_slurm import FakeSlurm


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    return FakeSlurm(tmp_path, monkeypatch)
