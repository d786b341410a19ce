"""How long a run will still take: estimates of costs, corrected by what was measured."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmark.execute.messages import Event, Finished, Progress, Started
from benchmark.makespan import wall_seconds
from benchmark.stage import Stage


@dataclass
class Running:
    """A stage that runs: since when, and how far it is."""

    stage: Stage
    since: float
    done: int = 0
    total: int = 0
    first: tuple[int, float] | None = None  # progress at the first report: a resumed stage does not begin at 0
    latest: float = 0.0

    def left(self) -> float | None:
        """Return the seconds that the stage needs at its pace so far, ``None`` while that is unknown."""
        if self.first is None or self.done <= self.first[0]:
            return None
        return (self.latest - self.first[1]) / (self.done - self.first[0]) * (self.total - self.done)


class Forecast:
    """Follows the events of a run.

    Attributes:
        total: stages to be made.
        finished: stages that came to an end, in whatever way.
        failed: of these, the ones without a result.
        running: key -> what runs now.
    """

    def __init__(self, stages: Sequence[Stage], workers: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._stages = {stage.key: stage for stage in stages}
        self._workers, self._clock = max(1, workers), clock
        self._open = dict(self._stages)
        self._measured = self._expected = 0.0
        self.total, self.finished, self.failed = len(stages), 0, 0
        self.running: dict[str, Running] = {}

    def event(self, event: Event) -> None:
        now = self._clock()
        if isinstance(event, Started):
            self.running[event.key] = Running(self._stages[event.key], now)
        elif isinstance(event, Progress) and event.key in self.running:
            running = self.running[event.key]
            running.done, running.total, running.latest = event.done, event.total, now
            running.first = running.first or (event.done, now)
        elif isinstance(event, Finished):
            self._finished(event)

    def _finished(self, event: Finished) -> None:
        self.running.pop(event.key, None)
        if event.state == "busy":
            return
        self._open.pop(event.key, None)
        self.finished += 1
        self.failed += event.state in {"failed", "blocked"}
        if event.state == "done" and event.seconds:
            self._measured += event.seconds
            self._expected += self._stages[event.key].cost

    def left(self) -> float:
        """Return the seconds until the run ends."""
        pace = self._pace()
        costs = {key: stage.cost * pace for key, stage in self._open.items()}
        now = self._clock()
        for key, running in self.running.items():
            own = running.left()
            costs[key] = max(0.0, costs[key] - (now - running.since)) if own is None else own
        return wall_seconds(list(self._open.values()), self._workers, costs)

    def _pace(self) -> float:
        """Return how many seconds of wall time one estimated CPU second takes here."""
        measured, expected = self._measured, self._expected
        for running in self.running.values():
            own = running.left()
            if own is not None and running.total:
                measured += running.latest - running.since + own
                expected += running.stage.cost
        return measured / expected if measured and expected else 1.0
