from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from methods.pseudo_labels import merge

NOVEL = frozenset({3, 4, 5})


def test_golden(released: Mapping[str, Any]) -> None:
    truth, prediction, expected = released["ev_gt"], released["ev_pred"], released["pl_out"]
    base_mask = np.where(truth < 3, truth, 255)
    merged = merge(prediction, np.unique(truth[truth != 255]).tolist(), NOVEL, base_mask)
    assert merged.dtype == np.uint8
    assert np.array_equal(merged, expected)


def test_rules_one_by_one() -> None:
    prediction = np.array([[3, 3, 4, 0, 1]])
    base_mask = np.array([[255, 0, 255, 255, 1]])
    merged = merge(prediction, {0, 1, 3}, NOVEL, base_mask)
    # present novel; the base mask wins; absent novel; predicted base without mask; base
    assert merged.tolist() == [[3, 0, 255, 255, 1]]


def test_image_without_novel_classes_keeps_its_base_mask() -> None:
    prediction = np.array([[3, 4], [5, 0]])
    base_mask = np.array([[255, 2], [255, 0]])
    assert np.array_equal(merge(prediction, [0, 2], NOVEL, base_mask), base_mask)


def test_a_base_mask_that_shows_novel_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="novel"):
        merge(np.zeros((2, 2), int), [0], NOVEL, np.array([[0, 3], [0, 0]]))


def test_sizes_must_agree() -> None:
    with pytest.raises(ValueError, match="size"):
        merge(np.zeros((2, 2), int), [0], NOVEL, np.zeros((2, 1), int))
