"""An executor in one file: it hands a run to a process that goes on when the shell is closed, and returns.

With a queue instead of a process, ``begin`` would be its ``qsub``, ``Campaign.alive`` its ``qstat`` and the signal in
``Campaigns.cancel`` its ``qdel``. All that later shells need lies in ``STORE/background``: of every campaign a record,
a log, and a file that its process keeps locked while it lives.
"""

import dataclasses
import fcntl
import getpass
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from benchmark.errors import BenchmarkError
from benchmark.execute.campaigns import CampaignStatus, Cancelled, HandedOver
from benchmark.execute.executors import ExecutorPlugin, RunRequest
from benchmark.execute.stage_status import StageStatus, cancelled_mark, mark_cancelled
from benchmark.files import dated_name, read_json, write_json
from benchmark.store import Store


@dataclass(frozen=True)
class Background:
    """The executor with its options."""

    nice: int
    workers: int = 1
    again: None = None  # ``retry`` takes up the campaign

    def preview(self, request: RunRequest) -> str:
        return f"would start {shlex.join(command_of(request))}"

    def make(self, request: RunRequest) -> HandedOver:
        request.store.check_writable()
        now = time.time()
        campaign = Campaign(
            folder=folder_of(request.store),
            id=dated_name(now),
            created=now,
            stages=tuple(stage.key for stage in request.plan.pending(request.store)),
            command=command_of(request),
            directory=str(Path.cwd()),
            nice=self.nice,
        )
        begun = begin(campaign)
        click.echo(begun.id)
        if not request.quiet:
            click.echo(f"process {begun.pid} makes {len(begun.stages)} stages; its log: {begun.log}", err=True)
        return HandedOver(len(begun.stages))


def command_of(request: RunRequest) -> tuple[str, ...]:
    """Return the command line that makes what is asked for in the process that calls it."""
    flags = [*(["--first"] if request.first else []), *([] if request.mlflow else ["--no-mlflow"])]
    given = ["--table", ",".join(request.tables), *request.selection, *flags, "--executor", "inline"]
    return (sys.executable, "-m", "benchmark", "run", *given)


@dataclass(frozen=True)
class Campaign:
    """What was handed to a process: its record is ``<id>.json``."""

    folder: Path
    id: str
    created: float
    stages: tuple[str, ...]
    command: tuple[str, ...]
    directory: str
    nice: int
    user: str = dataclasses.field(default_factory=getpass.getuser)
    host: str = dataclasses.field(default_factory=socket.gethostname)
    pid: int = 0
    rounds: int = 0

    @property
    def log(self) -> Path:
        return self.folder / f"{self.id}.log"

    @property
    def lock(self) -> Path:
        return self.folder / f"{self.id}.lock"

    def alive(self) -> bool:
        """Return whether the process is there: it has inherited the lock, which ends with it."""
        with self.lock.open() as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False


def begin(campaign: Campaign) -> Campaign:
    """Start the process of a campaign, the first or another one, and return the campaign with it."""
    campaign.folder.mkdir(parents=True, exist_ok=True)
    script = 'export BENCHMARK_JOB=$$; exec "$@"'  # the records of attempts name the job
    with campaign.lock.open("w") as lock, campaign.log.open("ab") as log:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(
            ["nice", f"-n{campaign.nice}", "sh", "-c", script, "sh", *campaign.command],
            cwd=campaign.directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[lock.fileno()],
            start_new_session=True,
        )
    begun = dataclasses.replace(campaign, pid=process.pid, rounds=campaign.rounds + 1, host=socket.gethostname())
    content = dataclasses.asdict(begun)
    del content["folder"]
    write_json(campaign.folder / f"{campaign.id}.json", content)
    return begun


def folder_of(store: Store) -> Path:
    """Return where campaigns lie."""
    return store.root.absolute() / "background"


class Campaigns:
    """What the verbs ask: a ``CampaignManager``."""

    title = "the background"

    def __init__(self, store: Store) -> None:
        self._store = store

    def campaigns(self) -> list[Campaign]:
        found = []
        for path in folder_of(self._store).glob("*.json"):
            content = read_json(path)
            if not isinstance(content, dict):
                raise BenchmarkError(f"{path} is damaged; delete it and give the same command again.")
            listed = {name: tuple(content[name]) for name in ("stages", "command")}
            found.append(Campaign(**{**content, **listed, "folder": path.parent}))
        return sorted(found, key=lambda campaign: campaign.created)

    def last(self, key: str) -> Campaign | None:
        """Return the last campaign that was to make a stage which is not complete."""
        known = () if self._store.find(key) else reversed(self.campaigns())
        return next((campaign for campaign in known if key in campaign.stages), None)

    def job(self, key: str) -> str:
        campaign = self.last(key)
        return str(campaign.pid) if campaign else ""

    def ask(self, keys: Iterable[str]) -> "Answer":
        return Answer(self._store, {key: campaign for key in keys if (campaign := self.last(key))})

    def logs(self, key: str) -> list[Path]:
        return [campaign.log for campaign in self.campaigns() if key in campaign.stages]

    def cancel(self, campaigns: Sequence[str] | None, keys: Sequence[str]) -> Cancelled:
        known = self.campaigns()
        chosen = [one for one in known if campaigns is None or one.id in campaigns]
        for one in known:
            if one not in chosen and one.alive() and not set(keys).isdisjoint(one.stages):
                raise BenchmarkError(f"one process makes all stages of campaign {one.id}: cancel {one.id}.")
        alive = [one for one in chosen if one.alive()]
        for one in alive:
            if one.host != socket.gethostname():
                raise BenchmarkError(f"campaign {one.id} is made on {one.host}: cancel it there.")
        stages = [key for one in chosen for key in one.stages if not self._store.find(key)]
        for key in stages:
            mark_cancelled(self._store, key)
        for one in alive:
            os.kill(one.pid, signal.SIGTERM)
        return Cancelled(len(alive), [*stages, *keys])

    def retry(self, campaign: str, keys: Sequence[str], *, failed: bool, cancelled: bool) -> HandedOver | None:
        """Start a process again: as ``run`` it takes up all that is missing, ``failed`` or not."""
        known = next(one for one in self.campaigns() if one.id == campaign)
        missing = [key for key in known.stages if not self._store.find(key)]
        meant = [key for key in missing if cancelled or keys or not cancelled_mark(self._store, key).exists()]
        if not meant or known.alive():
            return None
        for key in missing:
            cancelled_mark(self._store, key).unlink(missing_ok=True)
        begun = begin(known)
        click.echo(f"process {begun.pid} goes on with campaign {begun.id}: {len(missing)} stages")
        return HandedOver(len(missing))


class Answer:
    """How the jobs of some stages stand: a ``QueueAnswer``."""

    silence = ""

    def __init__(self, store: Store, last: Mapping[str, Campaign]) -> None:
        self._store, self._last = store, last
        self._alive = {campaign.id for campaign in set(last.values()) if campaign.alive()}

    def status(self, key: str) -> StageStatus | None:
        campaign = self._last.get(key)
        if campaign is None:
            return None
        said = StageStatus("lost", str(campaign.pid), campaign.host, campaign.id)
        if campaign.id not in self._alive:
            return said._replace(detail="its process has ended")
        if self._store.locked(key):
            return said._replace(state="running")
        if cancelled_mark(self._store, key).exists():
            return said._replace(state="cancelled")
        had_its_turn = any(record.get("job") == said.job for record in self._store.attempts(key))
        return said if had_its_turn else said._replace(state="queued", detail="waits its turn")

    def campaigns(self) -> list[CampaignStatus]:
        return [
            CampaignStatus(one.id, one.user, one.host, one.command, one.rounds, at_work=one.id in self._alive)
            for one in sorted(set(self._last.values()), key=lambda one: one.id)
        ]


EXECUTOR = ExecutorPlugin(
    name="background",
    summary="a process that goes on without this one, one stage after the other",
    configured=lambda values: Background(values["nice"]),
    options=(
        click.option(
            "--nice",
            type=click.IntRange(0, 19),
            default=0,
            help="With --executor background: how far it gives way to other processes.",
        ),
    ),
    instead="in the background there is one process",
    campaigns=Campaigns,
)
