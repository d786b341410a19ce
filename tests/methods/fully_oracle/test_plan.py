"""FullyOracle from a checkpoint: what its plan shares, and what it depends on."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmark.datasets import DatasetInfo
from benchmark.datasets.base import Split
from benchmark.errors import BenchmarkError
from benchmark.registry import Cell
from benchmark.stage import Stage, closure
from methods.fully_oracle import METHOD
from methods.fully_oracle.settings import OracleSettings
from methods.settings import MaskFormerSettings, TrainingSettings

INFO = DatasetInfo(name="toy", title="Toy", classes=("a", "b", "c"), digest="0" * 64, train=10, test=5)
SPLIT = Split(dataset="toy", name="S1", novel=(2,), base=(0, 1))


def plan(seed: int = 0, info: DatasetInfo = INFO, **sections: Any) -> Stage:
    settings = {name: cls() for name, cls in METHOD.settings.items()} | sections
    return METHOD.plan(Cell(info, SPLIT, "", seed, settings))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model_final.pkl"
    path.write_bytes(b"one")
    return path


@pytest.fixture
def oracle(path: Path) -> OracleSettings:
    return OracleSettings(checkpoint=str(path))


def test_a_checkpoint_stands_in_for_the_training(oracle: OracleSettings) -> None:
    assert [stage.kind for stage in closure([plan()])] == ["train", "evaluate"]
    assert plan(oracle=OracleSettings()).key == plan().key
    adopted, trained = plan(oracle=oracle), plan()
    assert [stage.kind for stage in closure([adopted])] == ["adopt", "evaluate"]
    assert adopted.inputs["model"].function == "methods.foreign:adopt"
    assert (adopted.function, adopted.params) == (trained.function, trained.params)


def test_it_depends_on_content_classes_and_shape_alone(oracle: OracleSettings, path: Path) -> None:
    key = plan(oracle=oracle).key
    assert key == plan(1, oracle=oracle, training=TrainingSettings(lr=1.0)).key
    assert key == plan(oracle=oracle, maskformer=MaskFormerSettings(loss_mask=1.0, dropout=0.5)).key
    other = [
        plan(oracle=oracle, maskformer=MaskFormerSettings(heads=4)),
        plan(oracle=oracle, info=replace(INFO, classes=(*INFO.classes, "d"))),
    ]
    elsewhere = path.with_name("elsewhere")
    elsewhere.write_bytes(path.read_bytes())
    assert key == plan(oracle=OracleSettings(checkpoint=str(elsewhere))).key
    path.write_bytes(b"another")
    other.append(plan(oracle=oracle))
    assert len({key, *(stage.key for stage in other)}) == 4
    sha256 = hashlib.sha256(b"another").hexdigest()
    assert other[-1].inputs["model"].params["checkpoint_sha256"] == sha256


def test_a_missing_checkpoint_is_missed_when_planning(path: Path) -> None:
    path.unlink()
    with pytest.raises(BenchmarkError, match=r"oracle\.checkpoint = .*there is no such file.*model\.safetensors"):
        plan(oracle=OracleSettings(checkpoint=str(path)))


def test_planning_imports_no_torch(path: Path) -> None:
    code = (
        "import sys; from benchmark.plan import build_plan;"
        f"plan = build_plan(['1', '3'], 'mini', 'mini', (0,), overrides=({{'oracle.checkpoint': {str(path)!r}}},));"
        "print('torch' in sys.modules, 'adopt' in {stage.kind for stage in plan.stages})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
