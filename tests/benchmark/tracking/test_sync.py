"""The command."""

from pathlib import Path

import pytest

from benchmark.cli import main
from benchmark.store import Store
from tests.benchmark.tracking.support import Client, all_runs, attempt, finish


def test_sync_says_what_it_did(store: Store, client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    finish(store)
    attempt(store, key="12" * 32, state="failed", error="no")
    assert main(["sync", "--store", str(store.root)]) == 0
    first = capsys.readouterr()
    assert first.out.startswith("runs: 2 sent, 0 updated, 0 already there; sqlite:///")
    assert not first.err
    assert main(["sync", "--store", str(store.root)]) == 0
    assert capsys.readouterr().out.startswith("runs: 0 sent, 0 updated, 2 already there")
    assert len(all_runs(client)) == 2


def test_sync_says_why_something_could_not_be_sent(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    finish(store)
    assert main(["sync", "--store", str(store.root), "--uri", "http://127.0.0.1:9"]) == 1
    assert "1 stage not sent: " in capsys.readouterr().err


def test_sync_of_an_empty_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync", "--store", str(tmp_path / "store")]) == 0
    assert capsys.readouterr().out.startswith("runs: 0 sent")
    assert not list(tmp_path.glob("*"))
