"""COCO-Stuff-10K annotations: two generations told apart, what is doubtful refused."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, savemat

from benchmark.datasets.preparation import matlab
from benchmark.datasets.preparation.matlab import read_annotation
from benchmark.errors import BenchmarkError
from benchmark.split_files import split_file
from benchmark.splits import class_names


def v11(values: Any, **more: Any) -> bytes:
    stream = BytesIO()
    savemat(stream, {"S": np.array(values, dtype=float), **more})
    return stream.getvalue()


def v10(values: Any, userblock: int = 512, **more: Any) -> bytes:
    import h5py

    stream = BytesIO()
    with h5py.File(stream, "w", userblock_size=userblock) as file:
        file["S"] = np.array(values, dtype=float).T
        for name, value in more.items():
            file[name] = value
    return stream.getvalue()


@pytest.mark.needs("hdf5")
def test_the_old_generation_is_two_above_the_class_id_and_transposed() -> None:
    found = read_annotation(v10([[1, 2, 12], [82, 172, 81]]), "a.mat")
    assert found.release == "v1.0"
    assert found.mask.tolist() == [[255, 0, 10], [80, 170, 79]]
    np.testing.assert_array_equal(read_annotation(v10([[1, 2], [3, 4]], userblock=0), "a.mat").mask, [[255, 0], [1, 2]])


def test_the_new_generation_has_gaps() -> None:
    found = read_annotation(v11([[0, 1, 13], [92, 182, 90]]), "a.mat")
    assert found.release == "v1.1"
    assert found.mask.tolist() == [[255, 0, 11], [80, 170, 79]]


def test_every_class_has_the_name_that_the_published_labels_give_it(shared: Path) -> None:
    lines = (shared / "data" / "cocostuff-10k-v1.1" / "cocostuff-labels.txt").read_text().split("\n")
    published = dict(line.split(": ", 1) for line in lines if line)
    table = read_annotation(v11([list(split_file("coco-stuff-10k").coco_category_id)]), "all").mask[0]
    names = [published[str(value)] for value in split_file("coco-stuff-10k").coco_category_id]
    assert [class_names("coco-stuff-10k")[i] for i in table] == names


@pytest.mark.needs("hdf5")
@pytest.mark.parametrize("value", [0, 173, 182])
def test_new_ids_in_the_old_file_format_are_refused(value: int) -> None:
    with pytest.raises(
        BenchmarkError, match=rf"a\.mat: an HDF5 file, as of v1\.0, but holds ids \[{value}\].* v1\.1 has"
    ):
        read_annotation(v10([[1, value]]), "a.mat")


@pytest.mark.needs("hdf5")
def test_new_names_in_the_old_file_format_are_refused() -> None:
    with pytest.raises(BenchmarkError, match=r"a\.mat: an HDF5 file, .* with the 182 names of v1\.1"):
        read_annotation(v10([[1, 2]], names=np.zeros((182, 1))), "a.mat")


@pytest.mark.parametrize("value", [12, 26, 45, 91])
def test_old_ids_in_the_new_file_format_are_refused(value: int) -> None:
    with pytest.raises(BenchmarkError, match=rf"a MATLAB 5 file, as of v1\.1, but holds ids \[{value}\].* v1\.0 has"):
        read_annotation(v11([[1, value]]), "a.mat")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (v11([[0.5, 1]]), "holds fractions"),
        (v11([[0, 300]]), "holds ids from 0 to 300"),
        (v11([[0, np.nan]]), "holds ids from nan to nan"),
        (v11([[0, 183]]), r"ids \[183\].*no COCO-Stuff-10K annotation"),
        (v11(np.zeros((2, 2, 2))), r"S is \(2, 2, 2\)"),
        (v11([[1]])[:140], "cannot be decoded"),
        (b"", "neither HDF5"),
        (b"\xff\xd8\xff\xe0 and more", "found a JPEG. Are images and annotations swapped"),
    ],
)
def test_what_is_no_annotation_is_named(content: bytes, message: str) -> None:
    with pytest.raises(BenchmarkError, match=rf"a\.mat: .*{message}"):
        read_annotation(content, "a.mat")


def test_a_file_without_a_map_is_named() -> None:
    stream = BytesIO()
    savemat(stream, {"T": np.ones((2, 2))})
    with pytest.raises(BenchmarkError, match=r"a\.mat: has no variable S"):
        read_annotation(stream.getvalue(), "a.mat")


@pytest.mark.needs("hdf5")
def test_a_damaged_hdf5_file_is_named() -> None:
    whole = v10([[1, 2]] * 50)
    with pytest.raises(BenchmarkError, match=r"a\.mat: (cannot be decoded|has no variable)"):
        read_annotation(whole[:900], "a.mat")


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(BenchmarkError, match=r"h5py is not installed.*weak-shot-segmentation-benchmark\[data\]"):
        matlab.require_reader()


@pytest.mark.needs("hdf5")
def test_genuine_photographs_agree_between_the_generations(shared: Path) -> None:
    folder = shared / "data" / "cocostuff-10k-v1.1"
    for path in sorted((folder / "annotations").glob("*.mat")):
        new = read_annotation(path.read_bytes(), path)
        old = read_annotation((folder / "annotations_v1.0_hdf5" / path.name).read_bytes(), path)
        assert (new.release, old.release) == ("v1.1", "v1.0")
        np.testing.assert_array_equal(new.mask, old.mask)
        with Image.open(folder / "images" / f"{path.stem}.jpg") as photograph:
            assert new.mask.shape[::-1] == photograph.size
        stored = loadmat(path)
        names = [name[0] for name in stored["names"].ravel()]
        value = int(stored["S"][0, 0])
        assert (
            (new.mask[0, 0] == 255) if value == 0 else class_names("coco-stuff-10k")[new.mask[0, 0]] == names[value - 1]
        )
