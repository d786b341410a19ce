"""An archive of a small run: Table 2 over two seeds, with a hole and a row that was not run."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.sharing.archive import SUMS, export, packed
from tests.benchmark.report.conftest import flat_counts, make_run, store

__all__ = ["flat_counts", "make_run", "store"]  # fixtures, for the tests here, too

Files = dict[str, bytes]
Forge = Callable[[Callable[[Files], Any]], Path]
VALUES = {("Basic", "Split 1"): [40.0, 41.5], ("Basic", "Split 2"): [42.0, None], ("Self-Pair", "Split 1"): [44.0, 45]}


@pytest.fixture
def run(make_run: Callable[..., Any]) -> Any:
    return make_run("2", VALUES, seeds=(0, 1), unavailable=("Cross-Pair",))


@pytest.fixture
def archive(run: Any, tmp_path: Path) -> Path:
    """Its archive, five evaluations of ten cells that can be made, by Anna."""
    path = tmp_path / "anna.zip"
    export(run.plan, run.store, path, "Anna")
    return path


@pytest.fixture
def forge(archive: Path, tmp_path: Path) -> Forge:
    """Return a function that changes the files of the archive and packs them with new checksums, as a forger would."""

    def write(change: Callable[[Files], Any]) -> Path:
        files = files_of(archive)
        del files[SUMS]
        change(files)
        path = tmp_path / "forged.zip"
        path.write_bytes(packed(files))
        return path

    return write


def files_of(path: Path) -> Files:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
