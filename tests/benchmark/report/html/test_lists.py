"""Stages, evaluations and environment as a page lists them."""

import json
from typing import Any

import pytest

from benchmark.report.html.blocks import Blocks
from benchmark.report.html.content import Content
from benchmark.report.html.lists import (
    counts_rows,
    environment,
    identity,
    settings,
    shared_blocks,
    stage_groups,
    stages_words,
)
from benchmark.report.html.packing import collect


def write_result(run: Any, row: str, **values: Any) -> None:
    path = run.store.folder(run.stage(row, "Split 1").key) / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.fixture
def content(run: Any) -> Content:
    attempts = [
        {"number": 1, "state": "interrupted", "started": 5.0, "finished": 9.0, "host": "node7"},
        {"number": 2, "state": "done", "started": 10.0, "finished": 20.0, "host": "node8"},
    ]
    write_result(run, "Basic", wall_seconds=150.0, attempts=attempts)
    provenance = {"git_commit": "c" * 40, "git_dirty": True, "device": "cuda: H200", "packages": {"torch": "2.12.0"}}
    write_result(run, "Cross-Pair", provenance=provenance)
    return collect(run.plan, run.store, Blocks())


def test_stages_stand_by_kind_with_times_attempts_and_cells(run: Any, content: Content) -> None:
    groups = stage_groups(content)
    assert list(groups) == ["train", "evaluate"]
    train, evaluate = groups.values()
    assert stages_words(train) == "36 stages (36 missing), 0.0 s"
    assert stages_words(evaluate) == "36 stages (20 done, 16 missing), 2 min"
    rows = {row.key: row for row in evaluate}
    first = rows[run.stage("Basic", "Split 1").key]
    assert (first.time, first.attempts, first.cells) == ("2 min", "2 (1 interrupted)", 1)
    ((role, model),) = run.stage("Basic", "Split 1").inputs.items()
    assert (role, first.inputs) == ("model", [("model", model.key[:12])])
    assert (rows[run.stage("Self-Pair", "Split 1").key].time, train[0].cells) == ("–", 1)


def test_evaluations_share_images_and_ground_truth(content: Content) -> None:
    assert len(counts_rows(content)) == 20
    assert [(what, evaluations) for what, _, evaluations in shared_blocks(content)] == [
        ("ground truth", 20),
        ("ids of the images", 20),
        ("predictions on ignored pixels", 20),
    ]


def test_the_environment_has_every_value_that_was_used(content: Content) -> None:
    facts = dict(environment(content))
    assert facts["device"] == ("cpu", "cuda: H200")
    assert facts["torch"] == ("2.11.0", "2.12.0")
    assert f"{'c' * 40} and changes" in facts["commit"]
    asked = dict(identity(content))
    assert asked["digest of the data"] == ("d" * 64,)
    assert asked["seeds"] == ("0, 1, 2",)
    assert asked["changed by hand"] == ("nothing",)
    assert len([name for name in asked if name.startswith("digest of split")]) == 4
    assert "training.iterations = 800" in settings(content)
