"""Mean, spread and status of cells from what a store holds."""

import json
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.config import FOLDER
from benchmark.errors import BenchmarkError
from benchmark.metrics import Counts
from benchmark.report.scores.estimates import estimate
from benchmark.report.tables import render

MakeRun = Callable[..., Any]


def test_mean_and_sample_deviation_over_seeds(make_run: MakeRun) -> None:
    novel = [40.123, 42.5, 44.001]
    cell = make_run("2", {("Basic", "Split 1"): novel}).results["Basic", "Split 1"]
    assert cell.status == "done"
    assert cell.n_seeds == 3
    assert cell.mean == pytest.approx(statistics.fmean(novel), abs=1e-9)
    assert cell.sd == pytest.approx(statistics.stdev(novel), abs=1e-9)
    assert cell.base == pytest.approx(60.0)
    assert cell.overall == pytest.approx((15 * 60.0 + 5 * statistics.fmean(novel)) / 20)
    assert cell.paper == 27.0


def test_one_seed_has_no_deviation(make_run: MakeRun) -> None:
    cell = make_run("2", {("Basic", "Split 1"): [40.0]}, seeds=(7,)).results["Basic", "Split 1"]
    assert (cell.status, cell.n_seeds, cell.sd) == ("done", 1, None)
    assert list(cell.scores) == [7]


def test_status_of_unfinished_cells(make_run: MakeRun) -> None:
    run = make_run("3", {("SimFormer", "Split 4"): [50.0, None, 51.0]})
    run.fail(run.stage("SimFormer*", "Split 4").key)
    run.fail(run.stage("FullyOracle", "Split 4").inputs["model"].key)  # a step before the evaluation
    results = run.results
    assert results["SimFormer", "Split 4"].status == "partial"
    assert results["SimFormer", "Split 4"].n_seeds == 2
    assert results["SimFormer", "Split 5"].status == "not run"
    assert results["SimFormer*", "Split 4"].status == "failed"
    assert results["FullyOracle", "Split 4"].status == "failed"
    assert results["RETAB*", "Split 4"].status == "not available yet"
    assert results["RETAB*", "Split 4"].mean is None


def test_holes_are_cells_that_could_be_run(make_run: MakeRun) -> None:
    full = {(row, f"Split {i}"): [50.0] for row in ("SimFormer", "SimFormer*", "FullyOracle") for i in range(4, 10)}
    assert make_run("3", full, seeds=(0,)).results.holes == ()
    del full["SimFormer", "Split 6"]
    assert [(cell.row, cell.column) for cell in make_run("3", full, seeds=(1,)).results.holes] == [
        ("SimFormer", "Split 6")
    ]


def test_one_evaluation_serves_several_splits(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run("2", {("Basic", "Split 1"): [40.0]}, seeds=(0,))
    shared = run.stage("Basic", "Split 1")
    cells = tuple(vars(cell) | {"stage": shared} for cell in run.plan.cells)
    plan = vars(run.plan) | {"cells": tuple(type(run.plan.cells[0])(**cell) for cell in cells)}
    read: list[Path] = []
    load = Counts.load

    def noted(path: Path) -> Counts:
        read.append(path)
        return load(path)

    monkeypatch.setattr(Counts, "load", noted)
    results = type(run)(type(run.plan)(**plan), run.table, run.store).results
    assert {cell.status for cell in results} == {"done"}
    assert results["Basic", "Split 2"].mean != results["Basic", "Split 1"].mean  # other classes are novel there
    assert len(read) == 1


@pytest.mark.parametrize(
    ("dataset", "profile", "overrides", "reason"),
    [
        ("mini", "paper", {}, "dataset mini instead of coco-stuff-10k"),
        ("coco-stuff-10k", "mini", {}, "profile mini instead of paper"),
        ("coco-stuff-10k", "paper", {"training.batch": 2}, "changed training.batch"),
    ],
)
def test_only_the_same_experiment_is_compared(
    make_run: MakeRun, dataset: str, profile: str, overrides: dict[str, Any], reason: str
) -> None:
    values = {("Basic", "Split 1"): [30.0, 31.0, 32.0]}
    other = make_run("2", values, dataset=dataset, profile=profile, overrides=overrides).results
    assert other.differences == (reason,)
    assert not other.comparable
    assert other["Basic", "Split 1"].delta == pytest.approx(4.0)  # arithmetic all the same


def test_a_part_of_the_dataset_is_not_comparable(make_run: MakeRun) -> None:
    run = make_run("2", {("Basic", "Split 1"): [30.0, 31.0, 32.0]}, dataset="coco-stuff-10k", profile="paper")
    part = replace(run.plan.dataset, partial="10 of 9993 images")
    results = estimate(replace(run.plan, dataset=part), run.table, run.store)
    assert results.differences == ("only 10 of 9993 images",)


def test_difference_to_the_printed_value(make_run: MakeRun) -> None:
    values = {("Basic", "Split 1"): [30.0, 31.0, 32.0]}
    same = make_run("2", values, dataset="coco-stuff-10k", profile="paper").results
    assert same.comparable
    assert same["Basic", "Split 1"].delta == pytest.approx(4.0)
    assert same["Basic", "Split 2"].delta is None


def test_a_profile_of_ones_own_called_paper_is_not_the_papers(make_run: MakeRun, tmp_path: Path) -> None:
    own = tmp_path / "paper.yaml"
    own.write_text((FOLDER / "paper.yaml").read_text())
    results = make_run("2", {}, dataset="coco-stuff-10k", profile=str(own)).results
    assert not results.comparable


def test_damaged_counts_are_named(make_run: MakeRun) -> None:
    run = make_run("2", {("Basic", "Split 1"): [40.0]}, seeds=(0,))
    damaged = run.store.folder(run.stage("Basic", "Split 1").key) / "counts.npz"
    damaged.write_bytes(b"")
    with pytest.raises(BenchmarkError, match=str(damaged)):
        _ = run.results


@pytest.mark.parametrize("shown", ["novel", "base"])
def test_a_cell_without_a_novel_pixel_is_undefined_and_costs_no_other(make_run: MakeRun, shown: str) -> None:
    run = make_run("2", {("Basic", "Split 1"): [40.0], ("Self-Pair", "Split 1"): [50.0]}, seeds=(0,))
    pixels = np.zeros((1, len(run.plan.dataset.classes)), np.int32)
    pixels[:, list(getattr(run.plan.splits["S1"], shown))] = 10
    counts = Counts(("image",), pixels, pixels, pixels, 0 * pixels)
    counts.save(run.store.folder(run.stage("Basic", "Split 1").key) / "counts.npz")
    cell, other = run.results["Basic", "Split 1"], run.results["Self-Pair", "Split 1"]
    assert (cell.status, cell.mean, cell.base) == (
        ("done", 100.0, None) if shown == "novel" else ("undefined", None, None)
    )
    assert other.mean == pytest.approx(50.0)
    assert cell not in run.results.holes
    assert ("none of the split's novel classes" in render(run.results, "text")) == (shown == "base")
    assert len(render(run.results, "csv").splitlines()) == 13


def test_a_split_that_the_dataset_lacks_is_not_available(make_run: MakeRun) -> None:
    run = make_run("3", {}, unavailable=("RETAB*", "SimFormer", "SimFormer*", "FullyOracle"))
    lacking = vars(run.plan) | {"splits": {"S4": run.plan.splits["S4"]}}
    results = type(run)(type(run.plan)(**lacking), run.table, run.store).results
    assert list(results.splits) == ["Split 4"]
    assert results["SimFormer", "Split 9"].status == "not available yet"


def test_stored_numbers_are_not_rounded(make_run: MakeRun) -> None:
    cell = make_run("2", {("Basic", "Split 1"): [33.333, 33.334, 33.334]}).results["Basic", "Split 1"]
    assert json.loads(json.dumps(cell.mean)) == cell.mean
    assert cell.mean == pytest.approx(33.33366666, abs=1e-7)
