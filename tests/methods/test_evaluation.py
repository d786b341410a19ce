"""Evaluation: the label maps that it offers are the predictions that it counts."""

from pathlib import Path

import numpy as np
import pytest

from benchmark.labels import mask_path, prediction_stage, read_mask
from benchmark.metrics import Counts, CountsBuilder
from benchmark.stage import closure
from tests.methods.support import Few, plan, run


@pytest.mark.parametrize("at", [1.0, 0.5])
def test_predictions_are_those_that_are_counted(at: float, tmp_path: Path, few: Few) -> None:
    evaluation = plan("fully_oracle", overrides={"training.snapshots": 2, "evaluation.at": at})
    for stage in closure([evaluation]):
        counted = run(stage, tmp_path, few)
    ids = few.ids("test")
    predicted = run(prediction_stage(evaluation, ids), tmp_path, few)
    counts = CountsBuilder(len(few.info.classes))
    for image_id in ids:
        truth = few.mask(image_id)
        counts.add(image_id, read_mask(mask_path(predicted.out, image_id), truth.shape), truth)
    expected = Counts.load(counted.out / "counts.npz")
    found = counts.build()
    assert found.image_ids == expected.image_ids
    assert np.array_equal(found.prediction, expected.prediction)
    assert np.array_equal(found.intersection, expected.intersection)
    assert predicted.reports == len(ids)


def test_every_network_offers_its_predictions() -> None:
    evaluations = [plan(*one) for one in (("fully_oracle",), ("simformer",), ("retab", "retrained"), ("cam",))]
    assert {one.maps for one in evaluations} == {"methods.evaluation:predict_images"}
    assert plan("retab", "cam").maps == ""
