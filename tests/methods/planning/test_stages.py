"""Which cells share which stages: nothing but equal keys does the sharing."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmark.datasets import DatasetInfo
from benchmark.datasets.base import Split
from benchmark.errors import BenchmarkError
from benchmark.registry import Cell, Method
from benchmark.settings import to_json
from benchmark.stage import Stage, closure
from methods import fully_oracle, simformer
from methods.planning import stages as plans
from methods.settings import (
    LargeFovSettings,
    MaskFormerSettings,
    PretrainSettings,
    RetrainSettings,
    SimFormerSettings,
    TrainingSettings,
)

INFO = DatasetInfo(name="toy", title="Toy", classes=("a", "b", "c", "d"), digest="0" * 64, train=10, test=5)


def cell(method: Method, variant: str = "", novel: tuple[int, ...] = (3,), seed: int = 0, **sections: Any) -> Cell:
    base = tuple(i for i in range(4) if i not in novel)
    settings = {name: cls() for name, cls in method.settings.items()} | sections
    return Cell(INFO, Split(dataset="toy", name=f"S{novel}", novel=novel, base=base), variant, seed, settings)


def kinds(*stages: Stage) -> list[str]:
    return [stage.kind for stage in closure(stages)]


def test_the_oracle_is_trained_once_for_every_split() -> None:
    method = fully_oracle.METHOD
    first, second = (method.plan(cell(method, novel=novel)) for novel in ((3,), (2, 3)))
    assert first.key == second.key
    assert first.key != method.plan(cell(method, seed=1)).key


def test_pretraining_is_shared_by_splits_seeds_and_methods() -> None:
    pretrain = PretrainSettings(iterations=5)
    stages = [
        method.plan(cell(method, novel=novel, seed=seed, pretrain=pretrain))
        for method in (fully_oracle.METHOD, simformer.METHOD)
        for novel in ((3,), (2,))
        for seed in (0, 1)
    ]
    assert kinds(*stages).count("pretrain") == 1


def test_star_continues_the_plain_method() -> None:
    method = simformer.METHOD
    plain, star = method.plan(cell(method)), method.plan(cell(method, "retrained"))
    assert kinds(plain, star) == ["train", "evaluate", "pseudo_label", "retrain", "evaluate"]
    assert star.inputs["model"].inputs["pseudo_labels"].inputs["model"].key == plain.inputs["model"].key


def retraining(**sections: Any) -> Stage:
    return simformer.METHOD.plan(cell(simformer.METHOD, "retrained", **sections)).inputs["model"]


def test_either_network_is_retrained_on_the_same_pseudo_labels() -> None:
    largefov = RetrainSettings("largefov")
    usual, other = retraining(), retraining(retrain=largefov)
    assert usual.key != other.key
    assert (usual.kind, other.kind) == ("retrain", "retrain")
    assert "MaskFormer" in usual.name
    assert "LargeFOV" in other.name
    assert usual.inputs["pseudo_labels"].key == other.inputs["pseudo_labels"].key


def test_a_networks_key_holds_only_its_own_settings() -> None:
    largefov, wide = RetrainSettings("largefov"), LargeFovSettings(hidden=64)
    assert retraining().key == retraining(largefov=wide).key
    usual = retraining(retrain=largefov)
    assert usual.key != retraining(retrain=largefov, largefov=wide).key
    assert set(usual.params) == {"dataset", "seed", "input", "maskformer", "largefov", "novel"}
    heads = MaskFormerSettings(heads=4)
    changed = retraining(retrain=largefov, maskformer=heads)
    assert changed.params == usual.params  # only the pseudo labels may depend on MaskFormer's decoder
    estimate = retraining(retrain=largefov, largefov=LargeFovSettings(seconds_per_iteration=1.0))
    assert estimate.key == usual.key
    assert estimate.cost == 15_000


def test_pretrained_weights_are_named_where_nothing_is_pretrained() -> None:
    largefov, weights = RetrainSettings("largefov"), MaskFormerSettings(weights="imagenet")
    bare = retraining(retrain=largefov, maskformer=weights)
    assert bare.params["maskformer"] == {"backbone": "resnet50", "backbone_width": 64, "weights": "imagenet"}
    based = retraining(retrain=largefov, maskformer=weights, pretrain=PretrainSettings(iterations=5))
    assert set(based.params["maskformer"]) == {"backbone", "backbone_width"}
    assert set(based.inputs) == {"backbone", "pseudo_labels"}


def params_of(*stages: Stage) -> list[dict[str, Any]]:
    return [dict(stage.params) for stage in closure(stages)]


def every_plan(**sections: Any) -> list[Stage]:
    return [
        method.plan(cell(method, variant, **sections))
        for method in (fully_oracle.METHOD, simformer.METHOD)
        for variant in method.variants
    ]


@pytest.mark.parametrize("weights", ["", "imagenet"])
@pytest.mark.parametrize("iterations", [0, 5])
def test_weights_that_are_no_file_leave_no_digest(weights: str, iterations: int) -> None:
    settings = MaskFormerSettings(weights=weights)
    for retrain in (RetrainSettings("maskformer"), RetrainSettings("largefov")):
        plans = every_plan(maskformer=settings, pretrain=PretrainSettings(iterations=iterations), retrain=retrain)
        for params in params_of(*plans):
            assert "weights_sha256" not in params
            assert set(params.get("maskformer", {}).items()) <= set(to_json(settings).items())


@pytest.mark.parametrize("iterations", [0, 5])
def test_the_content_of_weights_enters_every_key_that_rests_on_it(iterations: int, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    sections = {
        "maskformer": MaskFormerSettings(weights=str(path)),
        "pretrain": PretrainSettings(iterations=iterations),
    }
    for retrain in (RetrainSettings("maskformer"), RetrainSettings("largefov")):
        keys = []
        for content in (b"one", b"another"):
            path.write_bytes(content)
            stages = every_plan(**sections, retrain=retrain)
            keys.append({stage.key for stage in closure(stages)})
            named = [params for params in params_of(*stages) if "weights" in params.get("maskformer", {})]
            assert {params["weights_sha256"] for params in named} == {hashlib.sha256(content).hexdigest()}
            loading = [stage for stage in closure(stages) if "weights" in stage.hints]
            assert {stage.hints["weights"] for stage in loading} == {str(path)}
            assert {stage.kind for stage in loading} >= {"train"}
        assert not keys[0] & keys[1]


def test_where_the_file_of_weights_lies_enters_no_key(tmp_path: Path) -> None:
    found = []
    for folder in ("here", "there"):
        path = tmp_path / folder / "w.pth"
        path.parent.mkdir()
        path.write_bytes(b"one")
        stages = every_plan(maskformer=MaskFormerSettings(weights=str(path)), retrain=RetrainSettings("largefov"))
        found.append([stage.key for stage in closure(stages)])
        assert str(tmp_path) not in json.dumps(list(params_of(*stages)))
    assert found[0] == found[1]


def test_weights_that_do_not_exist_are_missed_when_planning() -> None:
    method = fully_oracle.METHOD
    with pytest.raises(BenchmarkError, match=r"maskformer\.weights = 'imagnet': there is no such file.*'imagenet' to"):
        method.plan(cell(method, maskformer=MaskFormerSettings(weights="imagnet")))


def test_a_stage_may_insist_on_a_network() -> None:
    planned = cell(simformer.METHOD, "retrained", retrain=RetrainSettings("maskformer"))
    labels = retraining().inputs["pseudo_labels"]
    assert (
        plans.retrain(planned, labels, "SimFormer", "largefov").key
        == retraining(retrain=RetrainSettings("largefov")).key
    )
    assert plans.retrain(planned, labels, "SimFormer").key == retraining().key


def test_variants_differ_and_basic_does_not_depend_on_the_number_of_points() -> None:
    method = simformer.METHOD
    assert len({method.plan(cell(method, variant)).key for variant in method.variants}) == 5
    fewer = SimFormerSettings(points=50)
    assert method.plan(cell(method, simformer=fewer)).key != method.plan(cell(method)).key
    assert method.plan(cell(method, "basic", simformer=fewer)).key == method.plan(cell(method, "basic")).key


@pytest.mark.parametrize(
    ("section", "change"),
    [("evaluation", {"seconds_per_image": 9.0}), ("training", {"seconds_per_iteration": 9.0})],
)
def test_estimates_change_the_cost_but_no_key(section: str, change: dict[str, Any]) -> None:
    method = simformer.METHOD
    before = cell(method)
    after = cell(method, **{section: replace(before.settings[section], **change)})
    one, other = method.plan(before), method.plan(after)
    assert one.key == other.key
    assert [s.cost for s in closure([one])] != [s.cost for s in closure([other])]


def test_test_time_input_changes_the_evaluation_but_not_the_training() -> None:
    method = simformer.METHOD
    before = cell(method)
    after = cell(method, input=replace(before.settings["input"], test_short=320))
    one, other = method.plan(before), method.plan(after)
    assert one.key != other.key
    assert one.inputs["model"].key == other.inputs["model"].key


def test_training_stages_never_see_the_full_ground_truth() -> None:
    method = simformer.METHOD
    stages = closure([method.plan(cell(method, "retrained", pretrain=PretrainSettings(iterations=5)))])
    assert {stage.kind for stage in stages if stage.access == "evaluation"} == {"evaluate"}


def test_unknown_variant_and_preset_name_what_exists() -> None:
    method = simformer.METHOD
    with pytest.raises(BenchmarkError, match="self_pair"):
        method.plan(cell(method, "self-pair"))
    with pytest.raises(BenchmarkError, match="official"):
        method.preset("oficial", "mini", "S1")


def test_the_official_preset_restores_the_released_codes_weights() -> None:
    method = simformer.METHOD
    assert method.preset("official", "coco-stuff-10k", "S1")["simformer.distillation_weight"] == 0.0
    assert method.preset("official", "coco-stuff-10k", "S3")["simformer.distillation"] == "ce"
    assert method.preset("paper", "ade20k", "S1")["simformer.distillation_weight"] == 0.5
    for dotted in method.preset("official", "ade20k", "S1"):
        section, field = dotted.split(".")
        assert hasattr(method.settings[section](), field), dotted


def test_threads_of_the_input_are_a_hint_that_changes_no_key() -> None:
    method = simformer.METHOD
    before = cell(method, "retrained")
    after = cell(method, "retrained", input=replace(before.settings["input"], workers=3))
    one, other = method.plan(before), method.plan(after)
    assert one.key == other.key
    trainings = [stage for stage in closure([other]) if stage.kind in {"train", "retrain"}]
    assert [stage.hints for stage in trainings] == [{"workers": 3}] * 2


def test_one_setting_says_how_many_processes_every_training_emulates() -> None:
    four = TrainingSettings(emulate_world_size=4)
    for method, variant in ((fully_oracle.METHOD, ""), (simformer.METHOD, "basic"), (simformer.METHOD, "")):
        before, after = (method.plan(cell(method, variant, training=t)) for t in (TrainingSettings(), four))
        assert before.inputs["model"].key != after.inputs["model"].key
        assert after.inputs["model"].params["training"]["emulate_world_size"] == 4
    assert retraining().key != retraining(training=four).key


def test_a_limit_on_passes_that_limits_nothing_changes_no_key() -> None:
    method = fully_oracle.METHOD
    whole, limited, loose = (
        method.plan(cell(method, training=TrainingSettings(micro_batch=size))).key for size in (0, 2, 8)
    )
    assert whole == loose
    assert whole != limited
    groups = TrainingSettings(emulate_world_size=4, micro_batch=2)  # of two images each
    assert retraining(training=groups).key == retraining(training=replace(groups, micro_batch=0)).key
    largefov = RetrainSettings("largefov")
    passes = {
        size: retraining(retrain=largefov, largefov=LargeFovSettings(micro_batch=size)).key for size in (0, 2, 10)
    }
    assert passes[0] == passes[10] != passes[2]


def test_passes_are_refused_where_batch_norms_learn() -> None:
    narrow = MaskFormerSettings(backbone="narrow", memory_stride=8)
    small = LargeFovSettings(micro_batch=2, freeze_norms=False)
    largefov = RetrainSettings("largefov")
    with pytest.raises(BenchmarkError, match=r"largefov\.micro_batch = 2 .* 'narrow' trains"):
        retraining(retrain=largefov, largefov=small, maskformer=narrow)
    retraining(retrain=largefov, largefov=replace(small, freeze_norms=True), maskformer=narrow)
    retraining(retrain=largefov, largefov=small)  # resnet50
    few = TrainingSettings(micro_batch=2)
    with pytest.raises(BenchmarkError, match="'narrow' trains"):
        fully_oracle.METHOD.plan(cell(fully_oracle.METHOD, training=few, maskformer=narrow))
    with pytest.raises(BenchmarkError, match="SimNet trains"):
        simformer.METHOD.plan(cell(simformer.METHOD, training=few))
    simformer.METHOD.plan(cell(simformer.METHOD, "basic", training=few))
