"""The mirror: every executed stage of a store as MLflow runs, kept up to date beside the work and never in its way."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import click

from benchmark.program import program
from benchmark.tracking.attempts import RUNNING, attempts, executed
from benchmark.tracking.runs import Delivery, Sender
from benchmark.tracking.server import connect, public, reason, tracking_uri
from benchmark.tracking.state import locked_state

if TYPE_CHECKING:
    from benchmark.store import Store

FAILURES_IN_A_ROW = 3  # then MLflow is taken to be down
REST_SECONDS = 30.0  # before it is tried again


class Update(NamedTuple):
    """What became of each attempt at a stage, and whether there is more to come."""

    outcomes: tuple[Delivery, ...]
    running: bool


class Mirror:
    """Sends what a store holds to one MLflow, from a thread of its own.

    No method raises because of MLflow: the first failure is one line on stderr, and what was missed stays due until
    ``sync``. The state of each stage is in ``STORE/mlflow``, so that any number of processes may mirror one store.

    Attributes:
        uri: MLflow's tracking URI.
        failed: stage -> why it could not be sent, until it can.

    Args:
        store: what is mirrored.
        uri: MLflow's tracking URI; ``None`` is ``$MLFLOW_TRACKING_URI`` or the SQLite file beside the store.
        interval: seconds between two looks at the stages that run.
        warn: is given the one line.
    """

    def __init__(
        self,
        store: "Store",
        uri: str | None = None,
        interval: float = 3.0,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self._store = store
        self.uri = uri or tracking_uri(store.root)
        self.failed: dict[str, str] = {}
        self._interval = interval
        self._warn = warn or (lambda line: click.echo(line, err=True))
        self._warned = False
        self._sender: Sender | None = None
        self._due: set[str] = set()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def prepare(self) -> bool:
        """Make MLflow's tables unless they exist, one process at a time; return whether MLflow answers."""
        try:
            self._connected()
        except Exception as error:
            self._fail(None, error)
            return False
        return True

    def start(self) -> None:
        """Begin to mirror, in the background, the stages that ``notify`` names."""
        self._thread = threading.Thread(target=self._work, name="mlflow-mirror", daemon=True)
        self._thread.start()

    def notify(self, key: str) -> None:
        """Say that a stage started or ended; one that runs is looked at every few seconds until it ends."""
        self._due.add(key)

    def close(self, timeout: float = 30.0) -> None:
        """Send what is due and end the thread; give up after ``timeout`` seconds."""
        self._closing.set()
        if self._thread is None:
            return
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._fail(None, TimeoutError(f"not done after {timeout:.0f} s"))

    def update(self, key: str, *, verify: bool = False) -> Update | None:
        """Bring the runs of one stage up to date; return ``None`` if that failed.

        With ``verify``, runs that were sent but that MLflow does not know (any more) are sent again.
        """
        try:
            with locked_state(self._store.root / "mlflow", key, public(self.uri)) as state:
                sender = self._connected()
                found = attempts(self._store, key)
                outcomes = tuple(sender.send(attempt, state, verify=verify) for attempt in found)
        except Exception as error:  # the one place: whatever MLflow, its database or the network raise
            self._fail(key, error)
            return None
        self.failed.pop(key, None)
        return Update(outcomes, running=bool(found) and found[-1].status == RUNNING)

    def sync(self) -> Counter[Delivery]:
        """Send all that MLflow does not have of the executed stages of the store, and return what became of the runs.

        Afterwards ``failed`` has the stages that could not be sent.
        """
        runs: Counter[Delivery] = Counter()
        in_a_row = 0
        for key in executed(self._store):
            if in_a_row >= FAILURES_IN_A_ROW:
                self.failed[key] = f"not tried after {in_a_row} failures in a row"
                continue
            update = self.update(key, verify=True)
            if update is None and self._sender:  # it was reached before: only a connection may be lost
                update = self.update(key, verify=True)
            in_a_row = 0 if update else in_a_row + 1
            runs.update(update.outcomes if update else ())
        return runs

    def _connected(self) -> Sender:
        if self._sender is None:
            self._sender = Sender(connect(self.uri), self.uri)
        return self._sender

    def _work(self) -> None:
        next_look, up = 0.0, True
        while not self._closing.wait(self._interval):
            if time.monotonic() >= next_look:
                up = self._look(FAILURES_IN_A_ROW)
                next_look = 0.0 if up else time.monotonic() + REST_SECONDS
        self._look(FAILURES_IN_A_ROW if up else 1)

    def _look(self, failures: int) -> bool:
        """Update every stage that is due; return False, after so many failures in a row, where MLflow is down."""
        in_a_row = 0
        for key in sorted(self._due):
            self._due.discard(key)  # before the look: a notification meanwhile must not be lost
            update = self.update(key)
            if update is None or update.running:
                self._due.add(key)
            in_a_row = 0 if update else in_a_row + 1
            if in_a_row >= failures:
                return False
        return True

    def _fail(self, key: str | None, error: Exception) -> None:
        """Keep the reason for ``sync``; the first one of a process is told."""
        if key is not None:
            self.failed[key] = reason(error)
        if not self._warned:
            self._warned = True
            self._warn(
                f"warning: MLflow at {public(self.uri)} did not take what it was sent ({reason(error)}). The work goes "
                f"on; send what is missing afterwards with: {program()} sync --store {self._store.root}"
            )
