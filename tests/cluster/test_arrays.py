"""Arrays, limits and frozen code on the real Slurm."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.execute.cluster.arrange import largest_array
from benchmark.execute.cluster.campaign import Campaign, described, write
from benchmark.execute.cluster.cluster_file import cluster_file_of
from benchmark.execute.cluster.code import freeze
from benchmark.execute.cluster.keeper import CampaignMonitor
from benchmark.execute.cluster.submit import submit_round
from benchmark.execute.messages import Job
from benchmark.store import Store
from tests.cluster.conftest import Lab

PATIENCE = 180.0
OUTSIDER = '''
import time
from pathlib import Path

SAYS = "as submitted"

def first(context):
    """Wait until the test has edited this file."""
    while not Path(context.params["edited"]).exists():
        time.sleep(0.05)
    return {}

def second(context):
    return {"says": SAYS, "file": __file__}

def briefly(context):
    time.sleep(context.params["seconds"])
    return {}
'''

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("slurm")]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of stage functions that is no part of this repository."""
    path = tmp_path / "elsewhere" / "outsider_of_arrays.py"
    path.parent.mkdir()
    path.write_text(OUTSIDER)
    monkeypatch.syspath_prepend(path.parent)
    monkeypatch.setenv("PYTHONPATH", str(path.parent))  # as an editable installation, in jobs too
    return path


def job(store: Store, key: str, function: str, *inputs: str, **params: Any) -> Job:
    return Job(
        key=key * 64,
        kind="train",
        name=key,
        function=f"outsider_of_arrays:{function}",
        version=1,
        params=params,
        inputs={one: one * 64 for one in inputs},
        access="training",
        cost=1.0,
        cells=[],
        store=str(store.root),
        sources={},
        data_root=None,
    )


def submitted(store: Store, jobs: list[Job], **cluster: Any) -> Campaign:
    resources = {"default": {"time": "00:10:00", "memory": "500M", "max_running": 2}}
    campaign = described(
        store,
        jobs,
        cluster=cluster_file_of({"signal_seconds": 30, "resources": resources, **cluster}, "preset"),
        code=freeze(store, [one.function for one in jobs]).folder,
        command=(),
        tables=(),
        selection=(),
        tracking=None,
    )
    write(campaign, jobs)
    submit_round(campaign, campaign.stages, CampaignMonitor(str(campaign.folder)))
    return campaign


def wait_for(condition: Callable[[], object], what: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what()
        time.sleep(0.1)


def logs(campaign: Campaign) -> str:
    files = sorted(campaign.folder.glob("rounds/*/slurm/*_log.*"))
    return "\n".join(f"{path.name}: {path.read_text()}" for path in files)


def finish(campaign: Campaign) -> None:
    wait_for(lambda: all(map(campaign.store.find, campaign.stages)), lambda: logs(campaign))


def test_a_limited_class_never_runs_more_though_its_arrays_are_several(tmp_path: Path, module: Path) -> None:
    store = Store(tmp_path / "store")
    jobs = [job(store, key, "briefly", seconds=1.0) for key in "abcdef"]
    campaign = submitted(store, jobs, max_array_size=2)
    finish(campaign)
    (made,) = campaign.rounds()
    assert [len(array.keys) for array in made.arrays] == [2, 2, 2]
    times = [(store.result(key)["started"], store.result(key)["finished"]) for key in campaign.stages]
    running = [sum(start <= moment < end for start, end in times) for moment, _ in times]
    assert max(running) == 2


def test_jobs_run_the_code_that_was_submitted(tmp_path: Path, module: Path) -> None:
    store, edited = Store(tmp_path / "store"), tmp_path / "edited"
    jobs = [job(store, "a", "first", edited=str(edited)), job(store, "b", "second", "a")]
    campaign = submitted(store, jobs)
    module.write_text(OUTSIDER.replace("as submitted", "edited"))
    edited.touch()
    finish(campaign)
    summary = store.result("b" * 64)["summary"]
    assert summary == {"says": "as submitted", "file": str(campaign.code / module.name)}


def test_slurm_says_how_large_an_array_may_be(slurm: Lab) -> None:
    configuration = (slurm.folder / "etc" / "slurm.conf").read_text()
    assert "MaxArraySize" not in configuration
    assert largest_array() == 1001
