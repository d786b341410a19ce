import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.datasets import describe, load_dataset
from benchmark.datasets.catalog import root_variable
from benchmark.errors import BenchmarkError
from benchmark.splits import class_names


def test_unknown_names_get_near_matches() -> None:
    with pytest.raises(BenchmarkError, match=r"unknown dataset 'mimi'.*'mini'.*PATH\.yaml"):
        load_dataset("mimi")


def test_the_mini_world_has_no_root(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="drawn, not read"):
        load_dataset("mini", tmp_path)


def test_a_missing_root_says_how_to_give_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BenchmarkError, match=r"msrc21.*--data-root DIR or BENCHMARK_DATA_MSRC21=DIR"):
        load_dataset("msrc21")
    monkeypatch.setenv("BENCHMARK_DATA_MSRC21", str(tmp_path / "gone"))
    with pytest.raises(BenchmarkError, match="gone is no folder"):
        load_dataset("msrc21")
    assert root_variable("coco-stuff-10k") == "BENCHMARK_DATA_COCO_STUFF_10K"


def test_a_known_dataset_is_read_in_the_common_layout(write_dataset: Callable[..., Path], tmp_path: Path) -> None:
    write_dataset(name="ade20k", classes=list(class_names("ade20k")), splits={})
    shutil.move(tmp_path / "tiny.yaml", tmp_path / "dataset.yaml")
    assert describe("ade20k", tmp_path).train == 3
    write_dataset(name="ade20k", splits={})
    shutil.move(tmp_path / "tiny.yaml", tmp_path / "dataset.yaml")
    with pytest.raises(BenchmarkError, match=r"with 3 classes; expected 'ade20k' with its 150 published classes"):
        describe("ade20k", tmp_path)
    (tmp_path / "dataset.yaml").unlink()
    with pytest.raises(BenchmarkError, match=r"holds no dataset\.yaml\. Make it .* data prepare ade20k"):
        describe("ade20k", tmp_path)
