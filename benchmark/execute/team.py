"""The worker processes that make one job together, and what becomes of all when one of them fails."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from benchmark.execute.faults import lost_peer
from benchmark.execute.messages import Event, Finished, Job, Started
from benchmark.execute.process import WorkerProcess
from benchmark.execute.records import record_end

PARTING = 15.0  # seconds that the others have to end by themselves once one has failed, or the first has ended


Tell = Callable[["Team", int, Event | None], None]


class _End(NamedTuple):
    """How one process ended: as it said, or as is said of one that died or was ended."""

    said: Finished
    by_itself: bool = True
    died: bool = False


class Team:
    """Processes of rank 0, 1, ...; a team of one is kept for further jobs, a larger one serves a single job.

    Args:
        environments: of the processes, by rank.
        tell: is given rank and event of a process, ``None`` when there will be no more, from a thread.
    """

    def __init__(self, environments: Sequence[Mapping[str, str]], tell: Tell) -> None:
        self.job: Job | None = None
        self._attempt = 0
        self._served = self._killed = False
        self._deadline = math.inf
        self._ends: dict[int, _End] = {}  # in the order in which they came
        self._members = [self._member(rank, environment, tell) for rank, environment in enumerate(environments)]

    @property
    def reusable(self) -> bool:
        """Whether another job of one process may be given to this team."""
        return self.job is None and len(self._members) == 1 and not self._members[0].dismissed

    def give(self, job: Job) -> None:
        self.job, self._attempt = job, 0
        self._ends.clear()
        for member in self._members:
            member.give(job)

    def handle(self, rank: int, event: Event | None) -> Event | None:
        """Take in what a process tells; return what the team tells: of a job one start and one end."""
        if self.job is None or rank in self._ends:
            if event is None:
                self._members[rank].death()  # nothing is lost by it
            return None
        if event is None or isinstance(event, Finished):
            return self._ended(self.job, rank, event)
        if isinstance(event, Started):
            self._attempt = event.attempt
        return event

    def tick(self) -> Event | None:
        """Do what is due: end processes that wait for one that is gone; return the end of the job if that is it."""
        for member in self._members:
            member.bury_children()
        if self.job is None or time.monotonic() < self._deadline:
            return None
        for rank, member in enumerate(self._members):
            if rank not in self._ends:
                member.kill()
                message = "it was ended, having waited for another process"
                self._ends[rank] = _End(Finished(self.job.key, "failed", message=message, fault="machine"), False)
        return self._concluded(self.job)

    def terminate(self) -> None:
        """Ask the stage to save its state."""
        for member in self._members:
            member.terminate()

    def kill(self) -> None:
        """End everything at once."""
        self._killed = True
        for member in self._members:
            member.kill()

    def dismiss(self) -> None:
        """Take leave of the processes, which have no work."""
        for member in self._members:
            member.dismiss()

    def join(self) -> None:
        """Wait for the end of the processes."""
        for member in self._members:
            member.join()
            member.close()

    def _member(self, rank: int, environment: Mapping[str, str], tell: Tell) -> WorkerProcess:
        return WorkerProcess(environment, lambda event: tell(self, rank, event))

    def _ended(self, job: Job, rank: int, event: Finished | None) -> Event | None:
        """Keep how a process ended; return the end of the job, if it was the last."""
        member = self._members[rank]
        if event is None:
            self._ends[rank] = self._death(job, member.death())
        else:
            self._ends[rank] = _End(event)
            if event.state == "interrupted" or len(self._members) > 1:  # a signal would interrupt the next job too
                member.dismiss()
        if len(self._ends) == len(self._members):
            return self._concluded(job)
        if rank == 0 or self._ends[rank].said.state == "failed":
            self._deadline = min(self._deadline, time.monotonic() + PARTING)
        return None

    def _death(self, job: Job, reason: str) -> _End:
        if self._killed:
            return _End(Finished(job.key, "interrupted", message=reason), by_itself=False)
        return _End(Finished(job.key, "failed", message=reason, fault="machine"), by_itself=False, died=True)

    def _concluded(self, job: Job) -> Finished:
        """Return the end of the job, and record it where the first process did not, or not with the reason."""
        self.job, self._deadline = None, math.inf
        served, self._served = self._served, True
        if self._ends[0].died and served and not self._attempt:  # between two jobs, which says nothing about this one
            return Finished(job.key, "busy", message="its worker process was gone")
        rank = self._cause()
        said, by_itself, died = self._ends[rank]
        if rank == 0 and by_itself:
            return said
        if rank:
            said = said._replace(message=f"rank {rank} of {len(self._members)}: {said.message}")
        return record_end(job, self._attempt, said, died=died) if self._attempt else said

    def _cause(self) -> int:
        """Return the rank of the process whose end explains that of the job: of several failures the first."""
        first = self._ends[0].said
        if first.state != "failed" or first.fault == "stage":
            return 0
        failed = (rank for rank, end in self._ends.items() if end.said.state == "failed")
        return next((rank for rank in failed if not lost_peer(self._ends[rank].said.message)), 0)
