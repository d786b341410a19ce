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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from benchmark.errors import BenchmarkError
from benchmark.execute.campaigns import Campaign, CampaignManager, HandedOver
from benchmark.plugins import plugins

if TYPE_CHECKING:
    from benchmark.execute.session import Session
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
