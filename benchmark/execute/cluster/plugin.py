"""The executor ``slurm``: jobs of a cluster, which go on without the process of ``run``.

All that ``run --help`` does not say is imported when it is asked for.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark.execute.executors import ExecutorPlugin

if TYPE_CHECKING:
    from benchmark.execute.cluster.manager import SlurmCampaigns
    from benchmark.execute.cluster.submission import SlurmRun
    from benchmark.store import Store


_OPTIONS = (
    click.option(
        "--cluster",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="YAML file that says what --executor slurm asks of Slurm; see slurm/README.md.",
    ),
    click.option("--wait", is_flag=True, help="With --executor slurm: stay until the jobs have ended."),
)


def _configured(values: Mapping[str, Any]) -> "SlurmRun":
    if values["cluster"] is None:
        raise click.UsageError("--executor slurm needs --cluster FILE, as in --cluster slurm/local.yaml.")
    from benchmark.execute.cluster.cluster_file import load_cluster_file
    from benchmark.execute.cluster.submission import SlurmRun

    return SlurmRun(load_cluster_file(values["cluster"]), values["wait"])


def _campaigns(store: "Store") -> "SlurmCampaigns":
    from benchmark.execute.cluster.manager import SlurmCampaigns

    return SlurmCampaigns(store)


SLURM = ExecutorPlugin(
    name="slurm",
    summary="jobs of a cluster, which go on without this process",
    configured=_configured,
    options=_OPTIONS,
    instead="on a cluster its file says it",
    campaigns=_campaigns,
)
