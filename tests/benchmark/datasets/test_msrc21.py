import csv
from pathlib import Path

import numpy as np
import pytest

from benchmark.datasets import Dataset, TrainingView, describe, load_dataset
from benchmark.errors import BenchmarkError
from benchmark.splits import class_names, split
from tests.benchmark.datasets.balance import balance


@pytest.fixture(scope="module")
def root(shared: Path) -> Path:
    return shared / "data" / "MSRC_v2"


@pytest.fixture(scope="module")
def msrc(root: Path) -> Dataset:
    return load_dataset("msrc21", root)


def test_the_lists_are_the_usual_ones(msrc: Dataset) -> None:
    assert [len(msrc.ids(part)) for part in ("train", "val", "test")] == [276 + 59, 59, 256]
    assert set(msrc.ids("val")) < set(msrc.ids("train"))


def test_classes_are_those_of_the_label_file(root: Path) -> None:
    with (root / "labels.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if int(row["id"]) <= 20]
    assert tuple(row["name"] for row in rows) == class_names("msrc21")


def test_pixels_are_those_of_the_label_file(msrc: Dataset, root: Path) -> None:
    """Adding up both parts gives the pixel counts that came with the data."""
    with (root / "labels.csv").open(encoding="utf-8") as file:
        expected = [int(row["pixels"]) for row in csv.DictReader(file) if int(row["id"]) <= 20]
    masks = (msrc.mask(i) for part in ("train", "test") for i in msrc.ids(part))
    counted = sum(np.bincount(mask.ravel(), minlength=256)[:21] for mask in masks)
    assert np.asarray(counted).tolist() == expected


def test_every_class_is_seen_in_both_parts(msrc: Dataset) -> None:
    for part in ("train", "test"):
        assert balance(msrc, part).image_share.min() > 0


def test_the_view_hides_novel_pixels(msrc: Dataset) -> None:
    novel = split("msrc21", "S9").novel
    view = TrainingView(msrc, novel)
    assert not any(np.isin(view.base_mask(i), novel).any() for i in view.ids)
    assert any(view.labels(i) & set(novel) for i in view.ids)


def test_the_environment_may_say_where_it_lies(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_DATA_MSRC21", str(root))
    assert describe("msrc21") == describe("msrc21", root)


def test_another_folder_is_not_taken_for_it(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(BenchmarkError, match="not MSRC-v2, folder 'annotations' is missing"):
        load_dataset("msrc21", tmp_path)
