"""Where a result comes from, in words."""

from typing import Any

import pytest

from benchmark.provenance import origin

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
