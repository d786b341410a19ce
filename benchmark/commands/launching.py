"""The options that say where stages are made, parsed once into a ``Launcher`` or a ``Cluster``."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from benchmark.commands.options import split_names
from benchmark.execute.executor import Launcher
from benchmark.execute.inline import Inline
from benchmark.execute.local import Local
from benchmark.execute.machine import choose_gpus, default_workers

if TYPE_CHECKING:
    from benchmark.execute.cluster.presets import Preset

R = TypeVar("R")

EXECUTORS = ("local", "inline", "slurm")

_OPTIONS = (
    click.option(
        "--executor",
        type=click.Choice(EXECUTORS),
        default="local",
        show_default=True,
        help="local: worker processes on this machine; inline: this very process, one stage after the other; "
        "slurm: jobs of a cluster, which go on without this process.",
    ),
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
    click.option(
        "--cluster",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="YAML file that says what --executor slurm asks of Slurm; see slurm/README.md.",
    ),
    click.option("--wait", is_flag=True, help="With --executor slurm: stay until the jobs have ended."),
)
_NAMES = ("executor", "workers", "processes", "gpus", "cluster", "wait")


@dataclass(frozen=True)
class Cluster:
    """The choice to submit stages to Slurm, and perhaps to wait for them."""

    preset: "Preset"
    wait: bool


def launch_options(command: Callable[..., R]) -> Callable[..., R]:
    """Give a command the options that say where stages are made, and pass it ``launcher`` in their place."""

    @functools.wraps(command)
    def wrapped(**values: Any) -> R:
        chosen = {name: values.pop(name) for name in _NAMES}
        return command(launcher=_chosen(**chosen), **values)

    shown: Callable[..., R] = wrapped
    for option in reversed(_OPTIONS):
        shown = option(shown)
    return shown


def _chosen(executor: str, cluster: Path | None, *, wait: bool, **local: Any) -> Launcher | Cluster:
    """Return the choice. Raises UsageError for options of one executor that are given to another."""
    if executor != "slurm":
        if cluster is not None or wait:
            raise click.UsageError("--cluster and --wait belong to --executor slurm.")
        return _launcher(executor, **local)
    if local["workers"] is not None or local["processes"] > 1 or local["gpus"]:
        raise click.UsageError(
            "--workers, --processes and --gpus are for this machine; on a cluster the preset says it."
        )
    if cluster is None:
        raise click.UsageError("--executor slurm needs --cluster FILE, as in --cluster slurm/local.yaml.")
    from benchmark.execute.cluster.presets import load_preset

    return Cluster(load_preset(cluster), wait)


def _launcher(executor: str, workers: int | None, processes: int, gpus: Sequence[str] | None) -> Launcher:
    """Return the choice. Raises UsageError for options that contradict each other, BenchmarkError for wrong GPUs."""
    if executor == "inline" and workers:
        raise click.UsageError("--executor inline works in this process: leave out --workers.")
    if executor == "inline" or workers == 0:
        if processes > 1 or gpus:
            raise click.UsageError("--processes and --gpus need worker processes: drop --executor inline, --workers 0.")
        return Inline()
    chosen = choose_gpus(gpus)
    return Local(default_workers(processes, chosen) if workers is None else workers, processes, chosen)
