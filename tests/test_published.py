"""The results that the repository holds follow from the counts that it holds, and are those of the plans of today."""

from pathlib import Path

import pytest

from benchmark.metrics import EVALUATOR_VERSION
from benchmark.plan import build_plan
from benchmark.report.claims.judge import judge
from benchmark.report.claims.listing import as_csv as claims_as_csv
from benchmark.report.publication import file_stem
from benchmark.report.tables import FORMS, render
from benchmark.sharing.reading import read_archive, unpacked

RESULTS = Path(__file__).parents[1] / "results"
ARCHIVES = sorted(RESULTS.glob("*/*.zip"))


def test_our_own_runs_can_be_imported() -> None:
    assert [path.relative_to(RESULTS).as_posix() for path in ARCHIVES] == ["mini/mini-mini.zip"]


@pytest.mark.parametrize("path", ARCHIVES, ids=lambda path: path.stem)
def test_the_published_tables_are_those_of_the_published_counts(path: Path) -> None:
    with unpacked(path) as (archive, plan, store):
        assert archive.manifest.evaluator == EVALUATOR_VERSION
        for table in plan.tables:
            judgement = judge(plan, table, store)
            stem = file_stem(table.name)
            for style, form in FORMS.items():
                if form.suffix:
                    published = (path.parent / f"{stem}{form.suffix}").read_text(encoding="utf-8")
                    assert render(judgement, style) == published, f"{stem}{form.suffix}"
            if judgement.cells or judgement.orderings:
                assert claims_as_csv(judgement) == (path.parent / f"{stem}-claims.csv").read_text(encoding="utf-8")


def test_the_keys_of_the_published_stages_are_those_of_a_plan_of_today(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that moves makes every store and archive worthless; these were published."""
    monkeypatch.setattr("methods.wsss.settings.find_spec", lambda _: None)  # pydensecrf would be in RETAB's keys
    published = read_archive(RESULTS / "mini" / "mini-mini.zip").run.stages
    planned = build_plan(["1", "2", "3"], "mini", "mini", (0, 1, 2))
    assert {stage.key for stage in planned.stages} == set(published)
    assert len(published) == 320
