"""A plan, restored from a description, and descriptions from which none can be restored."""

from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import BenchmarkError
from benchmark.sharing.describing import describe, places
from benchmark.sharing.description import Description
from benchmark.sharing.restoring import broken_keys, restore
from benchmark.store import Store


@pytest.fixture
def described(run: Any) -> Description:
    return describe(run.plan, run.store)


def changed(run: Description, **values: Any) -> Description:
    return run.model_copy(update=values)


def test_the_plan_comes_back(run: Any, described: Description, tmp_path: Path) -> None:
    plan, store = restore(described, tmp_path / "restored")
    for name in ("dataset", "splits", "preset", "seeds", "tables", "cells", "profile"):
        assert getattr(plan, name) == getattr(run.plan, name)
    assert set(store.keys()) == set(described.evaluations)


def test_a_key_is_the_digest_of_its_stage(described: Description) -> None:
    assert not list(broken_keys(described))
    key, stage = next((key, stage) for key, stage in described.stages.items() if stage.kind == "train")
    forged = stage.model_copy(update={"params": {**stage.params, "seed": 99}})
    broken = list(broken_keys(changed(described, stages={**described.stages, key: forged})))
    assert len(broken) == 2  # the stage, and the evaluation that rests on it
    assert key[:12] in broken[0]


def test_stages_that_do_not_fit_together_are_refused(described: Description, tmp_path: Path) -> None:
    train, evaluation = list(described.stages)[:2]
    lost = {key: stage for key, stage in described.stages.items() if key != train}
    with pytest.raises(BenchmarkError, match=f"{train[:12]} is an input of another, but is not described"):
        restore(changed(described, stages=lost), tmp_path)
    loop = described.stages[train].model_copy(update={"inputs": {"model": evaluation}})
    with pytest.raises(BenchmarkError, match="in a circle"):
        restore(changed(described, stages={**described.stages, train: loop}), tmp_path)


def test_cells_that_belong_to_nothing_are_refused(described: Description, tmp_path: Path) -> None:
    for values in ({"row": "Nobody"}, {"stage": "0" * 64}, {"split": "S99"}):
        alien = described.cells[0].model_copy(update=values)
        with pytest.raises(BenchmarkError, match=r"cell 2, .*, Split 1 belongs to no table, stage or split"):
            restore(changed(described, cells=(alien,)), tmp_path)


def test_paths_in_keys_are_told(run: Any, described: Description) -> None:
    assert places(described) == ()
    key, stage = next(iter(described.stages.items()))
    params = {**stage.params, "network": {"weights": "/home/anna/w.pth", "others": ["~/x", "a/b"]}}
    with_path = changed(described, stages={key: stage.model_copy(update={"params": params})})
    assert places(with_path) == ("/home/anna/w.pth", "~/x")


def test_a_stage_that_failed_is_told_without_its_reason(run: Any, tmp_path: Path) -> None:
    run.fail(run.stage("Self-Pair", "Split 2").key)
    _, store = restore(describe(run.plan, run.store), tmp_path / "restored")
    key = run.stage("Self-Pair", "Split 2").key
    assert (store.state(key), store.attempts(key)) == ("failed", [{"number": 1, "state": "failed"}])
    assert isinstance(store, Store)
