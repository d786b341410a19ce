"""The command line of ``toy_cli`` on another machine, so to speak: with a name, and locks that only this machine sees.

``MACHINE_NAME`` is the name, ``MACHINE_LOCKS`` a folder for the locks, as on a file system that keeps them to itself;
without it they are those of the store. Stages must be made inline: other processes know nothing of this.
"""

import os
import socket
import sys
from pathlib import Path

from filelock import FileLock

from benchmark import store
from benchmark.execute import heartbeat
from tests.benchmark import toy_cli

SILENT_AFTER = 3.0  # seconds


def _lock(kept: store.Store, key: str) -> FileLock:
    (kept.work(key) / "lock").touch()
    return FileLock(Path(os.environ["MACHINE_LOCKS"]) / key)


if __name__ == "__main__":
    socket.gethostname = lambda: os.environ["MACHINE_NAME"]
    heartbeat.INTERVAL, store.SILENT_AFTER = SILENT_AFTER / 10, SILENT_AFTER
    if "MACHINE_LOCKS" in os.environ:
        store.Store.lock = _lock  # type: ignore[method-assign,assignment]
    sys.exit(toy_cli.run())
