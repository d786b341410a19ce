from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmark.datasets import describe, load_dataset
from benchmark.errors import BenchmarkError
from benchmark.splits import class_names, split, splits
from tests.benchmark.datasets.balance import balance

Write = Callable[..., Path]


def test_a_dataset_of_ones_own(write_dataset: Write) -> None:
    path = write_dataset()
    dataset = load_dataset(str(path))
    assert dataset.info.name == "tiny"
    assert (dataset.info.train, dataset.info.test) == (3, 2)
    assert dataset.ids("train") == ("0", "1", "2")
    assert dataset.ids("val") == ()
    np.testing.assert_array_equal(dataset.image("3"), np.array(Image.open(path.parent / "images" / "3.png")))
    np.testing.assert_array_equal(dataset.mask("3"), np.array(Image.open(path.parent / "masks" / "3.png")))
    assert balance(dataset).void_share == pytest.approx(1 / 6)


def test_it_brings_its_splits(write_dataset: Write) -> None:
    path = str(write_dataset())
    assert class_names(path) == ("sky", "road", "cat")
    assert {name: one.novel for name, one in splits(path).items()} == {"S1": (2,), "S2": (0, 2)}
    assert split(path, "1").dataset == "tiny"


@pytest.mark.parametrize(
    ("novel", "message"), [(["dog"], "unknown class 'dog' in split S1"), ([3], "outside 0..2"), ([], "at least one")]
)
def test_wrong_splits_are_refused(write_dataset: Write, novel: list[Any], message: str) -> None:
    path = str(write_dataset(splits={"S1": novel}))
    with pytest.raises(BenchmarkError, match=message):
        splits(path)


def test_paths_start_at_the_root_when_there_is_one(write_dataset: Write, tmp_path: Path) -> None:
    path = write_dataset()
    elsewhere = tmp_path / "yaml" / "tiny.yaml"
    elsewhere.parent.mkdir()
    path.rename(elsewhere)
    assert load_dataset(str(elsewhere), tmp_path).info.train == 3
    with pytest.raises(BenchmarkError, match=r"cannot read the list"):
        load_dataset(str(elsewhere))
    with pytest.raises(BenchmarkError, match=r"no such folder.*--data-root"):
        load_dataset(str(elsewhere), tmp_path / "gone")


def test_another_ignore_value_becomes_255(write_dataset: Write, tmp_path: Path) -> None:
    path = write_dataset(ignore=200)
    for i in range(5):
        Image.fromarray(np.full((6, 8), 200, np.uint8)).save(tmp_path / "masks" / f"{i}.png")
    assert (load_dataset(str(path)).mask("0") == 255).all()


def test_the_digest_covers_content_lists_and_names(write_dataset: Write, tmp_path: Path) -> None:
    digests = {describe(str(write_dataset())).digest}
    digests.add(describe(str(write_dataset(classes=["sky", "road", "dog"], splits={}))).digest)
    (tmp_path / "test.txt").write_text("4\n3\n")
    digests.add(describe(str(tmp_path / "tiny.yaml")).digest)
    Image.fromarray(np.zeros((6, 8), np.uint8)).save(tmp_path / "masks" / "0.png")
    digests.add(describe(str(tmp_path / "tiny.yaml")).digest)
    assert len(digests) == 4


def test_the_digest_does_not_cover_the_place(write_dataset: Write, tmp_path: Path) -> None:
    path = write_dataset()
    before = describe(str(path)).digest
    moved = tmp_path.with_name("moved to 'there'")
    tmp_path.rename(moved)
    assert describe(str(moved / "tiny.yaml")).digest == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ["sky", "road", "sky"], "splits": {}}, "class names occur twice: sky"),
        ({"classes": ["sky"], "splits": {}}, "1 class; expected 2 to 255"),
        ({"classes": "sky"}, "classes"),
        ({"ignore": 2}, r"ignore: expected 3 to 65535 \(no class id\), found 2"),
        ({"imagse": "x"}, "imagse"),
        ({"name": ""}, "name: String should have at least 1 character"),
        ({"lists": {"train": "train.txt"}}, r"lists\.test: missing"),
        ({"lists": {"train": "train.txt", "test": "train.txt"}}, "3 images are in the train and the test list"),
        ({"lists": {"train": "gone.txt", "test": "test.txt"}}, r"cannot read the list .*gone\.txt"),
        ({"images": "gone"}, r"5 files of its lists are missing, the first is .*gone"),
        ({"image_suffix": ".jpg"}, r"0\.jpg"),
    ],
)
def test_a_wrong_description_is_refused(write_dataset: Write, changes: dict[str, Any], message: str) -> None:
    path = str(write_dataset(**changes))
    with pytest.raises(BenchmarkError, match=message):
        load_dataset(path)


def test_broken_yaml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("name: tiny\nclasses: [a, b\nimages: x\n")
    with pytest.raises(BenchmarkError, match=r"broken\.yaml:\d"):
        load_dataset(str(path))
    path.write_text("")
    with pytest.raises(BenchmarkError, match=r"a dataset maps name, .*; found an empty file"):
        load_dataset(str(path))
    with pytest.raises(BenchmarkError, match=r"gone\.yaml"):
        load_dataset(str(tmp_path / "gone.yaml"))


def test_lists_may_begin_with_a_byte_order_mark(write_dataset: Write, tmp_path: Path) -> None:
    path = str(write_dataset())
    before = load_dataset(path)
    (tmp_path / "train.txt").write_text((tmp_path / "train.txt").read_text(), encoding="utf-8-sig")
    assert load_dataset(path).ids("train") == before.ids("train")
    assert load_dataset(path).info == before.info


def test_names_may_stand_only_once_in_a_list(write_dataset: Write, tmp_path: Path) -> None:
    path = write_dataset()
    (tmp_path / "train.txt").write_text("0\n1\n\n0\n")
    with pytest.raises(BenchmarkError, match="the train list names images twice: 0"):
        load_dataset(str(path))
    (tmp_path / "train.txt").write_text("\n")
    with pytest.raises(BenchmarkError, match="the train list is empty"):
        load_dataset(str(path))


def test_a_truncated_image_is_named(write_dataset: Write, tmp_path: Path) -> None:
    dataset = load_dataset(str(write_dataset()))
    image = tmp_path / "images" / "0.png"
    image.write_bytes(image.read_bytes()[:-60])
    with pytest.raises(BenchmarkError, match=r"0\.png: cannot be decoded .*damaged"):
        dataset.image("0")
    image.write_bytes(b"not an image")
    with pytest.raises(BenchmarkError, match=r"0\.png: cannot be decoded"):
        dataset.image("0")
    image.unlink()
    with pytest.raises(BenchmarkError, match=r"0\.png: no such file"):
        dataset.image("0")


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros((8, 6), np.uint8), "the mask is 6 x 8 pixels, its image 8 x 6"),
        (np.full((6, 8), 3, np.uint8), r"holds class ids \[3\]; tiny has 0\.\.2 and 255"),
        (np.zeros((6, 8, 3), np.uint8), "this one is of mode RGB"),
        (np.full((6, 8), 1000, np.uint16), r"holds class ids \[1000\]"),
    ],
)
def test_a_wrong_mask_is_named(write_dataset: Write, tmp_path: Path, mask: np.ndarray, message: str) -> None:
    dataset = load_dataset(str(write_dataset()))
    Image.fromarray(mask).save(tmp_path / "masks" / "1.png")
    with pytest.raises(BenchmarkError, match=rf"1\.png: .*{message}"):
        dataset.mask("1")


def test_palette_masks_are_read_as_ids(write_dataset: Write, tmp_path: Path) -> None:
    dataset = load_dataset(str(write_dataset()))
    values = np.tile(np.array([0, 1, 2, 255], np.uint8), (6, 2))
    picture = Image.fromarray(values)
    picture.putpalette(list(range(255, -1, -1)) * 3)
    picture.save(tmp_path / "masks" / "1.png")
    np.testing.assert_array_equal(dataset.mask("1"), values)


def test_what_is_returned_belongs_to_the_caller(write_dataset: Write) -> None:
    dataset = load_dataset(str(write_dataset()))
    before = dataset.image("0"), dataset.mask("0")
    dataset.image("0")[:] = 0
    dataset.mask("0")[:] = 0
    np.testing.assert_array_equal(dataset.image("0"), before[0])
    np.testing.assert_array_equal(dataset.mask("0"), before[1])
