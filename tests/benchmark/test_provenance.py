"""Where a result comes from, in words."""

from pathlib import Path
from typing import Any

import pytest

from benchmark import provenance
from benchmark.provenance import origin, source_revision

ARCHIVE = {"archive": "12ab" * 16, "by": "Anna"}


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({}, ""),
        ({"imported": [ARCHIVE]}, "archive 12ab12ab12ab of Anna"),
        ({"imported": [ARCHIVE, {"archive": "f" * 64, "by": ""}]}, "archive ffffffffffff"),
    ],
)
def test_the_last_archive_is_named(made: Any, words: str) -> None:
    assert origin(made) == words


@pytest.mark.parametrize("imported", [1, "x", [], [1], {"archive": 1}])
def test_what_strangers_wrote_may_be_anything(imported: Any) -> None:
    assert origin({"imported": imported}) == ""


def test_a_checkout_of_another_owner_has_a_commit_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    source_revision.cache_clear()
    commit = source_revision().commit
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    source_revision.cache_clear()
    assert source_revision().commit == commit
    source_revision.cache_clear()


def test_a_wheel_knows_what_it_was_built_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "benchmark"
    package.mkdir()
    monkeypatch.setattr(provenance, "_SOURCE", package / "provenance.py")
    source_revision.cache_clear()
    assert source_revision() == (None, None)
    assert "will not name the commit" in provenance.without_commit()
    (package / "revision.json").write_text('{"commit": "abc", "dirty": false}')
    source_revision.cache_clear()
    assert source_revision() == ("abc", False)
    assert provenance.without_commit() == ""
    source_revision.cache_clear()
