"""Evaluations of several people in one store."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import BenchmarkError
from benchmark.files import write_json
from benchmark.metrics import Counts
from benchmark.report.claims.judge import Judgement, judge
from benchmark.report.publication import provenance
from benchmark.report.scores.estimates import estimate
from benchmark.sharing.archive import export
from benchmark.sharing.merging import Merged, MergeOutcome, merge
from benchmark.sharing.reading import unpacked
from benchmark.sharing.replicates import provenances, replicates
from benchmark.store import Store
from tests.benchmark.report.conftest import counts_with, finish

CELL = "Basic", "Split 1"


@pytest.fixture
def people(make_run: Callable[..., Any]) -> Any:
    """Return a function that makes the run of somebody who has some seeds of one cell."""

    def make(name: str, values: list[float | None]) -> Any:
        return make_run("2", {CELL: values}, store=name)

    return make


def merged(run: Any, store: Store, by: str = "Anna", *, replicates: bool = False) -> list[Merged]:
    path = run.store.root.with_suffix(".zip")
    export(run.plan, run.store, path, by)
    with unpacked(path) as (archive, plan, theirs):
        return list(merge(archive, plan, theirs, store, replicates=replicates))


def outcomes(found: list[Merged]) -> list[MergeOutcome]:
    return [one.outcome for one in found]


def test_the_seeds_of_two_people_fill_one_table(people: Any) -> None:
    anna, bob = people("anna", [40.0, 41.0, None]), people("bob", [None, None, 42.5])
    alone = people("alone", [40.0, 41.0, 42.5])
    assert outcomes(merged(anna, bob.store)) == [MergeOutcome.ADDED, MergeOutcome.ADDED]
    assert bob.results[CELL] == alone.results[CELL]
    assert bob.results[CELL].status == "done"
    assert not any(bob.store.find(stage) for stage in bob.plan.stages if stage.kind == "train")
    assert not {stage.key for stage in bob.plan.pending(bob.store)} & {bob.stage(*CELL, seed).key for seed in (0, 1, 2)}


def judged(run: Any) -> Judgement:
    return judge(run.plan, run.table, run.store)


def test_a_result_says_where_it_comes_from(people: Any) -> None:
    anna, bob, carl = people("anna", [40.0]), people("bob", []), people("carl", [])
    key = anna.stage(*CELL).key
    merged(anna, bob.store)
    merged(bob, carl.store, by="")
    made = carl.store.result(key)["provenance"]
    assert made["git_commit"] == "0" * 40
    first, second = made["imported"]
    assert (first["by"], second["by"]) == ("Anna", "")
    assert first["archive"] != second["archive"]
    assert first == bob.store.result(key)["provenance"]["imported"][0]
    assert provenance(judged(bob), bob.store)["imported_from"] == [f"archive {first['archive'][:12]} of Anna"]
    assert provenance(judged(anna), anna.store)["imported_from"] == []


def test_it_is_complete(people: Any) -> None:
    anna, bob = people("anna", [40.0]), people("bob", [])
    merged(anna, bob.store)
    stage = anna.stage(*CELL)
    folder = bob.store.folder(stage.key)
    assert {path.name for path in folder.iterdir()} == {"counts.npz", "stage.json", "result.json"}
    assert not bob.store.work(stage.key).exists()
    spec = bob.store.spec(stage.key)
    assert {name: spec[name] for name in stage.identity()} == stage.identity()
    assert [(cell["split"], cell["seed"]) for cell in spec["cells"]] == [("S1", 0)]
    parent = stage.inputs["model"]
    assert bob.store.spec(parent.key)["params"] == parent.params
    assert (bob.store.state(parent.key), list(bob.store.unfinished())) == ("missing", [])


def test_the_same_again_changes_nothing(people: Any) -> None:
    anna, bob = people("anna", [40.0]), people("bob", [])
    merged(anna, bob.store)
    path = bob.store.folder(anna.stage(*CELL).key) / "result.json"
    before = path.read_bytes()
    assert outcomes(merged(anna, bob.store)) == [MergeOutcome.SAME]
    assert path.read_bytes() == before


def test_other_counts_under_the_same_key_are_a_finding_and_ours_stay(people: Any) -> None:
    anna, bob = people("anna", [40.0, 41.0]), people("bob", [40.0])
    stage = anna.stage(*CELL, 1)
    finish(bob.store, stage, 1, counts_with(20, bob.plan.splits["S1"].novel, 41.5))
    before = (bob.store.folder(stage.key) / "counts.npz").read_bytes()
    same, differs = merged(anna, bob.store)
    assert (same.outcome, differs.outcome, differs.stage.key) == (MergeOutcome.SAME, MergeOutcome.DIFFERS, stage.key)
    assert differs.ours is not None
    assert differs.theirs is not None
    assert differs.ours - differs.theirs == pytest.approx(0.5 * 5 / 20)
    assert (bob.store.folder(stage.key) / "counts.npz").read_bytes() == before


@pytest.mark.parametrize(
    ("field", "outcome"),
    [
        ("image_ids", MergeOutcome.OTHER_DATA),
        ("ground_truth", MergeOutcome.OTHER_DATA),
        ("prediction", MergeOutcome.DIFFERS),
        ("prediction_on_ignored", MergeOutcome.DIFFERS),
    ],
)
def test_every_part_of_the_counts_is_compared(people: Any, field: str, outcome: MergeOutcome) -> None:
    anna, bob = people("anna", [40.0]), people("bob", [])
    counts = counts_with(20, bob.plan.splits["S1"].novel, 40.0)
    changed = ("another",) if field == "image_ids" else getattr(counts, field) + 1
    finish(bob.store, bob.stage(*CELL), 0, Counts(**{**vars(counts), field: changed}))
    (found,) = merged(anna, bob.store)
    assert found.outcome is outcome
    assert ("no environment" in found.reason) == (outcome is MergeOutcome.OTHER_DATA)


@pytest.fixture
def differing(people: Any) -> Any:
    """Anna's and Bob's runs: the same two seeds, the first with the same counts, the second with others."""
    anna, bob = people("anna", [40.0, 41.0]), people("bob", [40.0])
    finish(bob.store, bob.stage(*CELL, 1), 1, counts_with(20, bob.plan.splits["S1"].novel, 41.5))
    return anna, bob


def test_other_counts_are_kept_beside_ours_if_asked_for(differing: Any) -> None:
    anna, bob = differing
    same, key = (bob.stage(*CELL, seed).key for seed in (0, 1))
    before = {path: path.read_bytes() for path in bob.store.folder(key).iterdir()}
    for _ in range(2):
        assert outcomes(merged(anna, bob.store, replicates=True)) == [MergeOutcome.SAME, MergeOutcome.KEPT]
        (path,) = replicates(key, bob.store)
        assert path.read_bytes() == (anna.store.folder(key) / "counts.npz").read_bytes()
    assert {path: path.read_bytes() for path in bob.store.folder(key).iterdir()} == before
    assert replicates(same, bob.store) == ()
    (origin,) = next(provenances(key, bob.store))["imported"]
    assert origin["by"] == "Anna"
    assert bob.results[CELL].mean == pytest.approx((40.0 + 41.5) / 2)


def test_without_being_asked_nothing_is_kept(differing: Any) -> None:
    anna, bob = differing
    assert outcomes(merged(anna, bob.store)) == [MergeOutcome.SAME, MergeOutcome.DIFFERS]
    assert not (bob.store.root / "replicates").exists()


def test_counts_of_other_data_are_no_replicate(people: Any) -> None:
    anna, bob = people("anna", [40.0]), people("bob", [])
    counts = counts_with(20, bob.plan.splits["S1"].novel, 40.0)
    finish(bob.store, bob.stage(*CELL), 0, Counts(**{**vars(counts), "image_ids": ("another",)}))
    assert outcomes(merged(anna, bob.store, replicates=True)) == [MergeOutcome.OTHER_DATA]
    assert not (bob.store.root / "replicates").exists()


def test_the_environment_travels_and_is_named_where_counts_differ(differing: Any, people: Any) -> None:
    anna, bob = differing
    stage = bob.stage(*CELL, 1)
    for run, cpu in ((anna, "Intel Xeon"), (bob, "AMD EPYC")):
        made = run.store.result(stage.key)["provenance"] | {
            "arithmetic": {"cpu": cpu, "level": "machine"},
            "threads": 1,
        }
        rewrite(run.store, stage.key, {"provenance": made})
    carl = people("carl", [])
    merged(anna, carl.store)
    assert carl.store.result(stage.key)["provenance"]["arithmetic"] == {"cpu": "Intel Xeon", "level": "machine"}
    same, differs = merged(carl, bob.store)
    assert same.reason == ""
    assert differs.reason == "made differently, which is the likely reason: CPU: AMD EPYC here, Intel Xeon there"


def test_what_is_being_made_here_is_left_alone(people: Any) -> None:
    anna, bob = people("anna", [40.0, 41.0]), people("bob", [])
    key = anna.stage(*CELL).key
    bob.store.work(key).mkdir(parents=True)
    with bob.store.lock(key):
        assert outcomes(merged(anna, bob.store)) == [MergeOutcome.BUSY, MergeOutcome.ADDED]
    assert not bob.store.find(key)


def test_a_store_that_cannot_be_written_is_named(people: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchmarkError, match=r"cannot write .*file.*another folder with --store"):
        merged(people("anna", [40.0]), Store(tmp_path / "file" / "store"))


def test_all_attempts_are_told_as_far_as_they_are_known(people: Any) -> None:
    anna, bob, carl = people("anna", [40.0]), people("bob", []), people("carl", [])
    key = anna.stage(*CELL).key
    attempts = [
        {"number": 1, "state": "failed", "started": 5.0, "finished": 9.0, "host": "node7", "error": "odd"},
        {"number": 2, "state": "done", "started": 10.0, "finished": 20.0, "host": "node8", "error": ""},
    ]
    times = {"started": 10.0, "finished": 20.0, "wall_seconds": 9.5, "attempts": attempts}
    rewrite(anna.store, key, times)
    merged(anna, bob.store)
    merged(bob, carl.store)
    failed, done = carl.store.attempts(key)
    assert [failed[name] for name in ("number", "state", "started", "seconds", "host")] == [1, "failed", None, 4.0, ""]
    assert [done[name] for name in ("number", "state", "started", "seconds", "host")] == [2, "done", 10.0, 10.0, ""]
    assert carl.store.result(key)["wall_seconds"] == 9.5


def rewrite(store: Store, key: str, values: Any) -> None:
    write_json(store.folder(key) / "result.json", store.result(key) | values)


def test_the_table_of_one_who_has_everything_twice(people: Any) -> None:
    anna = people("anna", [40.0, 41.0, 42.0])
    before = estimate(anna.plan, anna.table, anna.store)
    assert set(outcomes(merged(anna, anna.store))) == {MergeOutcome.SAME}
    assert estimate(anna.plan, anna.table, anna.store) == before
