"""Plan and store, restored from a page, answer as the first ones did."""

from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import BenchmarkError
from benchmark.report.claims.judge import judge
from benchmark.report.html.blocks import Blocks
from benchmark.report.html.content import Content
from benchmark.report.html.packing import collect, restore
from benchmark.report.tables import render


@pytest.fixture
def packed(run: Any) -> tuple[Content, Blocks]:
    blocks = Blocks()
    return collect(run.plan, run.store, blocks), blocks


def test_estimates_and_judgements_are_the_same(run: Any, packed: tuple[Content, Blocks], tmp_path: Path) -> None:
    run.fail(run.stage("Self-Pair", "Split 1").key)
    blocks = Blocks()
    restored = restore(collect(run.plan, run.store, blocks), blocks, tmp_path / "restored")
    before, after = (judge(plan, run.table, store) for plan, store in ((run.plan, run.store), restored))
    assert render(after.results, "csv") == render(before.results, "csv")
    assert "failed" in render(after.results, "csv")
    assert after == before


def test_the_description_survives_as_text(packed: tuple[Content, Blocks]) -> None:
    content, _ = packed
    assert Content.read(content.written()) == content


def test_what_is_not_a_description_is_refused() -> None:
    for text in (b"", b"{}", b"[" * 100_000, b'{"format": 2}'):
        with pytest.raises(BenchmarkError, match="description in the page cannot be read"):
            Content.read(text)


def test_what_only_concerns_this_machine_stays_here(run: Any, packed: tuple[Content, Blocks]) -> None:
    text = packed[0].written().decode()
    assert str(run.store.root) not in text
    assert '"host"' not in text
