"""What an executor handed over at once and others go on with: how it stands, and how it is cancelled and repeated."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from benchmark.errors import Exit
from benchmark.execute.stage_status import StageStatus


class HandedOver(NamedTuple):
    """Stages are in the hands of others: how many, and the exit code that says whether these were all there are."""

    stages: int
    code: Exit = Exit.OK


class Campaign(Protocol):
    """What an executor handed over at once.

    Attributes:
        id: from ``files.dated_name``, for the command line.
        created: seconds since the epoch.
        stages: keys of the stages that were not complete then, inputs before users.
    """

    @property
    def id(self) -> str: ...

    @property
    def created(self) -> float: ...

    @property
    def stages(self) -> Sequence[str]: ...


class CampaignStatus(NamedTuple):
    """How a campaign stands.

    Attributes:
        id: of the campaign.
        user, host: who handed it over, and where; empty where its record is damaged.
        command: the command line.
        rounds: how often stages of it were handed over.
        at_work: whether a job of it runs or waits; ``None`` where that is not known.
        stuck: whether the queue holds jobs that a node failed to start, until ``retry`` lets them go.
        error: what went wrong with the last round, or with its record.
    """

    id: str
    user: str = ""
    host: str = ""
    command: Sequence[str] = ()
    rounds: int = 0
    at_work: bool | None = None
    stuck: bool = False
    error: str = ""


class QueueAnswer(Protocol):
    """What the queue of an executor said, asked once, of the jobs that make stages."""

    @property
    def silence(self) -> str:
        """Why nothing is known; empty where the queue answered, or where there was nothing to ask."""

    def status(self, key: str) -> StageStatus | None:
        """Return how the job of a stage stands, as ``stage_status.stage_statuses`` is told; ``None`` without one."""

    def campaigns(self) -> Sequence[CampaignStatus]:
        """Return the campaigns of these stages."""


class Cancelled(NamedTuple):
    """What was cancelled: how many jobs, and the keys of all stages that were meant and are not complete."""

    jobs: int
    stages: Sequence[str]


class CampaignManager(Protocol):
    """The campaigns of one executor in one store, for verbs in any later shell."""

    @property
    def title(self) -> str:
        """Whose jobs they are, for people, as in ``2 jobs of Slurm``."""

    def campaigns(self) -> Sequence[Campaign]:
        """Return all campaigns, oldest first. Raises BenchmarkError where the record of one is damaged."""

    def job(self, key: str) -> str:
        """Return the name of the job that was last to make a stage which is not complete; empty without one."""

    def ask(self, keys: Iterable[str]) -> QueueAnswer:
        """Ask the queue once how the jobs of some stages stand; it is left alone where none was handed over."""

    def logs(self, key: str) -> Sequence[Path]:
        """Return what the jobs of a stage wrote around it, oldest first."""

    def cancel(self, campaigns: Sequence[str] | None, keys: Sequence[str]) -> Cancelled:
        """Take campaigns and single stages out of the queue; what runs saves its state first.

        Args:
            campaigns: ids, of other executors' too; ``None`` for all.
            keys: of stages, whether handed over or not.

        Raises:
            BenchmarkError: nothing, or not everything, could be cancelled.
        """

    def retry(self, campaign: str, keys: Sequence[str], *, failed: bool, cancelled: bool) -> HandedOver | None:
        """Hand over again what a campaign lacks, with the code as it is now, and say so; ``None`` for nothing.

        Args:
            campaign: its id.
            keys: only these stages, with what they need and what rests on them, however they ended; empty for all.
            failed: also those that failed by themselves.
            cancelled: also those that were cancelled.

        Raises:
            BenchmarkError: nothing could be handed over.
        """


def told(answers: Iterable[QueueAnswer]) -> Callable[[str], StageStatus | None]:
    """Return what several executors say of a stage, as one: of a stage that was handed to two, the one at work."""
    answers = tuple(answers)

    def of(key: str) -> StageStatus | None:
        said = [status for answer in answers if (status := answer.status(key))]
        return next((status for status in said if status.state in {"running", "queued"}), said[0] if said else None)

    return of
