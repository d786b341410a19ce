from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from benchmark import reproduction
from benchmark.errors import BenchmarkError


def test_every_kind_of_training_that_is_soon_reached_is_published() -> None:
    _, stages = reproduction.trainings()
    assert len({stage.key for stage in stages}) == len(stages)
    assert {stage.name for stage in stages} == set(reproduction.published_digests())
    assert {stage.kind for stage in stages} == reproduction.TRAININGS


def test_trainings_are_short() -> None:
    for stage in reproduction.trainings()[1]:
        lengths = [
            value
            for section in stage.params.values()
            if isinstance(section, dict)
            for name, value in section.items()
            if name.endswith("iterations")
        ]
        assert reproduction.ITERATIONS in lengths, stage.name


def test_one_bit_of_one_weight_changes_the_digest(tmp_path: Path) -> None:
    weights = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros(1, np.float32)}
    save_file(weights, tmp_path / "network.safetensors")
    before = reproduction.weights_digest(tmp_path)
    assert reproduction.weights_digest(tmp_path) == before
    weights["a"].view(np.int32)[1, 2] ^= 1
    save_file(weights, tmp_path / "network.safetensors")
    assert reproduction.weights_digest(tmp_path) != before


def test_damaged_digests_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduction, "PUBLISHED", tmp_path / "reproduction.json")
    with pytest.raises(BenchmarkError, match=r"reproduction\.json is damaged"):
        reproduction.published_digests()
