"""What a cell of RETAB consists of, what shares a stage, and which settings are refused."""

import subprocess
import sys
from typing import Any

import pytest

from benchmark.config import load_profile, resolve
from benchmark.errors import BenchmarkError
from benchmark.stage import closure
from benchmark.validation import validated
from methods.retab import METHOD
from methods.retab.settings import MINI, OFFICIAL, SMOKE, RetabSettings
from methods.settings import ESTIMATES, to_json
from tests.methods.retab.support import cell, plan

OWN = ("activation_maps", "train_boundary", "label_training_images", "train_affinity", "propagate")
AFTER = ("train_supervised", "evaluate")


def changed(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    assert one.keys() == other.keys()
    return {name for name in one if one[name].key != other[name].key}


def test_a_cell_has_five_stages_before_the_retraining() -> None:
    stages = plan()
    assert set(stages) == {"pretrain", *OWN, *AFTER}
    assert {stage.access for name, stage in stages.items() if name != "evaluate"} == {"training"}
    assert stages["train_supervised"].inputs["pseudo_labels"].key == stages["propagate"].key
    assert all(stage.cost > 0 for stage in stages.values())


def test_the_plain_variant_is_the_retrained_one() -> None:
    assert METHOD.plan(cell()).key == METHOD.plan(cell(variant="retrained")).key
    assert METHOD.plan(cell()).name == "evaluation of RETAB*, S(2, 3), seed 0"


def test_activation_maps_serve_every_split_and_seed_and_nothing_else_does() -> None:
    first = plan()
    for other in (plan(novel=(3,)), plan(seed=1)):
        assert changed(first, other) == {*OWN, *AFTER} - {"activation_maps"}


@pytest.mark.parametrize(
    ("change", "earliest"),
    [
        ({"retab.cam_scales": [1.0]}, "activation_maps"),
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


@pytest.mark.parametrize("name", list(to_json(RetabSettings())))
def test_every_setting_is_in_some_key(name: str) -> None:
    assert any(name in stage.params.get("retab", {}) for stage in plan().values())


def test_estimates_change_costs_but_no_key() -> None:
    before, after = plan(), plan({f"retab.{name}": 77.0 for name in ESTIMATES})
    assert not changed(before, after)
    assert all(before[name].cost != after[name].cost for name in OWN)


def test_presets() -> None:
    assert METHOD.preset("paper", "mini", "S1") == {}
    official = plan({name: value for name, value in OFFICIAL.items() if name != "retab.mining"}, preset="official")
    assert official["propagate"].params["retab"]["clamp"] is False
    assert official["label_training_images"].params["retab"]["mining"] == "crf"
    with pytest.raises(BenchmarkError, match="official, paper"):
        METHOD.preset("oficial", "mini", "S1")
    with pytest.raises(BenchmarkError, match="retrained"):
        METHOD.plan(cell(variant="re-trained"))


@pytest.mark.parametrize(("profile", "values"), [("mini", MINI), ("smoke", SMOKE)])
def test_the_sizes_for_the_profiles_are_valid(profile: str, values: dict[str, Any]) -> None:
    overrides = {"here": {f"retab.{name}": value for name, value in values.items()}}
    settings = resolve(METHOD, load_profile(profile), "mini", "S1", "paper", overrides)
    assert settings["retab"].stride == 4
    assert METHOD.plan(cell({f"retab.{name}": value for name, value in values.items()})).key


@pytest.mark.parametrize(
    "wrong",
    [
        {"affinity_radius": 1},
        {"boundary_radius": 0},
        {"tau": 1.5},
        {"widths": []},
        {"cam_scales": [0.0]},
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
        ({"pretrain.iterations": 0}, "pretrain.iterations is 0"),
        ({"retab.stride": 32}, "strides 4, 8, 16"),
        ({"retab.widths": [4, 4]}, "strides 8, 16"),
        ({"retab.widths": [4, 4, 4, 4]}, "has 3 feature maps"),
        ({"retab.boundary_kernel": 4}, "odd"),
        ({"retab.cam_scales": [1.0, 1.0]}, "twice"),
        ({"maskformer.hidden": 9}, "maskformer.hidden"),
    ],
)
def test_settings_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        METHOD.plan(cell(change))


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(BenchmarkError) as caught:
        METHOD.plan(cell({"pretrain.iterations": 0, "retab.stride": 5, "retab.boundary_kernel": 2}))
    assert len(str(caught.value).splitlines()) == 3


def test_planning_imports_no_torch() -> None:
    code = "import sys, methods.retab, methods.retab.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
