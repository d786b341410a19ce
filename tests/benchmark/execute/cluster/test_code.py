import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.errors import BenchmarkError
from benchmark.execute.cluster import code
from benchmark.execute.cluster.code import expected, freeze
from benchmark.provenance import FROZEN, Revision
from benchmark.store import Store
from benchmark.tables import load_table

ROOT = Path(__file__).resolve().parents[4]
SHOW = """
import json, benchmark, methods, outsider
from benchmark import provenance, split_files, tables, paths
print(json.dumps({
    "modules": [one.__file__ for one in (benchmark, methods, outsider)],
    "says": outsider.says(), "revision": provenance.source_revision(),
    "splits": split_files.datasets(), "table": tables.load_table("3").title,
}))
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "a 'store'")


@pytest.fixture
def outsider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of somebody else with a stage function, editable."""
    package = tmp_path / "elsewhere" / "outsider"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("def says(): return 'old'\n")
    (package / "numbers.txt").write_text("1 2 3")
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "x.pyc").write_text("")
    (package / ".git").mkdir()
    (package / ".git" / "config").write_text("")
    monkeypatch.syspath_prepend(package.parent)
    return package


def run_in(folder: Path, outsider: Path) -> dict[str, object]:
    path = os.pathsep.join([str(folder), str(outsider.parent), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", SHOW], cwd=folder, env=os.environ | {"PYTHONPATH": path}, capture_output=True, check=True
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_jobs_run_the_code_as_it_was_when_it_was_frozen(store: Store, outsider: Path) -> None:
    frozen = freeze(store, ["outsider:says"])
    (outsider / "__init__.py").write_text("def says(): return 'edited'\n")
    found = run_in(frozen.folder, outsider)
    assert found["says"] == "old"
    assert found["modules"] == [
        str(frozen.folder / name / "__init__.py") for name in ("benchmark", "methods", "outsider")
    ]
    assert found["table"] == load_table("3").title
    assert "mini" in str(found["splits"])
    again = freeze(store, ["outsider:says"])
    assert run_in(again.folder, outsider)["says"] == "edited"
    assert run_in(frozen.folder, outsider)["says"] == "old", "queued jobs keep theirs"


def test_results_of_frozen_code_name_the_commit_that_was_copied(
    store: Store, outsider: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code, "source_revision", lambda: Revision("c0ffee", dirty=True))
    first = freeze(store, ["outsider:says"])
    assert run_in(first.folder, outsider)["revision"] == ["c0ffee", True]
    monkeypatch.setattr(code, "source_revision", lambda: Revision("decade", dirty=False))
    second = freeze(store, ["outsider:says"])
    assert run_in(second.folder, outsider)["revision"] == ["decade", False]
    assert run_in(first.folder, outsider)["revision"] == ["c0ffee", True]


def test_the_copy_holds_code_and_its_data_and_nothing_else(store: Store, outsider: Path) -> None:
    frozen = freeze(store, ["outsider:says"])
    assert {path.name for path in frozen.folder.iterdir()} == {
        *("benchmark", "methods", "outsider", "splits", "results", FROZEN)
    }
    assert [path.name for path in (frozen.folder / "results").iterdir()] == ["papers"]
    assert sorted(path.name for path in (frozen.folder / "outsider").iterdir()) == ["__init__.py", "numbers.txt"]
    files = [path for path in frozen.folder.rglob("*") if path.is_file() and path.name != FROZEN]
    assert sum(path.stat().st_size for path in files) == frozen.size < 5e6
    assert not [path for path in files if "__pycache__" in path.parts]
    assert json.loads((frozen.folder / FROZEN).read_text())["files"] == len(files)


def test_the_same_code_is_kept_once(store: Store, outsider: Path) -> None:
    foretold = expected(store, ["outsider:says"])
    assert not store.root.exists()
    assert freeze(store, ["outsider:says"]) == freeze(store, ["outsider:says"]) == foretold
    assert [path.name for path in (store.root / "code").iterdir()] == [foretold.folder.name]
    (outsider / "numbers.txt").write_text("1 2 4")
    assert freeze(store, ["outsider:says"]).folder != foretold.folder


def test_a_module_that_is_one_file(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "single_file.py").write_text("X = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    frozen = freeze(store, ["single_file:X", "sys:exit", "nowhere.to_be:found"])
    assert (frozen.folder / "single_file.py").read_text() == "X = 1\n"


def test_a_folder_full_of_data_is_not_copied(store: Store, outsider: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "LARGEST", 5_000_000)
    with (outsider / "weights.bin").open("wb") as stream:
        stream.truncate(6_000_000)
    with pytest.raises(BenchmarkError, match=r"package outsider \(.*\) has 6 MB.*Move data out of the package"):
        freeze(store, ["outsider:says"])
    assert not store.root.exists()


def test_a_copy_can_be_frozen_again_and_keeps_its_commit(store: Store, outsider: Path, tmp_path: Path) -> None:
    """The job that looks after a campaign submits from within the frozen code."""
    frozen = freeze(store, ["outsider:says"])
    call = (
        "from pathlib import Path; from benchmark.store import Store\n"
        "from benchmark.execute.cluster.code import freeze\n"
        f"print(freeze(Store(Path({str(tmp_path / 'other')!r})), ['outsider:says']).folder.name)"
    )
    environment = os.environ | {"PYTHONPATH": str(frozen.folder)}
    shutil.rmtree(outsider)
    done = subprocess.run(
        [sys.executable, "-c", call], cwd="/", env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == frozen.folder.name
