"""Counts and mean IoU: parity with SimFormer's evaluator, a naive reference, every refusal."""

import tracemalloc
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from benchmark import metrics
from benchmark.errors import BenchmarkError
from benchmark.metrics import Counts, CountsBuilder, iou, mean_iou, overall_miou, resampled_iou

Image = NDArray[np.int64]


def counted(classes: int, *pairs: tuple[list[list[int]], list[list[int]]]) -> Counts:
    builder = CountsBuilder(classes)
    for i, (prediction, truth) in enumerate(pairs):
        builder.add(f"image-{i}", np.array(prediction), np.array(truth))
    return builder.build()


@pytest.fixture
def absent_class() -> Counts:
    """Class 2 is predicted on one pixel and class 3 nowhere; neither is in the ground truth. One pixel is ignored."""
    return counted(4, ([[0, 0, 2], [1, 1, 3]], [[0, 0, 0], [1, 0, 255]]))


def test_agrees_with_simformers_evaluator(released: Mapping[str, Any]) -> None:
    builder = CountsBuilder(6)
    builder.add("golden", released["ev_pred"], released["ev_gt"])
    counts = builder.build()

    assert mean_iou(counts, [3, 4, 5]) == pytest.approx(float(released["ev_NovelIoU"]), abs=1e-6)
    assert mean_iou(counts, [0, 1, 2]) == pytest.approx(float(released["ev_BaseIoU"]), abs=1e-6)
    assert overall_miou(counts, "paper") == pytest.approx(float(released["ev_mIoU"]), abs=1e-6)
    assert overall_miou(counts, "detectron2") > overall_miou(counts, "paper")  # class 5 is predicted, never true


def test_counts_of_one_image(absent_class: Counts) -> None:
    assert absent_class.image_ids == ("image-0",)
    assert absent_class.intersection.tolist() == [[2, 1, 0, 0]]
    assert absent_class.prediction.tolist() == [[2, 2, 1, 0]]
    assert absent_class.ground_truth.tolist() == [[4, 1, 0, 0]]
    assert absent_class.prediction_on_ignored.tolist() == [[0, 0, 0, 1]]
    assert {getattr(absent_class, name).dtype for name in ("intersection", "prediction", "ground_truth")} == {
        np.dtype(np.int32)
    }


def test_two_thousand_images_of_171_classes_take_the_memory_of_their_counts() -> None:
    image = np.random.default_rng(0).integers(0, 171, (48, 64))
    tracemalloc.start()
    try:
        builder = CountsBuilder(171)
        for number in range(2000):
            builder.add(str(number), image, np.roll(image, number))
        counts = builder.build()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    size = 4 * counts.intersection.nbytes
    assert size == 4 * 2000 * 171 * 4
    assert peak < 4 * size + 1_000_000  # rows, their copy in one array, and one joint histogram


def test_conventions_differ_only_in_absent_classes(absent_class: Counts) -> None:
    ious = iou(absent_class)
    assert ious[:2].tolist() == [0.5, 0.5]
    assert np.isnan(ious[2:]).all()

    assert mean_iou(absent_class, range(4), "paper") == 50.0
    assert mean_iou(absent_class, range(4), "detectron2") == 50.0
    assert mean_iou(absent_class, range(4), "mmseg") == pytest.approx(100 / 3)  # class 2 is a 0, class 3 left out
    assert mean_iou(absent_class, [1, 2], "paper") == 50.0
    assert mean_iou(absent_class, [1, 2], "mmseg") == 25.0
    assert overall_miou(absent_class, "paper") == pytest.approx(100 / 3)
    assert overall_miou(absent_class, "detectron2") == 50.0
    assert overall_miou(absent_class, "mmseg") == pytest.approx(100 / 3)


def test_classes_are_pooled_over_images_not_averaged_per_image() -> None:
    counts = counted(2, ([[0, 0, 0, 0]], [[0, 0, 0, 0]]), ([[0, 1]], [[1, 1]]))
    assert iou(counts).tolist() == [4 / 5, 1 / 2]


def test_resampled_images_count_as_often_as_they_were_drawn() -> None:
    counts = counted(2, ([[0, 0, 0, 0]], [[0, 0, 0, 0]]), ([[0, 1]], [[1, 1]]))
    once, first_twice, second_alone = resampled_iou(counts, np.array([[1, 1], [2, 0], [0, 3]]))
    assert once.tolist() == iou(counts).tolist()
    assert first_twice[0] == 1.0
    assert np.isnan(first_twice[1])  # no pixel of class 1
    assert np.isnan(second_alone[0])
    assert second_alone[1] == 1 / 2


def naive(prediction: Image, truth: Image, classes: int) -> list[list[int]]:
    valid = truth != 255
    return [
        [
            int(((prediction == c) & (truth == c)).sum()),
            int(((prediction == c) & valid).sum()),
            int((truth == c).sum()),
            int(((prediction == c) & ~valid).sum()),
        ]
        for c in range(classes)
    ]


SHAPE = (5, 7)
TRUTHS = arrays(np.uint8, SHAPE, elements=st.sampled_from([0, 1, 2, 3, 255]))
PREDICTIONS = arrays(np.int64, SHAPE, elements=st.integers(0, 3))


@settings(max_examples=50, deadline=None)
@given(prediction=PREDICTIONS, truth=TRUTHS)
def test_counts_equal_a_naive_count(prediction: Image, truth: Image) -> None:
    builder = CountsBuilder(4)
    builder.add("x", prediction, truth)
    counts = builder.build()
    columns = (counts.intersection, counts.prediction, counts.ground_truth, counts.prediction_on_ignored)
    assert np.stack([column[0] for column in columns], axis=1).tolist() == naive(prediction, truth, 4)


def test_same_counts_from_narrow_and_wide_integers() -> None:
    rng = np.random.default_rng(0)
    prediction, truth = rng.integers(0, 171, (2, 30, 40))
    wide, narrow = CountsBuilder(171), CountsBuilder(171)
    wide.add("x", prediction, truth)
    narrow.add("x", prediction.astype(np.uint8), truth.astype(np.uint8))
    assert (wide.build().intersection == narrow.build().intersection).all()


def test_saved_counts_come_back_and_bytes_repeat(absent_class: Counts, tmp_path: Path) -> None:
    absent_class.save(tmp_path / "a.npz")
    absent_class.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    back = Counts.load(tmp_path / "a.npz")
    assert back.image_ids == absent_class.image_ids
    for name in ("intersection", "prediction", "ground_truth", "prediction_on_ignored"):
        assert getattr(back, name).dtype == np.int32
        assert (getattr(back, name) == getattr(absent_class, name)).all()


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_broken_file_of_counts_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "counts.npz"
    path.write_bytes(content)
    with pytest.raises(BenchmarkError, match=r"counts\.npz"):
        Counts.load(path)


def test_damage_within_a_file_of_counts_is_named_with_the_way_out(absent_class: Counts, tmp_path: Path) -> None:
    path = tmp_path / "counts.npz"
    absent_class.save(path)
    content = path.read_bytes()
    for place in range(0, len(content), 13):
        path.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
        with suppress(BenchmarkError):  # or nothing was noticed; but no other error
            Counts.load(path)
    path.write_bytes(content[:100])
    with pytest.raises(BenchmarkError, match=rf"counts is damaged .* Delete the folder {tmp_path} and run again"):
        Counts.load(path)


def test_missing_file_of_counts_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"gone\.npz: no such file\. Delete the folder"):
        Counts.load(tmp_path / "gone.npz")


def test_counts_of_another_evaluator_version_are_refused(
    absent_class: Counts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent_class.save(tmp_path / "old.npz")
    monkeypatch.setattr(metrics, "EVALUATOR_VERSION", metrics.EVALUATOR_VERSION + 1)
    with pytest.raises(BenchmarkError, match="evaluator version 1, this is version 2"):
        Counts.load(tmp_path / "old.npz")


def test_counts_that_do_not_fit_together_are_refused(absent_class: Counts, tmp_path: Path) -> None:
    odd = Counts(("a", "b"), *(getattr(absent_class, name) for name in metrics._ARRAYS))
    odd.save(tmp_path / "odd.npz")
    with pytest.raises(BenchmarkError, match="unequal shapes"):
        Counts.load(tmp_path / "odd.npz")


@pytest.mark.parametrize(
    ("prediction", "truth", "message"),
    [
        ([[0, 1, 1]], [[0, 1]], r"'x': prediction of size \(1, 3\), ground truth of size \(1, 2\)"),
        ([[0, 3]], [[0, 1]], r"'x': prediction holds class id 3; expected 0\.\.2\."),
        ([[0, 255]], [[0, 1]], "'x': prediction holds class id 255"),
        ([[0, -1]], [[0, 1]], "'x': prediction holds class id -1"),
        ([[0, 1]], [[0, 3]], r"'x': ground truth holds class id 3; expected 0\.\.2 or 255"),
        ([[0, 1]], [[0, -1]], "'x': ground truth holds class id -1"),
        ([[0.0, 1.0]], [[0, 1]], "'x': prediction of type float64"),
    ],
)
def test_impossible_images_are_refused(prediction: list[list[float]], truth: list[list[int]], message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        CountsBuilder(3).add("x", np.array(prediction), np.array(truth))


def test_an_image_counts_once() -> None:
    builder = CountsBuilder(2)
    builder.add("x", np.array([[0]]), np.array([[0]]))
    with pytest.raises(BenchmarkError, match="'x' was counted already"):
        builder.add("x", np.array([[0]]), np.array([[0]]))


def test_an_image_of_ignored_pixels_alone_counts_nothing() -> None:
    counts = counted(2, ([[0, 1]], [[255, 255]]))
    assert counts.prediction.sum() == counts.ground_truth.sum() == 0
    assert counts.prediction_on_ignored.tolist() == [[1, 1]]


def test_no_image_gives_empty_counts_that_can_be_saved(tmp_path: Path) -> None:
    counts = CountsBuilder(3).build()
    assert counts.intersection.shape == (0, 3)
    counts.save(tmp_path / "empty.npz")
    assert Counts.load(tmp_path / "empty.npz").image_ids == ()


def test_a_mean_over_nothing_is_an_error_not_a_number(absent_class: Counts) -> None:
    with pytest.raises(BenchmarkError, match=r"none of the classes \[2, 3\]"):
        mean_iou(absent_class, [2, 3])
    with pytest.raises(BenchmarkError, match=r"class ids \[4, 7\] are out of range"):
        mean_iou(absent_class, [0, 4, 7])
    with pytest.raises(BenchmarkError, match="Did you mean 'paper'"):
        mean_iou(absent_class, [0], "papper")  # type: ignore[arg-type]
