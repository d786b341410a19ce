"""What MLflow holds of a finished stage."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from benchmark.splits import class_names, split
from benchmark.store import Store
from benchmark.tracking import Delivery, Mirror, records
from tests.benchmark.tracking.support import (
    KEY,
    STARTED,
    Client,
    all_runs,
    counts_of_mini,
    files_of,
    finish,
    history,
    record,
)


def test_complete_stage_arrives_with_times_parameters_curves_numbers_and_files(store: Store, client: Client) -> None:
    finish(store)
    update = Mirror(store).update(KEY)
    assert update is not None
    assert (update.outcomes, update.running) == ((Delivery.SENT,), False)
    (run,) = all_runs(client)
    assert client.get_experiment(run.info.experiment_id).name == "weak-shot segmentation, mini"
    assert (run.info.run_name, run.info.status) == ("simformer train S4 seed 0", "FINISHED")
    assert (run.info.start_time, run.info.end_time) == (1_700_000_000_250, 1_700_000_060_250)
    assert run.data.params == {
        "training.steps": "300",
        "training.rate": "0.0001",
        "novel": "[1, 2]",
        "inputs.pretrained": "cd" * 32,
    }
    assert {name: value for name, value in run.data.metrics.items() if name != "summary/undefined"} == {
        "loss": 0.2,
        "lr": 0.1,
        "summary/loss": 0.5,
        "summary/best.step": 4.0,
        "wall_seconds": 60.0,
        "cpu_seconds": 55.5,
    }
    assert math.isnan(run.data.metrics["summary/undefined"])
    assert history(client, run) == [(s, round(1000 * (STARTED + s / 10)), 1 / (1 + s)) for s in range(5)]
    assert files_of(client, run) == {"stage.json", "result.json", "curves.jsonl", "log.txt"}


def test_tags_say_what_the_run_belongs_to(store: Store, client: Client) -> None:
    cells = [
        {"dataset": "mini", "split": name, "method": "fully_oracle", "variant": "", "seed": 0} for name in ("S1", "S2")
    ]
    finish(store, cells=cells, attempts=[record(node="n1", job="17_3")])
    Mirror(store).update(KEY)
    (run,) = all_runs(client)
    expected = {
        "dataset": "mini",
        "split": "S1, S2",
        "method": "fully_oracle",
        "seed": "0",
        "kind": "train",
        "stage_key": KEY,
        "attempt": "1",
        "host": "h",
        "node": "n1",
        "job": "17_3",
        "git_commit": "f" * 40,
        "mlflow.source.git.commit": "f" * 40,
        "git_dirty": "False",
        "device": "cpu",
    }
    assert expected.items() <= run.data.tags.items()
    assert "variant" not in run.data.tags  # an empty one says nothing


def test_counts_arrive_as_iou_of_each_class_and_miou_of_each_split(store: Store, client: Client) -> None:
    cells = [{"dataset": "mini", "split": name, "method": "m", "variant": "", "seed": 0} for name in ("S4", "S9")]
    counts = counts_of_mini()
    finish(store, counts=counts, kind="evaluate", cells=cells)
    Mirror(store).update(KEY)
    (run,) = all_runs(client)
    found = run.data.metrics
    names = class_names("mini")
    ious = {name.removeprefix("iou/"): value for name, value in found.items() if name.startswith("iou/")}
    assert set(ious) == set(names[1:])  # class 0 is absent from the images
    assert ious[names[3]] == pytest.approx(30.0)
    for name in ("S4", "S9"):
        novel = [c for c in split("mini", name).novel if c != 0]
        assert found[f"novel_miou/{name}"] == pytest.approx(np.mean([ious[names[c]] for c in novel]))
    assert found["overall_miou"] == pytest.approx(np.mean(list(ious.values())))
    assert "counts.npz" in files_of(client, run)


def test_counts_without_known_classes_or_splits_still_arrive(store: Store, client: Client) -> None:
    cells = [{"dataset": "elsewhere", "split": "S4", "method": "m", "variant": "", "seed": 0}]
    finish(store, counts=counts_of_mini(), cells=cells)
    assert Mirror(store).update(KEY) is not None
    (run,) = all_runs(client)
    assert "iou/class 003" in run.data.metrics
    assert not any(name.startswith("novel_miou") for name in run.data.metrics)


def test_a_dataset_of_ones_own_has_names_and_splits(store: Store, client: Client) -> None:
    names = [f"kind {number}" for number in range(20)]
    own = {"dataset": "own", "split": "A", "method": "m", "variant": "", "seed": 0, "classes": names, "novel": [3, 4]}
    finish(store, counts=counts_of_mini(), cells=[own])
    Mirror(store).update(KEY)
    (run,) = all_runs(client)
    found = run.data.metrics
    assert found["iou/kind 3"] == pytest.approx(30.0)
    assert found["novel_miou/A"] == pytest.approx((found["iou/kind 3"] + found["iou/kind 4"]) / 2)
    assert "base_miou/A" in found


def test_broken_counts_are_said_and_the_run_arrives_all_the_same(store: Store, client: Client) -> None:
    finish(store)
    (store.folder(KEY) / "counts.npz").write_bytes(b"no zip file")
    assert Mirror(store).update(KEY) is not None
    (run,) = all_runs(client)
    assert run.info.status == "FINISHED"
    assert "counts.npz" in run.data.tags["no_scores"]


def test_long_and_odd_parameters_are_made_to_fit(store: Store, client: Client) -> None:
    many = {f"p{number:03d}": number for number in range(250)}
    odd = {"a?": 1, "a!": 2, "../up": 3, "//": 4, "n" * 300: 5, "n" * 299 + "m": 6, "text": "x" * 9000, "none": None}
    finish(store, params={**many, **odd, "empty": {}})
    assert Mirror(store).update(KEY) is not None
    (run,) = all_runs(client)
    found = run.data.params
    assert (found["a_"], found["a__2"], found["up"], found["_"]) == ("1", "2", "3", "4")
    assert (found["none"], found["empty"]) == ("null", "{}")
    assert len(found["text"]) == records.VALUE_LIMIT
    assert found["text"].endswith("…")
    assert sum(value in {"5", "6"} for name, value in found.items() if name.startswith("nnn")) == 2
    assert len(found) == len(many) + len(odd) + 2


@pytest.mark.parametrize(
    "name", ["iou/wall-other(wood)", "iou/é", "..", "", "/a//b/", ". /x", "a/../b", "x" * 400, "…"]
)
def test_every_name_becomes_one_that_mlflow_takes(name: str) -> None:
    from mlflow.utils import validation

    check: Callable[..., None] = validation._validate_metric
    check(records.legal(name), 1.0, 0, 0)
