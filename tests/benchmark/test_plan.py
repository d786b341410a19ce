import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark import registry
from benchmark.errors import BenchmarkError
from benchmark.files import canonical_json
from benchmark.makespan import urgency, wall_seconds
from benchmark.plan import NOT_AVAILABLE, Plan, build_plan
from benchmark.registry import Cell
from benchmark.stage import Stage, closure
from benchmark.store import Store
from tests.benchmark import toy


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    toy.install(monkeypatch)


def plan(folder: Path, rows: str = "[{label: Toy, method: toy}]", **options: Any) -> Plan:
    own = toy.table(folder, rows=rows, splits=options.pop("columns", "S1 S2"))
    return build_plan([own], "mini", toy.profile(folder), options.pop("seeds", (0,)), **options)


def stage(params: Mapping[str, Any], **changes: Any) -> Stage:
    return replace(Stage("train", "name", "module:function", 1, params), **changes)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
PARAMS = st.dictionaries(st.text(), JSON, max_size=5)


@given(PARAMS)
def test_a_key_does_not_depend_on_the_order_of_parameters_nor_on_a_journey_through_json(params: dict[str, Any]) -> None:
    backwards = dict(reversed(params.items()))
    assert stage(params).key == stage(backwards).key == stage(json.loads(canonical_json(params))).key


@given(PARAMS, PARAMS)
def test_different_parameters_have_different_keys(a: dict[str, Any], b: dict[str, Any]) -> None:
    assert (stage(a).key == stage(b).key) == (canonical_json(a) == canonical_json(b))


def test_a_key_holds_all_that_can_change_the_result_and_nothing_else() -> None:
    one = stage({"a": 1})
    for other in (replace(one, version=2), replace(one, function="m:g"), replace(one, access="evaluation")):
        assert other.key != one.key
    assert replace(one, inputs={"model": stage({"b": 2})}).key != one.key
    assert replace(one, name="other", cost=9.0, kind="evaluate").key == one.key


def test_numbers_that_are_none_make_no_key() -> None:
    for value in (float("nan"), float("inf"), {1, 2}):
        with pytest.raises((TypeError, ValueError)):
            _ = stage({"a": value}).key


def test_equal_steps_are_one_stage(tmp_path: Path) -> None:
    rows = "[{label: A, method: toy}, {label: B, method: toy}, {label: C, method: toy, set: {toy.steps: 9}}]"
    found = plan(tmp_path, rows, seeds=(0, 1))
    assert len(found.cells) == 3 * 2 * 2
    kinds = [one.kind for one in found.stages]
    # One preparation; a training for each of two splits, two seeds, two numbers of steps; rows A and B are the same.
    assert {kind: kinds.count(kind) for kind in kinds} == {"prepare": 1, "train": 8, "evaluate": 8}
    seen: set[str] = set()
    for one in found.stages:
        assert {parent.key for parent in one.inputs.values()} <= seen
        seen.add(one.key)


def test_stages_know_the_cells_that_rest_on_them(tmp_path: Path) -> None:
    found = plan(tmp_path, "[{label: A, method: toy}, {label: B, method: toy}]")
    prepare, evaluate = found.stages[0], found.cells[0].stage
    assert evaluate
    cell = {"dataset": "mini", "split": "S1", "method": "toy", "variant": "", "seed": 0}
    assert found.uses[evaluate.key] == [cell]
    assert found.uses[prepare.key] == [cell, cell | {"split": "S2"}]


def test_nothing_before_a_result_that_exists_is_pending(tmp_path: Path) -> None:
    found, store = plan(tmp_path), Store(tmp_path / "store")
    assert found.pending(store) == found.stages
    evaluation = found.cells[0].stage
    assert evaluation
    store.publish(evaluation.key, draft(store, evaluation.key))
    assert [one.name for one in found.pending(store)] == ["preparation", "training S2", "evaluation S2"]


def draft(store: Store, key: str) -> Path:
    folder = store.draft(key)
    (folder / "result.json").write_text("{}")
    return folder


def test_filters_and_names_of_splits(tmp_path: Path) -> None:
    rows = "[{label: A, method: toy}, {label: B, method: other}]"
    found = plan(tmp_path, rows, splits=("Split 2",), methods=("other",))
    assert [(cell.row, cell.split) for cell in found.cells] == [("B", "S2")]
    assert not plan(tmp_path, rows, splits=("S9",)).cells


def test_overrides_beat_columns_beat_rows(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(
        "name: sweep\ntitle: t\nrows: [{label: A, method: toy, set: {toy.steps: 1, toy.rate: 1, toy.pause: 1}}]\n"
        "columns: [{label: B, split: S1, set: {toy.rate: 2, toy.pause: 2, other.depth: 3}}]\n"
    )
    found = build_plan([str(path)], "mini", toy.profile(tmp_path), (0,), overrides=({"toy.pause": 3},))
    train = next(one for one in found.stages if one.kind == "train")
    assert (train.params["steps"], train.params["rate"], train.params["pause"]) == (1, 2, 3)


def test_what_is_optional_and_missing_is_not_available_yet(tmp_path: Path) -> None:
    rows = (
        "[{label: A, method: absent, optional: true}, {label: B, method: toy, variant: none, optional: true},"
        " {label: C, method: toy}]"
    )
    found = plan(tmp_path, rows, columns="S1 S77")
    reasons = {(cell.row, cell.split): cell.reason for cell in found.cells if not cell.stage}
    assert reasons == {
        ("A", "S1"): NOT_AVAILABLE,
        ("A", "S77"): NOT_AVAILABLE,
        ("B", "S1"): NOT_AVAILABLE,
        ("B", "S77"): NOT_AVAILABLE,
        ("C", "S77"): "dataset mini has no split S77",
    }


def test_all_errors_of_tables_and_overrides_come_at_once(tmp_path: Path) -> None:
    rows = (
        "[{label: A, method: tyo}, {label: B, method: toy, variant: broke},"
        " {label: C, method: toy, set: {toy.stpes: 1}}, {label: D, method: toy, set: {toy.steps: x}}]"
    )
    with pytest.raises(BenchmarkError) as error:
        plan(tmp_path, rows, overrides=({"toy.rat": 1},))
    text = str(error.value)
    for message in (
        "unknown method 'tyo' in table t, row 'A'. Did you mean 'toy'",
        "unknown variant of toy 'broke' in table t, row 'B'. Did you mean 'broken'",
        "unknown setting 'toy.stpes' in table t, row 'C'. Did you mean 'toy.steps'",
        "toy.steps (table t, row 'D'): Input should be a valid integer, found 'x'",
        "unknown setting 'toy.rat' in --set. Did you mean 'toy.rate'",
    ):
        assert text.count(message) == 1, message


def test_a_setting_must_belong_to_a_selected_method(tmp_path: Path) -> None:
    rows = "[{label: A, method: toy}, {label: B, method: other}]"
    assert plan(tmp_path, rows, overrides=({"other.depth": 2},)).cells
    with pytest.raises(BenchmarkError, match=r"'other\.depth' in --set"):
        plan(tmp_path, rows, methods=("toy",), overrides=({"other.depth": 2},))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"splits": ("S44",)}, "unknown split 'S44'.*Did you mean 'S4'"),
        ({"methods": ("toys",)}, "unknown method 'toys' in --methods. Did you mean 'toy'"),
    ],
)
def test_unknown_names(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        plan(tmp_path, **options)


def test_tables_of_one_name_are_refused(tmp_path: Path) -> None:
    own = toy.table(tmp_path)
    with pytest.raises(BenchmarkError, match="different names, found t, t"):
        build_plan([own, own], "mini", toy.profile(tmp_path), (0,))


def test_parameters_that_are_not_json_are_the_methods_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toy.Toy, "plan", lambda *_: Stage("train", "odd", "m:f", 1, {"path": tmp_path}))
    with pytest.raises(BenchmarkError, match=r"row 'Toy'.*stage 'odd' \(m:f\)"):
        plan(tmp_path)


def chain(costs: list[float]) -> list[Stage]:
    """Return stages of which each needs the one before."""
    found: list[Stage] = []
    for number, cost in enumerate(costs):
        found.append(stage({"number": number}, inputs={"before": found[-1]} if found else {}, cost=cost))
    return found


COSTS = st.lists(st.floats(0.1, 100), min_size=1, max_size=8)


@given(COSTS, st.lists(st.integers(0, 6), max_size=8), st.integers(1, 4))
def test_wall_time_lies_between_the_bounds_of_scheduling(costs: list[float], links: list[int], workers: int) -> None:
    stages: list[Stage] = []
    for number, cost in enumerate(costs):
        parents = {str(i): stages[i] for i in links if i < number and (i + number) % 2}
        stages.append(stage({"number": number}, inputs=parents, cost=cost))
    longest, total = max(urgency(stages).values()), sum(costs)
    wall = wall_seconds(stages, workers)
    assert max(longest, total / workers) - 1e-6 <= wall <= total / workers + longest + 1e-6
    assert wall_seconds(stages, 1) == pytest.approx(total)


def test_costs_of_a_chain_add_up_and_measured_ones_replace_estimates() -> None:
    stages = chain([1, 2, 3])
    assert wall_seconds(stages, 4) == 6
    assert wall_seconds(stages, 4, {stages[1].key: 10.0}) == 14
    assert [urgency(stages)[one.key] for one in stages] == [6, 5, 3]
    assert wall_seconds(stages[1:], 4) == 5  # what is not in the list is done
    assert wall_seconds([], 2) == 0


def test_planning_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from benchmark.cli import main; assert main(['plan']) == 0;"
        "print([name for name in ('torch', 'torchvision', 'mlflow', 'pandas', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_closure_yields_inputs_first() -> None:
    stages = chain([1, 1, 1])
    assert list(closure([stages[2], stages[0]])) == stages


class Cheat(toy.Toy):
    """Dumps masks by a stage with full ground truth, or trains in one."""

    variants: Mapping[str, str] = {
        "": "masks dumped",
        "declared": "trains with evaluation access",
        "shown": "novel shown",
    }

    def plan(self, cell: Cell) -> Stage:
        data = {"dataset": {"name": cell.dataset.name, "digest": cell.dataset.digest}}
        shown = {**data, "novel": [] if cell.variant == "shown" else list(cell.split.novel)}
        dumped = Stage("dump", "masks as labels", f"{toy.HERE}:prepare", 1, data, {}, "evaluation")
        train = Stage("train", "training", toy.TRAIN, 1, shown, {} if cell.variant else {"labels": dumped})
        if cell.variant == "declared":
            train = replace(train, access="evaluation")
        return Stage("evaluate", "evaluation", f"{toy.HERE}:evaluate", 1, data, {"model": train}, "evaluation")


@pytest.mark.parametrize(
    ("variant", "reason"),
    [
        ("", "stage 'training' uses the result of 'masks as labels', which reads full ground truth"),
        ("declared", "stage 'evaluation' uses the result of 'training', which reads full ground truth"),
        ("shown", "the novel classes of split S1 are not hidden from stage 'training'"),
    ],
)
def test_methods_that_show_novel_pixels_to_a_training_are_refused_by_name(
    variant: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "methods", lambda: {"toy": Cheat()})
    row = f"[{{label: Mine, method: toy, variant: '{variant}'}}]"
    profile = toy.profile(tmp_path)
    with pytest.raises(BenchmarkError, match=f"row 'Mine'.*method 'toy' shows novel pixels to a training: {reason}"):
        build_plan([toy.table(tmp_path, rows=row, splits="S1")], "mini", profile, (0,))
    bound = toy.table(tmp_path, rows=row.replace("}]", ", bound: true}]"), splits="S1")
    assert build_plan([bound], "mini", profile, (0,)).cells
