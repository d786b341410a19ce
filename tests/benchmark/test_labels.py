"""Label maps: which stage they are of, and reading them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.errors import BenchmarkError
from benchmark.labels import label_stage, mask_path, read_mask, write_mask
from benchmark.stage import Stage


def test_label_stage_is_what_an_evaluation_scores() -> None:
    maps = Stage("label", "maps", "x:maps", 1, {})
    assert label_stage(Stage("evaluate", "e", "x:e", 1, {}, {"labels": maps}, "evaluation")) is maps
    assert label_stage(Stage("evaluate", "e", "x:e", 1, {}, {"model": maps}, "evaluation")) is None
    assert label_stage(Stage("train", "t", "x:t", 1, {}, {"labels": maps})) is None


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
