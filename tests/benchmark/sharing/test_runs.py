"""Runs that were imported: kept under a name, opened by it or by a path, removed again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import BenchmarkError
from benchmark.report.scores.estimates import estimate
from benchmark.sharing.archive import export
from benchmark.sharing.reading import read_archive
from benchmark.sharing.runs import file_of, imported, keep, opened, remove


@pytest.fixture
def kept(run: Any, archive: Path) -> Path:
    """The archive, imported as ``anna``."""
    assert keep(read_archive(archive), "anna", run.store)
    return file_of("anna", run.store)


def test_a_run_is_kept_beside_the_store(run: Any, archive: Path, kept: Path) -> None:
    assert kept == run.store.root.parent / "runs" / "anna.zip"
    assert kept.read_bytes() == archive.read_bytes()
    assert imported(run.store) == ("anna",)
    assert [path.name for path in kept.parent.iterdir()] == ["anna.zip"]


def test_runs_are_opened_by_name_and_by_path(run: Any, archive: Path, kept: Path, tmp_path: Path) -> None:
    other = tmp_path / "others" / "bob.zip"
    export(run.plan, run.store, other)
    with opened(["anna", str(other)], run.store) as (anna, bob):
        assert [(one.name, one.by) for one in (anna, bob)] == [("anna", "Anna"), ("bob", "")]
        assert estimate(anna.plan, anna.plan.tables[0], anna.store)["Basic", "Split 1"].n_seeds == 2
        folder = anna.store.root
        assert folder != bob.store.root
    assert not folder.exists()


def test_opening_nothing_gives_nothing(run: Any) -> None:
    with opened([], run.store) as shared:
        assert shared == ()
    assert imported(run.store) == ()


def test_an_unknown_name_lists_what_there_is(run: Any, kept: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"unknown run 'ann' in .*runs\. Did you mean 'anna'\? Known: anna\."):
        file_of("ann", run.store)


def test_where_nothing_was_imported_it_is_said_how(run: Any) -> None:
    message = r"no run 'bob': none was imported into .*runs\. `import FILE\.zip --as bob`"
    with pytest.raises(BenchmarkError, match=message), opened(["bob"], run.store):
        pass


def test_two_runs_of_one_name_cannot_stand_side_by_side(run: Any, archive: Path, kept: Path) -> None:
    with pytest.raises(BenchmarkError, match="2 runs are called anna"), opened(["anna", str(archive)], run.store):
        pass


def test_an_imported_archive_that_was_damaged_since_is_not_opened(run: Any, kept: Path) -> None:
    kept.write_bytes(kept.read_bytes()[:-100])
    with pytest.raises(BenchmarkError, match=r"anna\.zip: .*damaged"), opened(["anna"], run.store):
        pass


def test_the_same_archive_again_is_fine_and_another_needs_a_word(
    run: Any, archive: Path, kept: Path, make_run: Callable[..., Any], tmp_path: Path
) -> None:
    assert not keep(read_archive(archive), "anna", run.store)
    other = make_run("2", {("Basic", "Split 1"): [50.0]}, seeds=(0,), store="other")
    export(other.plan, other.store, tmp_path / "other.zip")
    found = read_archive(tmp_path / "other.zip")
    with pytest.raises(BenchmarkError, match=r"anna\.zip is another archive\. `--as NAME` .* `--replace` in its place"):
        keep(found, "anna", run.store)
    assert kept.read_bytes() == archive.read_bytes()
    assert keep(found, "anna", run.store, replace=True)
    assert kept.read_bytes() == (tmp_path / "other.zip").read_bytes()


@pytest.mark.parametrize("name", ["paper", "Run", "ours", "", "..", ".hidden", "a/b", "a b", "a\n", "-x", "a.zip", "é"])
def test_names_that_a_run_cannot_have(run: Any, archive: Path, name: str) -> None:
    with pytest.raises(BenchmarkError, match="--as"):
        keep(read_archive(archive), name, run.store)
    assert imported(run.store) == ()


def test_a_file_whose_name_cannot_be_that_of_a_run(run: Any, archive: Path) -> None:
    path = archive.rename(archive.with_name("results of anna.zip"))
    with pytest.raises(BenchmarkError, match="'results of anna' cannot be the name"), opened([str(path)], run.store):
        pass


def test_a_run_is_removed(run: Any, kept: Path) -> None:
    assert remove("anna", run.store) == kept
    assert imported(run.store) == ()
    assert any(run.store.keys())
