"""What a run says of its data before the first stage."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.cli import main
from benchmark.datasets.preparation.soundness import Sights

Captured = pytest.CaptureFixture[str]
TABLE = """
name: own
title: One row
columns: [{label: A, split: A}]
rows: [{label: Oracle, method: fully_oracle}]
"""
CLASSES = ["sky", "road", "cat"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with four training and two test images of three classes, class 2 novel in split A."""
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for i in range(6):
        Image.fromarray(rng.integers(0, 256, (32, 48, 3), dtype=np.uint8)).save(tmp_path / "images" / f"{i}.png")
        Image.fromarray(rng.integers(0, 3, (32, 48), dtype=np.uint8)).save(tmp_path / "masks" / f"{i}.png")
    (tmp_path / "train.txt").write_text("0\n1\n2\n3\n")
    (tmp_path / "test.txt").write_text("4\n5\n")
    (tmp_path / "dataset.yaml").write_text(
        "name: tiny\ntitle: Six images\nclasses: [sky, road, cat]\nimages: images\nmasks: masks\nimage_suffix: .png\n"
        "lists: {train: train.txt, test: test.txt}\nsplits: {A: [cat]}\n"
    )
    (tmp_path / "own.yaml").write_text(TABLE)
    return tmp_path


Run = Callable[..., int]


@pytest.fixture
def run(data: Path) -> Run:
    def call(*more: str) -> int:
        options = ["--dataset", str(data / "dataset.yaml"), "--table", str(data / "own.yaml"), "--profile", "smoke"]
        return main(["run", *options, "--executor", "inline", "--no-mlflow", "--store", str(data / "store"), *more])

    return call


def paint(data: Path, image: int, value: int) -> None:
    Image.fromarray(np.full((32, 48), value, np.uint8)).save(data / "masks" / f"{image}.png")


def without(data: Path, value: int, images: range) -> None:
    for i in images:
        path = data / "masks" / f"{i}.png"
        mask = np.array(Image.open(path))
        Image.fromarray(np.where(mask == value, 0, mask).astype(np.uint8)).save(path)


def test_files_of_any_part_are_looked_at_before_anything_is_trained(data: Path, run: Run, capsys: Captured) -> None:
    for i in (1, 5):
        path = data / "images" / f"{i}.png"
        path.write_bytes(path.read_bytes()[:-200])
    Image.fromarray(np.full((32, 48), 77, np.uint8)).save(data / "masks" / "2.png")
    assert run() == 2
    said = capsys.readouterr().err
    assert "3 pairs of image and mask cannot be used" in said
    assert all(name in said for name in ("1.png", "5.png", "holds class ids [77]"))
    assert not (data / "store" / "stages").exists()


def test_a_training_image_without_a_label_is_refused(data: Path, run: Run, capsys: Captured) -> None:
    paint(data, 3, 255)
    assert run() == 2
    assert (
        "1 image without a labelled pixel, from which nothing can be learned: 3. Take it out" in capsys.readouterr().err
    )


def test_a_split_that_no_test_image_shows_is_refused(data: Path, run: Run, capsys: Captured) -> None:
    without(data, 2, range(6))
    assert run() == 2
    said = capsys.readouterr().err
    assert "split A: novel class cat occurs in no training and no test image (255 is taken as unlabelled)" in said


@pytest.mark.slow
def test_what_will_be_undefined_is_said_and_what_was_seen_is_kept(
    data: Path, run: Run, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(data, 2, range(4))
    without(data, 1, range(4, 6))
    paint(data, 5, 255)
    expected = [
        "note: 1 test image without a labelled pixel counts for nothing: 5.",
        "note: split A: novel class cat occurs in no training image, so nothing of it can be learned.",
        "note: split A: base class road occurs in no test image, so its IoU is undefined.",
    ]
    assert run() == 0
    assert [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")] == expected
    monkeypatch.setattr("benchmark.datasets.preparation.soundness.examined", lambda *_: pytest.fail("looked again"))
    assert run("--seeds", "1") == 0
    assert [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")] == expected


def test_classes_are_counted_in_words() -> None:
    seen = Sights({"train": {0: 1}, "test": {0: 1, 2: 1}})
    assert list(seen.absences(("a", "b", "c"), 255)) == [
        "class b occurs in no training and no test image (255 is taken as unlabelled).",
        "class c occurs in no training image, so nothing of it can be learned.",
    ]
