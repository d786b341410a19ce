"""Colours of classes."""

import numpy as np
import pytest

from benchmark.report.plots.palette import NO_LABEL, class_colours, oklab, painted


def test_a_class_has_one_colour_however_many_there_are() -> None:
    assert (class_colours(20) == class_colours(171)[:20]).all()


@pytest.mark.parametrize(("count", "least"), [(21, 0.10), (60, 0.06), (171, 0.04)])
def test_colours_are_told_apart_from_each_other_and_from_no_label(count: int, least: float) -> None:
    lab = oklab(np.vstack([class_colours(count), np.array([NO_LABEL, (255, 255, 255)], dtype=np.uint8)]))
    apart = np.linalg.norm(lab[:, None] - lab, axis=-1)
    assert apart[~np.eye(len(lab), dtype=bool)].min() > least


def test_as_many_colours_as_a_mask_may_have_classes() -> None:
    assert len(np.unique(class_colours(255), axis=0)) == 255


def test_lightness_of_grey() -> None:
    assert oklab(np.array([[255, 255, 255], [0, 0, 0]], dtype=np.uint8)) == pytest.approx(
        np.array([[1, 0, 0], [0, 0, 0]]), abs=1e-4
    )


def test_ids_without_a_colour_have_no_label() -> None:
    colours = class_colours(2)
    picture = painted(np.array([[0, 1, 2, 255]], dtype=np.uint8), colours)
    assert picture.tolist() == [[*colours.tolist(), list(NO_LABEL), list(NO_LABEL)]]
