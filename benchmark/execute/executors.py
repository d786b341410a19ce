"""Executors, found by name through entry points; the verbs know none of them.

An object that an entry point of ``GROUP`` names is an ``ExecutorPlugin``. There are two kinds:

* One **stays** until all is made. The records of its attempts say where they run, by which ``status``, ``logs`` and
  ``cancel`` find them, and ``retry`` calls the same ``run`` again. Its configured executor is an ``Attended`` around a
  ``Launcher``, and it has no campaigns.
* One **submits and returns**. What it hands over at once is a *campaign*, which it writes down in the store so that any
  later shell finds it: its ``CampaignManager`` says what there is and how the jobs stand, cancels and repeats. A job
  that calls ``run`` itself has its name in ``$BENCHMARK_JOB``: by it the records of attempts know the job, and
  ``retry`` takes up the campaign.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from benchmark.errors import BenchmarkError, Exit
from benchmark.plugins import plugins

if TYPE_CHECKING:
    from benchmark.execute.session import Session
    from benchmark.execute.stage_status import StageStatus
    from benchmark.plan import Plan
    from benchmark.store import Store

GROUP = "weakshot_benchmark.executors"
DEFAULT = "local"  # what nobody has to ask for

Option = Callable[[Callable[..., Any]], Callable[..., Any]]  # what click.option returns


@dataclass(frozen=True)
class RunRequest:
    """What ``run`` asks of an executor.

    Attributes:
        plan: the cells that are to be made.
        store: where results go.
        tables: names or absolute paths of the table files.
        selection: the other options of the selection, as ``run`` and ``table`` take them in any folder.
        first: whether this is one cell only, to try: where that is possible, in this very process.
        mlflow: whether MLflow is told.
        quiet: whether nothing but errors is said.
    """

    plan: "Plan"
    store: "Store"
    tables: tuple[str, ...]
    selection: tuple[str, ...]
    first: bool = False
    mlflow: bool = True
    quiet: bool = False


class HandedOver(NamedTuple):
    """Stages are in the hands of others: how many, and the exit code that says whether these were all there are."""

    stages: int
    code: Exit = Exit.OK


class ConfiguredExecutor(Protocol):
    """An executor with the options that the user gave it."""

    @property
    def workers(self) -> int | None:
        """Stages side by side, for forecasts; ``None`` where nobody knows."""

    @property
    def again(self) -> Sequence[str] | None:
        """The options of ``run`` that choose the same again, for ``retry``; ``None`` where a campaign serves it."""

    def preview(self, request: RunRequest) -> str:
        """Return what ``make`` would do beyond making the listed stages; empty for nothing. Touches nothing."""

    def make(self, request: RunRequest) -> "Session | HandedOver":
        """Make the stages that are not complete, of which there are some, and tell of it on stderr.

        Returns:
            How the stages ended, or that they were handed over and others go on without this process.

        Raises:
            BenchmarkError: the store cannot be written, or nothing could be handed over.
        """


class Campaign(Protocol):
    """What an executor handed over at once.

    Attributes:
        id: from ``new_campaign_id``, for the command line.
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

    def status(self, key: str) -> "StageStatus | None":
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


@dataclass(frozen=True)
class ExecutorPlugin:
    """What an entry point of ``GROUP`` names. Its module must be quick to import: ``run --help`` loads it.

    Attributes:
        name: as ``--executor`` takes it.
        summary: half a line for ``run --help``.
        configured: returns the executor with its options, by the names of click's parameters. Raises click.UsageError
            for options that contradict each other, or where one is missing; BenchmarkError for a wrong value.
        options: decorators made by ``click.option``, for what this executor understands and perhaps others that share
            one; ``run`` refuses the options of other executors than the chosen one.
        instead: said to whoever gives it options of another executor; may be empty.
        campaigns: returns who keeps what the executor handed over; ``None`` for one that stays until all is made.
    """

    name: str
    summary: str
    configured: Callable[[Mapping[str, Any]], ConfiguredExecutor]
    options: Sequence[Option] = ()
    instead: str = ""
    campaigns: "Callable[[Store], CampaignManager | None]" = lambda _store: None


class KeptCampaign(NamedTuple):
    """A campaign, and who keeps it."""

    campaign: Campaign
    manager: CampaignManager


@cache
def executors() -> dict[str, ExecutorPlugin]:
    """Return every installed executor by name, the default first.

    Raises BenchmarkError when one cannot be loaded, two share a name, or the default is missing.
    """
    found: Mapping[str, ExecutorPlugin] = plugins(GROUP, "executor")
    if DEFAULT not in found:
        raise BenchmarkError(
            f"the installed package names no executor {DEFAULT!r}, so it is older than this code; install it again: "
            f"`pip install -e .` in the checkout."
        )
    return {name: found[name] for name in sorted(found, key=lambda name: (name != DEFAULT, name))}


def managers(store: "Store") -> dict[str, CampaignManager]:
    """Return who keeps campaigns in a store, by the name of the executor."""
    found = {name: plugin.campaigns(store) for name, plugin in executors().items()}
    return {name: manager for name, manager in found.items() if manager}


def campaigns(store: "Store") -> list[KeptCampaign]:
    """Return the campaigns of a store, oldest first. Raises BenchmarkError where the record of one is damaged."""
    kept = [KeptCampaign(campaign, manager) for manager in managers(store).values() for campaign in manager.campaigns()]
    return sorted(kept, key=lambda entry: (entry.campaign.created, entry.campaign.id))


def new_campaign_id(now: float) -> str:
    """Return the id of a campaign that is made at ``now``: the local time and four random digits."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.localtime(now))}-{secrets.token_hex(2)}"


def told(answers: Iterable[QueueAnswer]) -> "Callable[[str], StageStatus | None]":
    """Return what several executors say of a stage, as one: of a stage that was handed to two, the one at work."""
    answers = tuple(answers)

    def of(key: str) -> "StageStatus | None":
        said = [status for answer in answers if (status := answer.status(key))]
        return next((status for status in said if status.state in {"running", "queued"}), said[0] if said else None)

    return of
