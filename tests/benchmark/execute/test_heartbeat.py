import threading
from pathlib import Path

import pytest

from benchmark.execute import heartbeat
from benchmark.execute.heartbeat import beating
from tests.benchmark.execute.support import wait_for


def test_it_beats_until_the_block_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "INTERVAL", 0.01)
    heart = tmp_path / "heartbeat"
    with beating(heart):
        beats = [heart.stat().st_mtime_ns]
        for _ in range(2):
            beats.append(wait_for(lambda: beats[-1] < (now := heart.stat().st_mtime_ns) and now))
        heart.unlink()  # a published stage takes its work folder away
    assert not heart.exists()
    assert "heartbeat" not in {thread.name for thread in threading.enumerate()}
