"""Files that settings name: hashed once, missed at once."""

import hashlib
import itertools
import os
from pathlib import Path

import pytest

from benchmark.errors import BenchmarkError
from methods.weights import given_file as files
from methods.weights.given_file import check_content, given_file


def test_a_file_is_known_by_its_absolute_path_and_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "w").write_bytes(b"abc")
    monkeypatch.chdir(tmp_path)
    assert given_file("s.k", "w", "") == (str(tmp_path / "w"), hashlib.sha256(b"abc").hexdigest())


def test_a_file_is_read_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, numbers = tmp_path / "w", itertools.count(1)
    monkeypatch.setattr(files, "sha256", lambda _: str(next(numbers)))
    for content, expected in ((b"abc", "1"), (b"abc", "1"), (b"abcd", "2")):
        path.write_bytes(content)
        os.utime(path, ns=(5, 5))
        assert given_file("s.k", str(path), "").sha256 == expected
    os.utime(path, ns=(6, 6))
    assert given_file("s.k", str(path), "").sha256 == "3"


def test_a_missing_file_names_setting_and_way_out(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"s\.k = 'absent': there is no such file \(/.*absent\)\. Mend it\."):
        given_file("s.k", "absent", "Mend it.")
    with pytest.raises(BenchmarkError, match="directory"):
        given_file("s.k", str(tmp_path), "")


def test_a_file_that_changed_after_planning(tmp_path: Path) -> None:
    path = tmp_path / "w"
    path.write_bytes(b"abc")
    check_content(path, hashlib.sha256(b"abc").hexdigest())
    with pytest.raises(BenchmarkError, match=f"{path} has SHA-256 ba7816bf8f01, but .* for 000000000000"):
        check_content(path, "0" * 64)
    path.unlink()
    with pytest.raises(BenchmarkError, match="cannot be read any more"):
        check_content(path, "0" * 64)
