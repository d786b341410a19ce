"""What a cell of RIB consists of, what shares a stage, and which settings are refused."""

from dataclasses import fields, replace
from typing import Any

import pytest

from benchmark.errors import BenchmarkError
from benchmark.settings import to_json
from benchmark.validation import validated
from methods.rib import METHOD
from methods.rib.settings import OFFICIAL, RibSettings
from tests.methods.rib.support import cell, plan
from tests.methods.wsss.support import changed

SHARED = ("pretrain", "activation_maps", "label_training_images", "train_edges", "propagate")
AFTER = ("merge_masks", "train_supervised", "evaluate")


def test_a_cell_has_five_stages_before_the_retraining() -> None:
    stages = plan()
    assert set(stages) == {*SHARED, *AFTER}
    assert {stage.access for name, stage in stages.items() if name != "evaluate"} == {"training"}
    assert stages["train_supervised"].inputs["pseudo_labels"].key == stages["merge_masks"].key
    assert all(stage.cost > 0 for stage in stages.values())


@pytest.mark.parametrize("preset", ["paper", "official"])
def test_all_before_the_merge_serves_every_split_and_training_seed(preset: str) -> None:
    first = plan(preset=preset)
    assert changed(first, plan(novel=(3,), preset=preset)) == set(AFTER)
    assert changed(first, plan(novel=(0, 1, 2, 3), preset=preset)) == set(AFTER)
    assert changed(first, plan(seed=1, preset=preset)) == set(AFTER) - {"merge_masks"}
    assert all(first[name].params["novel"] == [0, 1, 2, 3] for name in SHARED)


@pytest.mark.parametrize(
    ("change", "moved"),
    [
        ({"rib.cam_scales": [1.0]}, "activation_maps"),
        ({"rib.steps": 5}, "activation_maps"),
        ({"rib.confident": 0.4}, "label_training_images"),
        ({"rib.background": "none"}, "label_training_images"),
        ({"rib.edge_lr": 0.5}, "train_edges"),
        ({"rib.edge_width": 8}, "train_edges"),
        ({"rib.power": 1.0}, "propagate"),
        ({"rib.reject": 0.3}, "propagate"),
        ({"rib.argmax": "novel"}, "merge_masks"),
        ({"training.iterations": 5, "maskformer.hidden": 8}, "train_supervised"),
        ({"input.test_short": 48}, "evaluate"),
    ],
)
def test_a_setting_is_in_the_key_of_what_depends_on_it_alone(change: dict[str, Any], moved: str) -> None:
    order = [*SHARED, *AFTER]
    assert changed(plan(), plan(change)) == set(order[order.index(moved) :])


@pytest.mark.parametrize("name", list(to_json(RibSettings())))
def test_every_setting_is_in_some_key(name: str) -> None:
    stages = plan().values()
    assert any(name in {**stage.params.get("rib", {}), **stage.params.get("cam", {})} for stage in stages)


def test_estimates_change_costs_but_no_key() -> None:
    estimates = {field.name for field in fields(RibSettings)} - set(to_json(RibSettings()))
    assert estimates == {"seconds_per_iteration", "seconds_per_image"}
    before, after = plan(), plan({f"rib.{name}": 77.0 for name in estimates})
    assert not changed(before, after)
    assert all(before[name].cost != after[name].cost for name in (*SHARED[1:], "merge_masks"))


def test_the_official_preset_is_the_released_code() -> None:
    official = plan(preset="official")
    assert official["activation_maps"].params["rib"]["max_class"] == 20
    assert official["activation_maps"].params["rib"]["stop_rule"] == "sum"
    assert official["train_edges"].params["rib"]["background"] == "class"
    defaults = to_json(RibSettings())
    assert all(defaults[name.removeprefix("rib.")] != value for name, value in OFFICIAL.items())


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"companions": 0},
        {"tau": 1.5},
        {"momentum": 1.0},
        {"max_class": 0},
        {"edge_radius": 1},
        {"walk_radius": 1},
        {"companion_long_side": [24]},
        {"cam_scales": []},
        {"stop_rule": "max"},
        {"explode_area": -0.1},
        {"background": "base"},
        {"argmax": "base"},
        {"lr": float("nan")},
    ],
)
def test_values_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BenchmarkError, match=next(iter(wrong))):
        validated(RibSettings, wrong, "rib")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rib.trained_stages": 3}, "has 3 stages"),
        ({"rib.cam_scales": [1.0, 1.0]}, "twice"),
        ({"rib.cam_scales": [0.5], "rib.explode_rule": "off"}, "give no logits"),
        ({"rib.cam_scales": [1.5]}, "looks at scale 1"),
        ({"rib.companion_long_side": [40, 24]}, "smaller side first"),
        ({"rib.edge_width": 5}, "multiple of rib.edge_groups"),
        ({"rib.background": "class", "rib.confident": 0.1}, "at most rib.confident"),
        ({"maskformer.hidden": 9}, "maskformer.hidden"),
    ],
)
def test_settings_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        METHOD.plan(cell(change))


@pytest.mark.parametrize(("classes", "refused"), [(254, False), (255, True)])
def test_a_background_class_needs_an_id(classes: int, *, refused: bool) -> None:
    few = cell({"rib.background": "class"})
    many = replace(few, dataset=replace(few.dataset, classes=tuple(map(str, range(classes)))))
    assert ("no id for one more" in "\n".join(METHOD.mistakes(many))) == refused
