"""Which stage is made when: the most urgent ready one first; a failure costs only what rests on it."""

import heapq
import time
from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Protocol

from benchmark.execute.executor import Executor, Interrupts
from benchmark.execute.messages import Event, Finished, Job
from benchmark.makespan import urgency
from benchmark.stage import Stage
from benchmark.store import Store

POLL = 0.2  # seconds
OTHERS_POLL = 0.5  # seconds between two looks at what another run is making


class Observer(Protocol):
    """Is told of everything, in order."""

    def event(self, event: Event) -> None: ...

    def tick(self) -> None:
        """Do what is due from time to time."""


class Scheduler:
    """Gives jobs to an executor in an order that their inputs allow.

    Args:
        stages: what is to be made, in topological order; inputs outside of it are complete.
        jobs: key -> the job of each stage.
        store: where results appear, those of other runs too.
        observers: are told of every event.
    """

    def __init__(
        self, stages: Sequence[Stage], jobs: Mapping[str, Job], store: Store, observers: Sequence[Observer]
    ) -> None:
        self._stages = {stage.key: stage for stage in stages}
        self._jobs, self._store, self._observers = jobs, store, observers
        self._urgency = urgency(stages)
        self._order: TopologicalSorter[str] = TopologicalSorter(
            {
                key: [parent.key for parent in stage.inputs.values() if parent.key in jobs]
                for key, stage in self._stages.items()
            }
        )
        self._order.prepare()
        self._ready: list[tuple[float, str]] = []
        self._running: set[str] = set()
        self._elsewhere: dict[str, float] = {}  # key -> when to look again
        self._interrupts = Interrupts()
        self.outcomes: dict[str, Finished] = {}

    def run(self, executor: Executor, interrupts: Interrupts) -> Mapping[str, Finished]:
        """Make all that can be made and return how each stage ended; those that were not reached are missing."""
        self._interrupts = interrupts
        self._collect_ready()
        asked = 0
        while self._running or (not interrupts.count and (self._ready or self._elsewhere)):
            if interrupts.count > asked:
                asked = interrupts.count
                (executor.stop if asked == 1 else executor.kill)()
            if not interrupts.count:
                self._look_elsewhere()
                self._dispatch(executor)
            self._wait(executor)
        return self.outcomes

    def event(self, event: Event) -> None:
        """Take in what the executor tells."""
        if isinstance(event, Finished):
            self._finished(event)
        else:
            self._tell(event)

    def _wait(self, executor: Executor) -> None:
        if self._running:
            executor.wait(POLL)
        elif self._elsewhere and not self._ready:
            time.sleep(POLL)
        for observer in self._observers:
            observer.tick()

    def _dispatch(self, executor: Executor) -> None:
        while self._ready and executor.idle() and not self._interrupts.count:
            _, key = heapq.heappop(self._ready)
            if self._store.find(key):
                self._finished(Finished(key, "done", message="made by another run"))
                continue
            self._running.add(key)
            executor.submit(self._jobs[key])

    def _look_elsewhere(self) -> None:
        now = time.monotonic()
        for key, due in list(self._elsewhere.items()):
            if now < due:
                continue
            if self._store.find(key) or not self._store.locked(key):
                del self._elsewhere[key]
                self._push(key)
            else:
                self._elsewhere[key] = now + OTHERS_POLL

    def _finished(self, event: Finished) -> None:
        self._running.discard(event.key)
        if event.state == "busy":
            self._elsewhere[event.key] = time.monotonic() + OTHERS_POLL
            self._tell(event)
            return
        if event.state == "interrupted" and not self._interrupts.count:
            message = "stopped by a signal from outside; its state is kept"
            event = event._replace(state="failed", message=message, fault="machine")
        self.outcomes[event.key] = event
        self._tell(event)
        if event.state == "done":
            self._order.done(event.key)
            self._collect_ready()
        elif event.state == "failed":
            self._block(event.key)

    def _block(self, failed: str) -> None:
        """Report all that rests on a failed stage."""
        lost = {failed}
        for key, stage in self._stages.items():
            parent = next((needed for needed in stage.inputs.values() if needed.key in lost), None)
            if parent is not None and key not in self.outcomes:
                lost.add(key)
                self.outcomes[key] = Finished(key, "blocked", message=f"needs {parent.name!r}")
                self._tell(self.outcomes[key])

    def _collect_ready(self) -> None:
        for key in self._order.get_ready():
            self._push(key)

    def _push(self, key: str) -> None:
        heapq.heappush(self._ready, (-self._urgency[key], key))

    def _tell(self, event: Event) -> None:
        for observer in self._observers:
            observer.event(event)
