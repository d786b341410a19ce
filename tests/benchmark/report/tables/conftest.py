"""Tables that are partly run, or hard to typeset."""

from collections.abc import Callable
from typing import Any

import pytest

from benchmark.report.scores.estimates import Results
from benchmark.report.scores.intervals import over_seeds
from benchmark.tables import Column, Plot, Row, Table

MakeRun = Callable[..., Any]


@pytest.fixture
def partly_run(make_run: MakeRun) -> Any:
    return make_run(
        "3",
        {
            ("SimFormer", "Split 4"): [50.0, 51.0, 52.0],
            ("SimFormer", "Split 5"): [50.0, None, None],
            ("FullyOracle", "Split 4"): [60.04, 60.0, 60.0],
        },
    ).results


@pytest.fixture
def own_table() -> Table:
    return Table(
        name="x/y",
        title=r"100 % of A & B, #1 <b> {c} ~ ^ \end",
        columns=(Column(label="S_1|a", split="S1"),),
        rows=(Row(label="50 $ & more_", method="simformer"),),
        plot=Plot(kind="grouped_bars"),
    )


def interval(results: Results, row: str, column: str) -> str:
    """Return the interval over seeds of a cell as tables show it."""
    seeds = over_seeds(results, results[row, column])
    assert seeds
    assert seeds.interval
    return f"[{seeds.interval.low:.1f}, {seeds.interval.high:.1f}]"
