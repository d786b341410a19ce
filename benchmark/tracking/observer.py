"""The mirror beside work that is being done: fed by the events of a scheduler, closed when the work ends."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from benchmark.execute.messages import Event, Finished, Started
from benchmark.tracking.mirror import Mirror
from benchmark.tracking.server import over_http, tracking_uri

if TYPE_CHECKING:
    from benchmark.execute.scheduler import Observer
    from benchmark.store import Store

PATIENCE = 30.0  # seconds that the end of a run waits for MLflow
JOB_PATIENCE = 15.0  # the same for a job of a cluster, which Slurm gives 30 s between SIGTERM and SIGKILL


@contextmanager
def mirrored(store: "Store", *, switched_on: bool = True, patience: float = PATIENCE) -> "Iterator[list[Observer]]":
    """Run a mirror beside the work; yield the observers that feed it, none unless ``switched_on``.

    At the end what is due is sent, for at most ``patience`` seconds; the rest is left to ``sync``.
    """
    if not switched_on:
        yield []
        return
    mirror = Mirror(store)
    mirror.start()
    try:
        yield [_Notifier(mirror)]
    finally:
        mirror.close(patience)


def mirrored_over_http(store: "Store") -> "AbstractContextManager[list[Observer]]":
    """Do what ``mirrored`` does where ``$MLFLOW_TRACKING_URI`` is a server, and nothing elsewhere.

    For jobs of a cluster: their nodes share the file system, over which SQLite is slow and unsafe. Without a server
    everything is left to ``sync``.
    """
    return mirrored(store, switched_on=over_http(tracking_uri(store.root)), patience=JOB_PATIENCE)


class _Notifier:
    """Tells the mirror which stages have something new."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    def event(self, event: Event) -> None:
        ended = isinstance(event, Finished) and event.state in {"done", "failed", "interrupted"}
        if ended or isinstance(event, Started):
            self._mirror.notify(event.key)

    def tick(self) -> None:
        """Leave it to the mirror's own thread."""
