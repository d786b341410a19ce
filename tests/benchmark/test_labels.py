"""Label maps: which stage they are of, and reading them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.errors import BenchmarkError
from benchmark.labels import label_stage, mask_path, prediction_stage, read_mask, write_mask
from benchmark.stage import Stage


def test_label_stage_is_what_an_evaluation_scores() -> None:
    maps = Stage("label", "maps", "x:maps", 1, {})
    assert label_stage(Stage("evaluate", "e", "x:e", 1, {}, {"labels": maps}, "evaluation")) is maps
    assert label_stage(Stage("evaluate", "e", "x:e", 1, {}, {"model": maps}, "evaluation")) is None
    assert label_stage(Stage("train", "t", "x:t", 1, {}, {"labels": maps})) is None


def test_a_prediction_is_a_stage_of_its_own_and_offering_it_changes_no_key() -> None:
    model = Stage("train", "network", "x:train", 1, {})
    silent = Stage("evaluate", "evaluation of x", "x:e", 3, {"at": 1}, {"model": model}, "evaluation", cost=8.0)
    evaluation = replace(silent, maps="x:maps")
    assert evaluation.key == silent.key
    one, two = prediction_stage(evaluation, ["a"]), prediction_stage(evaluation, ["a", "b"], 0.25)
    assert len({one.key, two.key, evaluation.key}) == 3
    assert (two.function, two.version, two.access, two.inputs) == ("x:maps", 3, "evaluation", {"model": model})
    assert (two.kind, two.params, two.cost) == ("predict", {"at": 1, "images": ["a", "b"]}, 2.0)
    assert (one.name, two.name) == (
        "predictions for 1 image, evaluation of x",
        "predictions for 2 images, evaluation of x",
    )
    assert two.maps == ""


def test_maps_come_back_as_they_were_written(tmp_path: Path) -> None:
    mask = np.arange(6, dtype=np.uint8).reshape(2, 3)
    path = mask_path(tmp_path, "a")
    write_mask(path, mask)
    assert path == tmp_path / "masks" / "a.png"
    assert (read_mask(path, (2, 3)) == mask).all()


def test_missing_and_broken_maps_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with pytest.raises(BenchmarkError, match=r"a\.png cannot be read .*run again"):
        read_mask(path, (2, 3))
    path.write_bytes(b"no PNG")
    with pytest.raises(BenchmarkError, match=r"a\.png cannot be read"):
        read_mask(path, (2, 3))
    Image.new("RGB", (3, 2)).save(path)
    with pytest.raises(BenchmarkError, match=r"is \(2, 3, 3\) uint8, its image is \(2, 3\).*run again"):
        read_mask(path, (2, 3))
