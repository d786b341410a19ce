import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.errors import BenchmarkError
from benchmark.execute.cluster.campaign import campaigns, job_name, load, owner
from benchmark.execute.cluster.rounds import Array
from tests.benchmark import toy
from tests.benchmark.execute.cluster.support import Site


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    toy.install(monkeypatch)
    return Site(tmp_path, {"partition": "gpu", "resources": {"default": {"time": "00:10:00"}, "train": {"gpus": 1}}})


def test_a_campaign_is_read_as_it_was_written(site: Site) -> None:
    found = load(site.campaign.folder)
    assert found == site.campaign
    assert found.cluster.resources["train"].gpus == 1
    assert found.store.root == site.store.root
    assert [found.job(key).name for key in found.stages] == [stage.name for stage in site.plan.stages]
    assert campaigns(site.store) == [found]
    assert not list(site.campaign.folder.parent.glob(".*"))


def test_files_keep_the_names_that_older_code_reads(site: Site) -> None:
    made = replace(site.campaign.add_round(site.campaign.code), monitor="13")
    made.record()
    assert json.loads((made.folder / "arrays.json").read_text())["keeper"] == "13"
    content = json.loads((site.campaign.folder / "campaign.json").read_text())
    assert content["preset"]["partition"] == "gpu"
    content["preset"]["resources"]["keeper"] = {"time": "00:03:00"}
    (site.campaign.folder / "campaign.json").write_text(json.dumps(content))
    assert load(site.campaign.folder).cluster.monitor.seconds == 180


def test_rounds_are_numbered_and_read_as_they_were_recorded(site: Site) -> None:
    campaign, (first, *others) = site.campaign, site.campaign.stages
    assert campaign.rounds() == []
    one = campaign.add_round(campaign.code)
    assert campaign.rounds() == [], "nothing was recorded"
    array = Array("12", job_name(campaign.id, "train"), "train", tuple(others), 2, ("11", "7_3"))
    one = replace(one, arrays=(Array("11", "n", "default", (first,)), array), monitor="13", left=("x",), error="why")
    one.record()
    two = campaign.add_round(campaign.folder)
    two.record()
    assert [number.number for number in load(campaign.folder).rounds()] == [1, 2]
    assert campaign.rounds() == [one, two]
    assert one.tasks == {first: "11", others[0]: "12_0", others[1]: "12_1"}
    assert two.slurm.is_dir()
    assert two.slurm != one.slurm


def test_jobs_are_known_by_their_names(site: Site) -> None:
    assert owner(job_name(site.campaign.id, "train")) == site.campaign.id
    assert owner("wss-something") is None
    assert owner("train") is None


def test_damage_is_named_with_a_way_out(site: Site) -> None:
    path = site.campaign.folder / "campaign.json"
    content = json.loads(path.read_text())
    for text, message in (
        ("{", "does not exist or is damaged; submit the same command again"),
        (json.dumps({**content, "stages": None}), "was written by another version"),
        (
            json.dumps({name: value for name, value in content.items() if name != "code"}),
            "was written by another version",
        ),
        (json.dumps({**content, "preset": {}}), r"preset: resources.default: missing"),
    ):
        path.write_text(text)
        with pytest.raises(BenchmarkError, match=message) as error:
            load(site.campaign.folder)
        assert str(path) in str(error.value)
    key = site.campaign.stages[0]
    (site.campaign.folder / "jobs" / f"{key}.json").unlink()
    with pytest.raises(BenchmarkError, match=f"{key}.json cannot be read"):
        site.campaign.job(key)
