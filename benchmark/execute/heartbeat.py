"""Signs of life of an attempt, for machines that share a store and not its locks (``Store.made_elsewhere``)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

INTERVAL = 10.0  # seconds; a sixth of the silence after which others take an attempt for dead


@contextmanager
def beating(path: Path) -> Iterator[None]:
    """Touch a file again and again, from a thread that ends with the block or with this process."""
    path.touch()
    over = Event()

    def beat() -> None:
        while not over.wait(INTERVAL):
            with suppress(OSError):  # the disk is full, or the folder of a published stage is gone
                os.utime(path)  # without a time: on a network file system by the clock of its server

    thread = Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
