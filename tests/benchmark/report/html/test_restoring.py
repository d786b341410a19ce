"""Plan and store, restored from a page, answer as the first ones did."""

from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import BenchmarkError
from benchmark.report.claims import judge
from benchmark.report.html.blocks import Blocks
from benchmark.report.html.collecting import collect
from benchmark.report.html.content import Content
from benchmark.report.html.restoring import broken_keys, restore
from benchmark.report.tables import as_csv


@pytest.fixture
def packed(run: Any) -> tuple[Content, Blocks]:
    blocks = Blocks()
    return collect(run.plan, run.store, blocks), blocks


def changed(content: Content, **values: Any) -> Content:
    return content.model_copy(update=values)


def test_estimates_and_judgements_are_the_same(run: Any, packed: tuple[Content, Blocks], tmp_path: Path) -> None:
    run.fail(run.stage("Self-Pair", "Split 1").key)
    blocks = Blocks()
    restored = restore(collect(run.plan, run.store, blocks), blocks, tmp_path / "restored")
    before, after = (judge(plan, run.table, store) for plan, store in ((run.plan, run.store), restored_pair(restored)))
    assert as_csv(after.sheet) == as_csv(before.sheet)
    assert "failed" in as_csv(after.sheet)
    assert after == before


def restored_pair(restored: Any) -> tuple[Any, Any]:
    return restored.plan, restored.store


def test_the_description_survives_as_text(packed: tuple[Content, Blocks]) -> None:
    content, _ = packed
    assert Content.read(content.written()) == content


def test_what_is_not_a_description_is_refused() -> None:
    for text in (b"", b"{}", b"[" * 100_000, b'{"format": 2}'):
        with pytest.raises(BenchmarkError, match="description in the page cannot be read"):
            Content.read(text)


def test_a_key_is_the_digest_of_its_stage(packed: tuple[Content, Blocks]) -> None:
    content, _ = packed
    assert not list(broken_keys(content))
    key, stage = next((key, stage) for key, stage in content.stages.items() if stage.kind == "train")
    forged = stage.model_copy(update={"params": {**stage.params, "seed": 99}})
    broken = list(broken_keys(changed(content, stages={**content.stages, key: forged})))
    assert len(broken) == 2  # the stage, and the evaluation that rests on it
    assert key[:12] in broken[0]


def test_stages_that_do_not_fit_together_are_refused(packed: tuple[Content, Blocks], tmp_path: Path) -> None:
    content, blocks = packed
    train, evaluation = list(content.stages)[:2]
    lost = {key: stage for key, stage in content.stages.items() if key != train}
    with pytest.raises(BenchmarkError, match=f"{train[:12]} is an input in the page, but is not described"):
        restore(changed(content, stages=lost), blocks, tmp_path)
    loop = content.stages[train].model_copy(update={"inputs": {"model": evaluation}})
    with pytest.raises(BenchmarkError, match="in a circle"):
        restore(changed(content, stages={**content.stages, train: loop}), blocks, tmp_path)
    alien = content.cells[0].model_copy(update={"row": "Nobody"})
    with pytest.raises(BenchmarkError, match="cell 2, Nobody, Split 1 in the page belongs to no table"):
        restore(changed(content, cells=(alien,)), blocks, tmp_path / "other")


def test_what_only_concerns_this_machine_stays_here(run: Any, packed: tuple[Content, Blocks]) -> None:
    text = packed[0].written().decode()
    assert str(run.store.root) not in text
    assert '"host"' not in text
