"""Values that no run could use are refused when the plan is made, with their dotted path."""

from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import BenchmarkError
from benchmark.plan import build_plan
from methods.planning.checks import check_emulated_ranks, check_network, check_pairs, check_passes, check_points
from methods.settings import MaskFormerSettings, TrainingSettings


def refusal(**overrides: Any) -> str:
    dotted = {name.replace("__", "."): value for name, value in overrides.items()}
    with pytest.raises(BenchmarkError) as error:
        build_plan(["2"], "mini", "smoke", (0,), splits=["S4"], overrides=[dotted])
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("training.iterations", -5),
        ("training.batch", 0),
        ("training.lr", 0),
        ("training.lr", float("nan")),
        ("training.lr", float("inf")),
        ("training.clip", 0),
        ("training.log_every", 0),
        ("training.warmup", -1),
        ("pretrain.batch", 0),
        ("input.crop", 0),
        ("input.train_short", []),
        ("input.size_divisor", 0),
        ("maskformer.dropout", 1),
        ("maskformer.backbone_width", 1),
        ("maskformer.queries", 0),
        ("maskformer.loss_dice", -1),
        ("simformer.points", 0),
        ("simformer.positive_ratio", 1.5),
        ("simformer.simnet_blocks", 0),
        ("training.emulate_world_size", 0),
        ("training.micro_batch", -1),
        ("training.precision", "fp16"),
        ("input.workers", -1),
        ("retrain.network", "deeplab"),
        ("largefov.dilation", 0),
        ("largefov.momentum", 1),
        ("evaluation.seconds_per_image", -1),
    ],
)
def test_values_out_of_range_are_refused_once_with_their_path(name: str, value: Any) -> None:
    text = refusal(**{name.replace(".", "__"): value})
    assert text.startswith(f"{name} (--set): ")
    assert "\n" not in text


def test_a_size_within_a_list_is_named() -> None:
    assert refusal(input__train_short=[64, -1]).startswith("input.train_short.1 (--set): ")


def test_what_does_not_fit_together_is_refused_when_the_plan_is_made() -> None:
    assert refusal(training__batch=3) == (
        "training.batch = 3 does not divide into pairs on 1 emulated processes: take a multiple of 2."
    )
    assert "has only 256 pixels (16 x 16)" in refusal(simformer__points=257)
    assert "multiple of 4" in refusal(maskformer__heads=3)
    assert "maps at strides 4, 8, 16. Take one" in refusal(maskformer__memory_stride=32)


def test_a_group_that_batch_norms_learn_from_cannot_pass_in_parts() -> None:
    text = "training.micro_batch = 1 would cut a share of 4 images, and change the result: "
    way_out = "Set it to 0; raise training.emulate_world_size for smaller shares."
    basic, pairs = refusal(training__micro_batch=1).splitlines()
    assert basic.startswith(f"{text}backbone 'narrow' trains its batch norms.")
    assert pairs == f"{text}SimNet trains its batch norms. {way_out}"
    with pytest.raises(BenchmarkError, match=r"training\.batch = 4 does not divide among 3 emulated processes"):
        build_plan(
            ["3"], "mini", "smoke", (0,), methods=["fully_oracle"], overrides=[{"training.emulate_world_size": 3}]
        )


def test_a_table_is_named_where_it_sets_the_value(tmp_path: Path) -> None:
    table = tmp_path / "own.yaml"
    row = "{label: A, method: simformer, set: {simformer.points: -1}}"
    table.write_text(f"name: own\ntitle: A\ncolumns: [{{label: B, split: S4}}]\nrows: [{row}]\n")
    with pytest.raises(BenchmarkError, match=r"simformer\.points \(table own, row 'A'\): .*found -1"):
        build_plan([str(table)], "mini", "smoke", (0,))


def test_limits_themselves_are_allowed() -> None:
    check_pairs(8, 4)
    check_emulated_ranks(TrainingSettings(batch=8, emulate_world_size=8))
    check_passes("training.micro_batch", 2, 2, "SimNet.")
    check_passes("training.micro_batch", 1, 2, "")
    check_points(256, 61)  # a crop of 61 pixels has a map of 16
    check_network(MaskFormerSettings())
    build_plan(["2"], "mini", "smoke", (0,), overrides=[{"simformer.points": 256, "training.iterations": 0}])
