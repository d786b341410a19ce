from pathlib import Path

import pytest

from tests.benchmark.datasets.preparation.support import World, write_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return write_world(tmp_path)
