"""The executors ``local`` and ``inline``: on this machine, in worker processes or in the process of ``run`` itself."""

from collections.abc import Mapping
from typing import Any

import click

from benchmark.comma_lists import split_names
from benchmark.execute.attended import Attended
from benchmark.execute.executors import ExecutorPlugin, Option
from benchmark.execute.inline import Inline
from benchmark.execute.local import Local
from benchmark.execute.machine import choose_gpus, default_workers

_OPTIONS: tuple[Option, ...] = (
    click.option(
        "--workers",
        type=click.IntRange(min=0),
        help="Stages side by side; 0 is --executor inline.  [default: one a GPU, else one a core]",
    ),
    click.option(
        "--processes",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        help="Processes, each with a GPU of its own, for every training that can share its work among them.",
    ),
    click.option(
        "--gpus",
        callback=split_names,
        metavar="0,2,...",
        help="GPUs to use, as CUDA_VISIBLE_DEVICES takes them.  [default: those it names, else all]",
    ),
)


def _local(values: Mapping[str, Any]) -> Attended:
    workers, processes = values["workers"], values["processes"]
    if workers == 0:
        return _inline(values)
    gpus = choose_gpus(values["gpus"])
    launcher = Local(default_workers(processes, gpus) if workers is None else workers, processes, gpus)
    chosen = ["--gpus", ",".join(gpus)] if gpus else []
    return Attended(launcher, ("--workers", str(launcher.workers), "--processes", str(processes), *chosen))


def _inline(values: Mapping[str, Any]) -> Attended:
    """Return the process of ``run``; it shares the options of ``local`` to say which of them make no sense here."""
    if values["workers"]:
        raise click.UsageError("--executor inline works in this process: leave out --workers.")
    if values["processes"] > 1 or values["gpus"]:
        raise click.UsageError("--processes and --gpus need worker processes: drop --executor inline, --workers 0.")
    return Attended(Inline(), ("--executor", "inline"))


LOCAL = ExecutorPlugin("local", "worker processes on this machine", _local, _OPTIONS)
INLINE = ExecutorPlugin("inline", "this very process, one stage after the other", _inline, _OPTIONS)
