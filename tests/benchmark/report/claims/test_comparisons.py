"""Verdicts on the orderings of a table: which hold, and whether seeds alone could explain them."""

from collections.abc import Callable
from typing import Any

import pytest

from benchmark.report.claims.comparisons import verdicts

MakeRun = Callable[..., Any]

COLUMNS = ("Split 1", "Split 2", "Split 3", "Split 4")


def said(run: Any) -> list[str]:
    return [str(verdict) for verdict in verdicts(run.results)]


def test_holds_beyond_and_within_the_spread(make_run: MakeRun) -> None:
    values = {
        ("Self-Pair", "Split 1"): [40.0, 41.0, 42.0],
        ("Cross-Pair", "Split 1"): [45.0, 46.0, 47.5],
        ("Self-Pair", "Split 2"): [40.0, 41.0, 42.0],
        ("Cross-Pair", "Split 2"): [44.0, 38.0, 42.0],
        ("Self-Pair", "Split 3"): [40.0, 41.0, 42.0],
        ("Cross-Pair", "Split 3"): [39.0, 40.0, 40.0],
    }
    cross, _ = said(make_run("2", values))
    assert cross == (
        "Cross-Pair > Self-Pair: holds in 2 of 3 columns; beyond the seed spread in Split 1; within seed spread in "
        "Split 2; does not hold in Split 3 (-1.33, beyond the seed spread of 0.58); not judged: Self-Pair not run in "
        "Split 4"
    )


def test_one_seed_leaves_the_spread_unknown(make_run: MakeRun) -> None:
    values = {(row, column): [40.0 + i] for i, row in enumerate(("Basic", "Self-Pair")) for column in COLUMNS}
    _, self_pair = said(make_run("2", values, seeds=(0,)))
    assert self_pair == "Self-Pair > Basic: holds in 4 of 4 columns; seed spread unknown (one seed) in each"


def test_an_ordering_that_does_not_hold_is_said_not_to_hold(make_run: MakeRun) -> None:
    values = {(row, column): [40.0 - i] for i, row in enumerate(("Basic", "Self-Pair")) for column in COLUMNS}
    _, self_pair = said(make_run("2", values, seeds=(0,)))
    assert "holds in 0 of 4 columns; does not hold in Split 1 (-1.00, seed spread unknown), Split 2" in self_pair


def test_equal_means_are_no_ordering(make_run: MakeRun) -> None:
    values = {(row, column): [40.0, 41.0, 42.0] for row in ("Basic", "Self-Pair") for column in COLUMNS}
    _, self_pair = said(make_run("2", values))
    assert "holds in 0 of 4 columns" in self_pair


def test_only_common_seeds_are_compared(make_run: MakeRun) -> None:
    values = {
        ("Basic", "Split 1"): [40.0, 41.0, None],
        ("Self-Pair", "Split 1"): [None, 41.5, 60.0],
        ("Basic", "Split 2"): [40.0, None, None],
        ("Self-Pair", "Split 2"): [None, 41.5, 60.0],
    }
    (comparison, without, *_) = verdicts(make_run("2", values).results)[1].comparisons
    assert comparison.difference == pytest.approx(0.5)
    assert comparison.spread is None
    assert without.reason == "no seed in common"


def test_what_is_not_available_cannot_be_judged(make_run: MakeRun) -> None:
    lines = said(make_run("3", {("SimFormer", f"Split {i}"): [60.0 - i] for i in range(4, 10)}, seeds=(0,)))
    assert "SimFormer > RETAB*: cannot be judged (RETAB* not available yet)" in lines
    assert "FullyOracle > SimFormer*: cannot be judged (SimFormer* not run)" in lines


def test_fall_from_one_column_to_another(make_run: MakeRun) -> None:
    values = {
        ("SimFormer", "Split 4"): [50.0, 51.0, 52.0],
        ("SimFormer", "Split 9"): [40.0, 43.0, 44.0],
        ("SimFormer*", "Split 4"): [50.0, 51.0, 52.0],
        ("SimFormer*", "Split 9"): [51.0, 51.5, 52.0],
    }
    lines = said(make_run("3", values))
    assert "SimFormer falls from Split 4 to Split 9: holds (+8.67, beyond the seed spread of 1.15)" in lines
    assert "SimFormer* falls from Split 4 to Split 9: does not hold (-0.50, within the seed spread of 0.50)" in lines


def test_a_row_that_was_not_selected_is_not_mentioned(make_run: MakeRun) -> None:
    run = make_run("2", {})
    chosen = tuple(cell for cell in run.plan.cells if cell.row != "Basic")
    plan = type(run.plan)(**(vars(run.plan) | {"cells": chosen}))
    assert [line.split(":")[0] for line in said(type(run)(plan, run.table, run.store))] == ["Cross-Pair > Self-Pair"]
