"""Replicates beside a store's own results: kept once, found when damaged, never taken for the result."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import BenchmarkError
from benchmark.metrics import Counts
from benchmark.sharing.replicates import keep, load, provenances, replicates
from benchmark.store import Store
from tests.benchmark.report.conftest import counts_with

KEY = "a" * 64


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path / "counts.npz", 41.0)


def written(path: Path, novel: float) -> Path:
    counts_with(20, (0, 1), novel).save(path)
    return path


def by(name: str) -> dict[str, Any]:
    return {"provenance": {"imported": [{"by": name}]}}


def test_what_is_kept_is_loaded_again(store: Store, file: Path) -> None:
    assert replicates(KEY, store) == ()
    keep(file, by("Anna"), KEY, store)
    (path,) = replicates(KEY, store)
    assert path == store.root / "replicates" / KEY / hashlib.sha256(file.read_bytes()).hexdigest() / "counts.npz"
    assert load(path).equals(Counts.load(file))
    assert list(provenances(KEY, store)) == [by("Anna")["provenance"]]
    assert (store.find(KEY), list(store.keys()), list(store.unfinished())) == (None, [], [])


def test_the_same_counts_are_kept_once_however_they_are_packed(store: Store, file: Path, tmp_path: Path) -> None:
    keep(file, by("Anna"), KEY, store)
    keep(file, by("Bob"), KEY, store)
    other = tmp_path / "other.npz"
    other.write_bytes(file.read_bytes() + b"\0")  # zip files may have a comment of any length behind them
    assert Counts.load(other).equals(Counts.load(file))
    keep(other, by("Carl"), KEY, store)
    assert list(provenances(KEY, store)) == [by("Anna")["provenance"]]
    keep(written(tmp_path / "more.npz", 42.0), by("Dora"), KEY, store)
    assert len(replicates(KEY, store)) == 2


def test_a_changed_bit_is_found_wherever_it_is(store: Store, file: Path) -> None:
    keep(file, by("Anna"), KEY, store)
    (path,) = replicates(KEY, store)
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(BenchmarkError, match=rf"this replicate is damaged.*Delete the folder {path.parent}"):
            load(path)


def test_one_that_was_not_written_to_the_end_is_none(store: Store, file: Path) -> None:
    keep(file, by("Anna"), KEY, store)
    (path,) = replicates(KEY, store)
    path.rename(path.with_name(".counts.npz.0.tmp"))
    assert replicates(KEY, store) == ()
    keep(file, by("Bob"), KEY, store)
    assert list(provenances(KEY, store)) == [by("Bob")["provenance"]]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"provenance": 1}'])
def test_where_it_comes_from_may_be_lost(store: Store, file: Path, text: str) -> None:
    keep(file, by("Anna"), KEY, store)
    (path,) = replicates(KEY, store)
    path.with_name("result.json").write_text(text)
    assert list(provenances(KEY, store)) == []
    assert load(path).equals(Counts.load(file))
