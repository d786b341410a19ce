"""Waiting for a campaign: what its jobs do, told as if they ran here. The jobs need nobody who waits."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence

from benchmark.execute.cluster.campaign import Campaign, owner
from benchmark.execute.cluster.queue import Queue
from benchmark.execute.cluster.survey import inputs_of, job_logs, recoverable, survey
from benchmark.execute.messages import Event, Finished, Progress, Started
from benchmark.execute.scheduler import Observer
from benchmark.execute.session import Session
from benchmark.execute.stage_status import StageStatus
from benchmark.files import read_json

SHORTEST, LONGEST = 2.0, 60.0  # seconds between two looks
SLOWER = 1.5  # each look that shows nothing new makes the next wait so much longer
TICK = 0.5
LOOKS = 2  # in a row that must find nobody at work: shared file systems show results late


def watch(campaign: Campaign, observers: Sequence[Observer]) -> Session:
    """Tell observers what becomes of a campaign until nobody works for it any more. Ctrl-C only ends the watching."""
    watching = _Watch(campaign, observers)
    try:
        watching.run()
    except KeyboardInterrupt:
        return Session(watching.outcomes, interrupted=True)
    return Session(watching.outcomes, interrupted=False)


def next_wait(wait: float, *, news: bool) -> float:
    """Return the seconds until the next look: every one is a question to Slurm's controller."""
    return SHORTEST if news else min(LONGEST, wait * SLOWER)


class _Watch:
    def __init__(self, campaign: Campaign, observers: Sequence[Observer]) -> None:
        self._campaign, self._store = campaign, campaign.store
        self._observers = observers
        self._inputs = inputs_of(campaign)
        self._attempts: dict[str, int] = {}  # stage -> attempt that was told
        self._progress: dict[str, int] = {}
        self.outcomes: dict[str, Finished] = {}

    def run(self) -> None:
        wait, idle = SHORTEST, 0
        while True:
            stages, queue = survey(self._store, self._inputs, ask=True)
            news = self._tell(stages)
            idle = 0 if self._at_work(stages, queue) else idle + 1
            if len(self.outcomes) == len(self._inputs):
                return
            if idle >= LOOKS:
                self._give_up(stages)
                return
            wait = SHORTEST if idle else next_wait(wait, news=news)
            self._pause(wait)

    def _tell(self, stages: Mapping[str, StageStatus]) -> bool:
        """Tell all that is new; return whether there was anything."""
        again = self._to_be_made_again(stages)
        events = [event for key, stage in stages.items() for event in self._events(key, stage, again)]
        for event in events:
            for observer in self._observers:
                observer.event(event)
        return bool(events)

    def _to_be_made_again(self, stages: Mapping[str, StageStatus]) -> Collection[str]:
        """Return the stages that will be submitted again; asked for only where some are blocked."""
        if not any(stage.state == "blocked" for stage in stages.values()):
            return ()
        return recoverable(self._campaign, self._inputs, stages)

    def _events(self, key: str, stage: StageStatus, again: Collection[str]) -> Iterator[Event]:
        if key in self.outcomes:
            return
        attempts = self._store.attempts(key)
        if attempts and attempts[-1]["number"] > self._attempts.get(key, 0):
            self._attempts[key] = attempts[-1]["number"]
            yield Started(key, attempts[-1]["number"])
        if stage.state == "running":
            yield from self._advanced(key)
        end = self._end(key, stage, again)
        if end:
            self.outcomes[key] = end
            yield end

    def _advanced(self, key: str) -> Iterator[Progress]:
        content = read_json(self._store.work(key) / "progress.json")
        if content and content["done"] != self._progress.get(key):
            self._progress[key] = content["done"]
            yield Progress(key, content["done"], content["total"])

    def _end(self, key: str, stage: StageStatus, again: Collection[str]) -> Finished | None:
        """Return how a stage has ended for good, if it has: one that a machine failed may be submitted again."""
        if stage.state == "done":
            result = self._store.result(key)
            return Finished(key, "done", float(result["wall_seconds"]))
        if stage.state == "failed" and not stage.by_machine:
            return Finished(key, "failed", message=stage.detail, log=self._log(key), fault="stage")
        if stage.state == "cancelled":
            return Finished(key, "interrupted", message="cancelled")
        if stage.state == "blocked" and key not in again:
            return Finished(key, "blocked", message=stage.detail)
        return None

    def _at_work(self, stages: Mapping[str, StageStatus], queue: Queue) -> bool:
        """Return whether a job of the campaign or a maker of one of its stages is there, or may be."""
        if queue.silence or any(stage.state in {"queued", "running"} for stage in stages.values()):
            return True
        return any(job.alive and owner(job.name) == self._campaign.id for job in queue.jobs.values())

    def _give_up(self, stages: Mapping[str, StageStatus]) -> None:
        """Tell how stages stand for which nobody does anything."""
        for key, stage in stages.items():
            if key not in self.outcomes:
                words = f"{stage.state}, and nobody makes it; `retry` submits it again"
                message = ": ".join(filter(None, [words, stage.detail]))
                end = Finished(key, "failed", message=message, log=self._log(key), fault="machine")
                self.outcomes[key] = end._replace(state="blocked") if stage.state == "blocked" else end
                for observer in self._observers:
                    observer.event(self.outcomes[key])

    def _log(self, key: str) -> str:
        """Return the file that says most of the last attempt, or of the job that never came to one."""
        number = self._attempts.get(key)
        files = (self._store.attempt_folder(key, number) / name for name in ("error.txt", "log.txt")) if number else ()
        return next((str(path) for path in (*files, *job_logs(self._campaign, key)[-1:]) if path.is_file()), "")

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for observer in self._observers:
                observer.tick()
            time.sleep(TICK)
