"""``doctor``: every check can pass and fail, and says the way out."""

import importlib.metadata
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmark import registry
from benchmark.cli import main
from benchmark.commands import doctor
from benchmark.commands.doctor import Check, Places
from benchmark.errors import BenchmarkError


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(store=tmp_path / "a" / "store", uri=None, dataset=None, data_root=None)


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes seconds: torch, MLflow and the data."""
    monkeypatch.setattr(doctor, "CHECKS", (doctor.python, doctor.disk, doctor.extras))


def statuses(lines: list[Check]) -> dict[str, str]:
    return {line.name: line.status for line in lines}


def test_all_checks_of_this_installation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--store", str(tmp_path / "store"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    found = {check["name"]: check for check in answer["checks"]}
    assert answer["ok"]
    expected = {"Python", "packages", "torch", "devices", "cores", "store", "disk", "results", "MLflow", "data mini"}
    assert expected | {"data msrc21", "detectron2", "pydensecrf", "h5py", "pdflatex", "sbatch"} <= set(found)
    assert found["method simformer"]["found"].startswith("SimFormer from weak-shot-segmentation-benchmark")
    assert str(tmp_path / "mlflow" / "mlflow.db") in found["MLflow"]["found"]
    assert str(tmp_path / "results") in found["results"]["found"]
    assert not list(tmp_path.iterdir())  # looking changes nothing


@pytest.mark.usefixtures("only")
def test_one_line_a_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--store", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ok    Python: 3.")
    assert all(line.startswith(("ok    ", "warn  ", "fail  ")) for line in lines)


@pytest.mark.usefixtures("only")
def test_failure_is_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["doctor", "--store", str(tmp_path / "file" / "store")]) == 1
    assert "fail  store: " in capsys.readouterr().out
    assert main(["doctor", "--store", str(tmp_path / "file" / "store"), "--json"]) == 1
    assert not json.loads(capsys.readouterr().out)["ok"]


def test_data_root_needs_a_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--data-root", str(tmp_path)]) == 2
    assert "--dataset" in capsys.readouterr().err


def test_way_out_is_in_the_line() -> None:
    assert str(Check("a", "ok", "b")) == "ok    a: b"
    assert str(Check("a", "fail", "b", "c")) == "fail  a: b -> c"


def test_python_that_is_too_old(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.python_version", lambda: "3.9.1")
    (line,) = doctor.python(places)
    assert line.status == "fail"
    assert ">=3.11 needed" in line.found


def test_package_that_is_missing_or_old(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "requires", lambda _: ["click>=8", "numpy>=99", "nosuchthing>=1", "dev; extra == 'x'"])
    bad, good = doctor.packages(places)
    assert (bad.status, good.status) == ("fail", "ok")
    assert bad.found.startswith("numpy>=99 needed, ")
    assert bad.found.endswith("nosuchthing>=1 needed, nothing found")
    assert bad.remedy == "pip install 'numpy>=99' 'nosuchthing>=1'"
    assert good.found == f"click {importlib.metadata.version('click')}"


def test_not_installed_at_all(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "DISTRIBUTION", "nosuchthing")
    assert [line.status for line in doctor.python(places)] == ["fail"]
    assert not list(doctor.packages(places))


def test_torch_that_does_not_fit_torchvision(places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    (line,) = doctor.torch(places)
    assert (line.status, "torchvision::nms" in line.found, bool(line.remedy)) == ("fail", True, True)


@pytest.mark.parametrize(("free", "status"), [(50e9, "ok"), (1e9, "warn"), (1e6, "fail")])
def test_disk_space(places: Places, monkeypatch: pytest.MonkeyPatch, free: float, status: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    lines = list(doctor.disk(places))
    assert statuses(lines) == {"store": "ok", "disk": status, "results": "ok"}
    assert [bool(line.remedy) for line in lines if line.name == "disk"] == [status != "ok"]


def test_mlflow_that_cannot_be_reached_is_a_warning(places: Places) -> None:
    asked = Places(places.store, "http://me:secret@127.0.0.1:9", None, None)
    (line,) = doctor.mlflow(asked)
    assert line.status == "warn"
    assert "sync" in line.remedy
    assert "secret" not in str(line)


def test_mlflow_whose_folder_cannot_be_written_is_a_warning(places: Places) -> None:
    places.store.parent.mkdir()
    (places.store.parent / "mlflow").touch()
    (line,) = doctor.mlflow(places)
    assert line.status == "warn"


def test_file_that_is_no_database_of_mlflow_is_a_warning(places: Places) -> None:
    (places.store.parent / "mlflow").mkdir(parents=True)
    (places.store.parent / "mlflow" / "mlflow.db").write_text("something else " * 1000)
    (line,) = doctor.mlflow(places)
    assert line.status == "warn"
    assert "not a database" in line.found


def test_only_the_embedded_dataset_and_the_one_asked_for_must_be_there(places: Places, tmp_path: Path) -> None:
    found = statuses(list(doctor.data(places)))
    assert found["data mini"] == "ok"
    assert found["data msrc21"] == "warn"
    asked = Places(places.store, None, "msrc21", tmp_path)
    (line,) = (line for line in doctor.data(asked) if line.name == "data msrc21")
    assert line.status == "fail"
    assert str(tmp_path) in line.remedy


def test_dataset_is_found_through_the_environment(
    places: Places, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHMARK_DATA_MSRC21", str(shared / "data" / "MSRC_v2"))
    (line,) = (line for line in doctor.data(places) if line.name == "data msrc21")
    assert (line.status, line.found.startswith("21 classes")) == ("ok", True)


def test_optional_helpers(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name == "sbatch" else None)
    lines = {line.name: line for line in doctor.extras(places)}
    assert lines["sbatch"].found == "/bin/sbatch"
    assert lines["pdflatex"].found == "not here; only needed for typesetting LaTeX tables"
    assert {line.status for line in lines.values()} == {"ok"}


def test_methods_that_do_not_load(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise BenchmarkError("method 'x' cannot be loaded")

    monkeypatch.setattr(registry, "methods", broken)
    (line,) = doctor.methods(places)
    assert (line.status, line.remedy) == ("fail", "method 'x' cannot be loaded")
    monkeypatch.setattr(registry, "methods", dict)
    (line,) = doctor.methods(places)
    assert (line.status, line.found) == ("fail", "none installed")
