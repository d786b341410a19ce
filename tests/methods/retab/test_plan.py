"""What a cell of RETAB consists of, what shares a stage, and which settings are refused."""

from dataclasses import fields
from typing import Any

import pytest

from benchmark.errors import BenchmarkError
from benchmark.settings import to_json
from benchmark.stage import closure
from benchmark.validation import validated
from methods.retab import METHOD
from methods.retab.settings import OFFICIAL, RetabSettings
from tests.methods.retab.support import cell, plan
from tests.methods.wsss.support import changed

OWN = ("activation_maps", "train_boundary", "label_training_images", "train_affinity", "propagate")
AFTER = ("train_supervised", "evaluate")


def test_a_cell_has_five_stages_before_the_retraining() -> None:
    stages = plan()
    assert set(stages) == {"pretrain", *OWN, *AFTER}
    assert {stage.access for name, stage in stages.items() if name != "evaluate"} == {"training"}
    assert stages["train_supervised"].inputs["pseudo_labels"].key == stages["propagate"].key
    assert all(stage.cost > 0 for stage in stages.values())


def test_activation_maps_serve_every_split_and_seed_and_nothing_else_does() -> None:
    first = plan()
    for other in (plan(novel=(3,)), plan(seed=1)):
        assert changed(first, other) == {*OWN, *AFTER} - {"activation_maps"}


@pytest.mark.parametrize(
    ("change", "earliest"),
    [
        ({"cam.scales": [1.0]}, "activation_maps"),
        ({"retab.boundary_iterations": 5}, "train_boundary"),
        ({"retab.boundary_threshold": 0.4}, "label_training_images"),
        ({"retab.mining_tau": 0.3}, "label_training_images"),
        ({"retab.affinity_lr": 0.5}, "train_affinity"),
        ({"retab.tau": 0.3}, "propagate"),
        ({"retab.clamp": False}, "propagate"),
        ({"training.iterations": 5, "maskformer.hidden": 8, "evaluation.part": "val"}, "train_supervised"),
        ({"input.test_short": 48}, "evaluate"),
    ],
)
def test_a_setting_is_in_the_key_of_what_depends_on_it_alone(change: dict[str, Any], earliest: str) -> None:
    before, after = plan(), plan(change)
    found = changed(before, after)
    assert earliest in found
    ancestors = {stage.function.split(":")[1] for stage in closure(before[earliest].inputs.values())}
    assert not found & ancestors


def test_ribs_activation_maps_may_take_the_place_of_plain_ones() -> None:
    stages = plan({"retab.initial": "rib"})
    assert stages["propagate"].inputs["cam"].function == "methods.rib.maps:activation_maps"
    assert stages["label_training_images"].inputs["cam"].key == stages["activation_maps"].key
    with pytest.raises(BenchmarkError, match="trained_stages is 3"):
        METHOD.plan(cell({"retab.initial": "rib", "rib.trained_stages": 3}))
    assert METHOD.plan(cell({"rib.trained_stages": 3})).key == METHOD.plan(cell()).key


@pytest.mark.parametrize("name", sorted(set(to_json(RetabSettings())) - {"initial"}))
def test_every_setting_is_in_some_key(name: str) -> None:
    assert any(name in stage.params.get("retab", {}) for stage in plan().values())


def test_estimates_change_costs_but_no_key() -> None:
    estimates = {field.name for field in fields(RetabSettings)} - set(to_json(RetabSettings()))
    assert estimates == {"seconds_per_iteration", "seconds_per_image"}
    before, after = plan(), plan({f"retab.{name}": 77.0 for name in estimates})
    assert not changed(before, after)
    assert all(before[name].cost != after[name].cost for name in OWN[1:])


def test_the_official_preset_is_the_released_propagation() -> None:
    official = plan({name: value for name, value in OFFICIAL.items() if name != "retab.mining"}, preset="official")
    assert official["propagate"].params["retab"]["clamp"] is False
    assert official["label_training_images"].params["retab"]["mining"] == "crf"


@pytest.mark.parametrize(
    "wrong",
    [
        {"affinity_radius": 1},
        {"boundary_radius": 0},
        {"tau": 1.5},
        {"widths": []},
        {"initial": "mcis"},
        {"clamp": "yes"},
        {"mining": "psa"},
        {"boundary_lr": float("nan")},
    ],
)
def test_values_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BenchmarkError, match=next(iter(wrong))):
        validated(RetabSettings, wrong, "retab")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"retab.stride": 32}, "strides 4, 8, 16"),
        ({"retab.widths": [4, 4]}, "strides 8, 16"),
        ({"retab.widths": [4, 4, 4, 4]}, "has 3 feature maps"),
        ({"retab.boundary_kernel": 4}, "odd"),
        ({"cam.scales": [1.0, 1.0]}, "twice"),
        ({"maskformer.hidden": 9}, "maskformer.hidden"),
    ],
)
def test_settings_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        METHOD.plan(cell(change))
