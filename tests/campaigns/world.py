"""A tiny run whose stages take milliseconds, in this process: what the campaigns disturb."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import registry, store
from benchmark.execute.healing import heal
from benchmark.execute.inline import Inline
from benchmark.execute.session import make_stages
from benchmark.metrics import CountsBuilder
from benchmark.plan import Plan, build_plan
from benchmark.report.claims.judge import judge
from benchmark.report.tables import render
from benchmark.stage import StageContext
from benchmark.store import Store
from tests.benchmark import toy


def plan_in(folder: Path) -> Plan:
    """Return the plan of a table of two cells by the toy method; five stages."""
    os.environ["TOY_CALLS"] = os.devnull
    toy.evaluate = evaluate
    store.PROBE_SECONDS = -1.0  # processes follow each other faster here
    registry.methods = lambda: toy.METHODS  # type: ignore[assignment]
    return build_plan([toy.table(folder)], "mini", toy.profile(folder), seeds=(0,))


def evaluate(context: StageContext) -> Mapping[str, Any]:
    """Stage function in place of the toy's: counts that differ from cell to cell."""
    builder, truth = CountsBuilder(20), np.arange(40, dtype=np.uint8).reshape(2, 20) % 20
    bits = hashlib.sha256(context.inputs["model"].name.encode()).digest()
    for number in range(8):
        wrong = [label for label in range(20) if bits[label] >> number & 1]
        builder.add(str(number), np.where(np.isin(truth, wrong), number, truth), truth)
    builder.build().save(context.out / "counts.npz")
    return {"images": 8}


def make(plan: Plan, place: Store) -> bool:
    """Do what ``run`` does; return whether all is made. Raises BenchmarkError where the store takes nothing."""
    heal(plan, place, lambda _: None)
    pending = plan.pending(place)
    if pending:
        make_stages(plan, pending, place, Inline(), [])
    return not plan.pending(place)


def table(plan: Plan, place: Store) -> str:
    """Return the table as CSV. Raises BenchmarkError for what is damaged."""
    return render(judge(plan, plan.tables[0], place), "csv")


@contextmanager
def silence() -> Iterator[None]:
    """Send what stages print to nowhere."""
    null = os.open(os.devnull, os.O_WRONLY)
    before = os.dup(1), os.dup(2)
    os.dup2(null, 1)
    os.dup2(null, 2)
    try:
        yield
    finally:
        for number, descriptor in zip((1, 2), before, strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.close(null)
