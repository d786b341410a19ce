"""Counts survive the way through a page."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchmark.errors import BenchmarkError
from benchmark.metrics import Counts
from benchmark.report.html.blocks import Blocks
from benchmark.report.html.content import Packed
from benchmark.report.html.packing import pack, unpack

PIXELS = st.integers(0, 2**30)


@st.composite
def some_counts(draw: st.DrawFn) -> Counts:
    shape = (draw(st.integers(0, 4)), draw(st.integers(1, 3)))
    hits, missed, wrong, ignored = (draw(arrays(np.int32, shape, elements=PIXELS)) for _ in range(4))
    ids = draw(st.lists(st.text(), min_size=shape[0], max_size=shape[0], unique=True))
    return Counts(tuple(ids), hits, hits + wrong, hits + missed, ignored)


@given(some_counts())
def test_counts_come_back(counts: Counts) -> None:
    blocks = Blocks()
    ((key, found),) = unpack({"key": pack(counts, blocks)}, blocks, counts.classes)
    assert key == "key"
    assert found.image_ids == counts.image_ids
    for name in ("intersection", "prediction", "ground_truth", "prediction_on_ignored"):
        assert np.array_equal(getattr(found, name), getattr(counts, name))
        assert getattr(found, name).dtype == np.int32


def test_evaluations_on_the_same_images_share_all_but_their_errors() -> None:
    truth = np.array([[5, 3], [0, 8]], dtype=np.int32)
    blocks = Blocks()
    packed = [pack(Counts(("a", "b"), hits, hits, truth, np.zeros_like(truth)), blocks) for hits in (truth, truth // 2)]
    assert len(list(blocks)) == 5
    assert packed[0].errors != packed[1].errors
    assert packed[0].truth == packed[1].truth


def test_arrays_of_another_size_are_refused() -> None:
    blocks = Blocks()
    truth = np.ones((2, 3), dtype=np.int32)
    packed = pack(Counts(("a", "b"), truth, truth, truth, truth), blocks)
    with pytest.raises(BenchmarkError, match="24 bytes, which is not an array of size"):
        list(unpack({"key": packed}, blocks, 4))
    with pytest.raises(BenchmarkError, match="no list of image ids"):
        list(unpack({"key": packed.model_copy(update={"images": blocks.add(b"[")})}, blocks, 3))


def test_digests_are_digests() -> None:
    with pytest.raises(ValueError, match="errors"):
        Packed(images="0" * 64, truth="0" * 64, ignored="0" * 64, errors="../../etc/passwd")
