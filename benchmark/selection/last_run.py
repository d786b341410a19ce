"""A command line given again in any folder: of a campaign, which writes its tables so, and of the last run here."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmark.arithmetic import Level, level
from benchmark.files import read_json, write_json
from benchmark.paths import is_path
from benchmark.plan import Plan
from benchmark.selection.options import Selection
from benchmark.store import Store


class LastRun(NamedTuple):
    """The last ``run`` that made stages of a store on this machine.

    Attributes:
        arguments: of the command line.
        directory: it was called in; settings may name files by paths that start there.
        began: in seconds since the epoch.
        arithmetic: ``portable`` or ``machine``.
    """

    arguments: list[str]
    directory: str
    began: float
    arithmetic: Level = "portable"


def keep_run(plan: Plan, selection: Selection, launching: Sequence[str], *, first: bool, mlflow: bool) -> None:
    """Write down how stages of a store are about to be made; ``launching`` chooses the executor again."""
    options = [*arguments(plan, selection), *(["--first"] if first else launching)]
    options += [] if mlflow else ["--no-mlflow"]
    given = ["--table", ",".join(map(absolute, selection.tables)), *options]
    with selection.store.writing():
        write_json(_file(selection.store), LastRun(given, str(Path.cwd()), time.time(), level())._asdict())


def last_run(store: Store) -> LastRun | None:
    """Return the last run that was kept; ``None`` where there is none, or where its record is damaged."""
    content = read_json(_file(store))
    whole = isinstance(content, dict) and content.keys() | {"arithmetic"} == set(LastRun._fields)
    return LastRun(**content) if whole else None


def arguments(plan: Plan, selection: Selection) -> Iterator[str]:
    """Yield the options, but the tables, that give the selection again in any folder."""
    yield from ("--dataset", plan.source, "--profile", absolute(selection.profile), "--preset", selection.preset)
    yield from ("--store", str(selection.store.root.absolute()), "--out", str(selection.results_folder().absolute()))
    yield from ("--seeds", ",".join(map(str, selection.seeds)))
    for option, names in (("--splits", selection.splits), ("--methods", selection.methods)):
        yield from (option, ",".join(names)) if names is not None else ()
    for name, value in selection.overrides.items():
        yield from ("--set", f"{name}={json.dumps(value)}")
    if plan.data_root is not None:
        yield from ("--data-root", str(plan.data_root))


def absolute(name: str) -> str:
    """Return a path absolute, and the name of something that comes with the software as it is."""
    return str(Path(name).absolute()) if is_path(name) else name


def _file(store: Store) -> Path:
    return store.root / "last-run.json"
