"""Campaigns: what was submitted at once, as files in the store that any process on any machine can read.

``campaigns/<id>/campaign.json`` says what and from where, ``jobs/<key>.json`` holds every stage that was not complete,
and ``rounds/`` what was handed to Slurm one time after the other.
"""

import getpass
import re
import shutil
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.errors import BenchmarkError
from benchmark.execute.cluster.cluster_file import ClusterFile, cluster_file_of
from benchmark.execute.cluster.rounds import Round, next_round, rounds_in
from benchmark.execute.messages import Job
from benchmark.files import dated_name, read_json, sync, write_json, write_text
from benchmark.store import Store

_PREFIX = "wss-"
_NAME = re.compile(rf"{_PREFIX}(\d{{8}}-\d{{6}}-[0-9a-f]{{4}})-")


@dataclass(frozen=True)
class Campaign:
    """What was submitted at once.

    Attributes:
        folder: ``campaigns/<id>`` in the store.
        created: seconds since the epoch.
        user, host: who submitted, and where.
        command: the command line.
        directory: where it was given: relative paths in settings start there.
        root: absolute folder of the store.
        cluster: the cluster file.
        code: folder of the code as it was then.
        tracking: URI of MLflow; ``None`` where the jobs are to tell it nothing.
        tables: names or absolute paths of the table files.
        selection: the other options of the selection, as ``table`` takes them too, with absolute paths.
        stages: keys of the stages that were not complete then, inputs before users.
    """

    folder: Path
    created: float
    user: str
    host: str
    command: tuple[str, ...]
    directory: Path
    root: Path
    cluster: ClusterFile
    code: Path
    tracking: str | None
    tables: tuple[str, ...]
    selection: tuple[str, ...]
    stages: tuple[str, ...]

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def store(self) -> Store:
        return Store(self.root)

    def job(self, key: str) -> Job:
        """Return a stage of the campaign. Raises BenchmarkError where its file is gone or damaged."""
        path = self.folder / "jobs" / f"{key}.json"
        try:
            return Job.decode(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError) as error:
            raise BenchmarkError(f"{path} cannot be read; submit the same command again.") from error

    def rounds(self) -> list[Round]:
        """Return what was handed to Slurm for the campaign so far, oldest first."""
        return rounds_in(self.folder / "rounds")

    def add_round(self, code: Path) -> Round:
        """Return the next round, with its folder made and nothing in it yet."""
        return next_round(self.folder / "rounds", code)


def job_name(campaign: str, what: str) -> str:
    """Return the name of a campaign's jobs. Slurm gives numbers out again: only the name says whose a job is."""
    return f"{_PREFIX}{campaign}-{what}"


def owner(name: str) -> str | None:
    """Return the id of the campaign whose job has this name; ``None`` for a job of something else."""
    found = _NAME.match(name)
    return found[1] if found else None


def folder_of_campaigns(store: Store) -> Path:
    """Return where campaigns lie; absolute, as jobs start elsewhere."""
    return store.root.absolute() / "campaigns"


def described(
    store: Store,
    jobs: Sequence[Job],
    *,
    cluster: ClusterFile,
    code: Path,
    command: Sequence[str],
    tables: Sequence[str],
    selection: Sequence[str],
    tracking: str | None,
) -> Campaign:
    """Return a new campaign; ``write`` makes it last. ``jobs`` are in topological order."""
    now = time.time()
    return Campaign(
        folder=folder_of_campaigns(store) / dated_name(now),
        created=now,
        user=_user(),
        host=socket.gethostname(),
        command=tuple(command),
        directory=Path.cwd(),
        root=store.root.absolute(),
        cluster=cluster,
        code=code,
        tracking=tracking,
        tables=tuple(tables),
        selection=tuple(selection),
        stages=tuple(job.key for job in jobs),
    )


def write(campaign: Campaign, jobs: Sequence[Job]) -> None:
    """Write a campaign with its stages, all at once."""
    draft = campaign.folder.with_name(f".{campaign.id}.tmp")
    try:
        for job in jobs:
            write_text(draft / "jobs" / f"{job.key}.json", job.encode() + "\n", durable=False)
        write_json(draft / "campaign.json", _content(campaign))
        draft.rename(campaign.folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    sync(campaign.folder.parent)


def load(folder: Path) -> Campaign:
    """Return the campaign of a folder. Raises BenchmarkError where it is damaged."""
    path = folder / "campaign.json"
    content = read_json(path)
    if not isinstance(content, dict):
        raise BenchmarkError(f"{path} does not exist or is damaged; submit the same command again.")
    try:
        return _campaign(folder, content)
    except (KeyError, TypeError, AttributeError) as error:
        raise BenchmarkError(f"{path} was written by another version of this software ({error}).") from error


def campaigns(store: Store) -> list[Campaign]:
    """Return the campaigns of a store, oldest first."""
    files = folder_of_campaigns(store).glob("[0-9]*/campaign.json")
    return sorted((load(path.parent) for path in files), key=lambda campaign: (campaign.created, campaign.id))


def _content(campaign: Campaign) -> dict[str, Any]:
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in vars(campaign).items()}
    del plain["folder"], plain["cluster"]
    return {"id": campaign.id, **plain, "preset": campaign.cluster.as_json()}  # its name in every campaign so far


def _campaign(folder: Path, content: Mapping[str, Any]) -> Campaign:
    return Campaign(
        folder=folder.absolute(),
        created=content["created"],
        user=content["user"],
        host=content["host"],
        command=tuple(content["command"]),
        directory=Path(content["directory"]),
        root=Path(content["root"]),
        cluster=cluster_file_of(content["preset"], f"{folder / 'campaign.json'}: preset"),
        code=Path(content["code"]),
        tracking=content["tracking"],
        tables=tuple(content["tables"]),
        selection=tuple(content["selection"]),
        stages=tuple(content["stages"]),
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a number without a name, as in some containers
        return ""
