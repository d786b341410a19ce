"""What ``gc`` lists and removes, and what it never touches."""

import os
import time
from pathlib import Path

import pytest

from benchmark.cli import main
from benchmark.errors import Exit
from benchmark.execute.leftovers import leftovers, remove
from benchmark.files import write_json
from benchmark.integrity import set_aside
from benchmark.store import Store

KEY, OTHER, THIRD = ("ab12" + "0" * 60, "ab13" + "0" * 60, "ab14" + "0" * 60)
DAY = 86400.0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def finish(store: Store, key: str) -> None:
    draft = store.draft(key)
    write_json(draft / "result.json", {"attempts": []})
    store.publish(key, draft)


def attempt(store: Store, key: str) -> Path:
    write_json(store.work(key) / "attempts" / "1" / "attempt.json", {"number": 1, "state": "interrupted"})
    (store.work(key) / "lock").touch()
    return store.work(key)


def campaign(store: Store, *keys: str) -> None:
    folder = store.root / "campaigns" / "20260101-000000-abcd"
    write_json(folder / "campaign.json", {"stages": keys, "code": str(store.root / "code" / "c0de")})


def age(store: Store, days: float = 60) -> None:
    then = time.time() - days * DAY
    for path in (*store.root.rglob("*"), store.root):
        os.utime(path, (then, then))


def kinds(store: Store) -> list[str]:
    return sorted(one.kind for one in leftovers(store, 30 * DAY, None))


def litter(store: Store) -> None:
    finish(store, KEY)
    attempt(store, OTHER)
    attempt(store, KEY)
    (store.root / "work" / ".probe-1").mkdir()
    (store.root / "code" / "c0de").mkdir(parents=True)
    (store.root / "stages" / "ab" / f".{KEY}.1.damaged").mkdir()
    (store.root / "stages" / "ab" / f".{OTHER}.{'1' * 32}").mkdir()
    (store.root / f".last-run.json.{'1' * 32}.tmp").touch()


def test_everything_left_behind_is_listed_and_goes(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    litter(store)
    assert kinds(store) == []  # it may be in use
    age(store)
    expected = ["abandoned work", "draft", "draft of a result", "old code", "probe", "set aside"]
    assert kinds(store) == [*expected, "work on a complete stage"]
    assert main(["gc", "--store", str(store.root)]) == Exit.OK
    assert "nothing was removed" in capsys.readouterr().err
    assert len(kinds(store)) == 7
    assert main(["gc", "--store", str(store.root), "--yes"]) == Exit.OK
    assert kinds(store) == []
    assert store.find(KEY)


def test_what_a_campaign_lacks_stays_with_its_code(store: Store) -> None:
    litter(store)
    campaign(store, KEY, OTHER)
    age(store)
    assert not {"abandoned work", "old code"} & set(kinds(store))
    (store.root / "campaigns" / "20260101-000000-abcd" / "campaign.json").write_text("{")
    assert "old code" not in kinds(store)


def test_what_runs_is_not_touched(store: Store) -> None:
    attempt(store, OTHER)
    age(store)
    (found,) = leftovers(store, 30 * DAY, None)
    with store.lock(OTHER):
        assert not remove(found, store)
        assert kinds(store) == []
    assert store.work(OTHER).is_dir()


def test_results_of_no_plan_go_only_when_nothing_runs(store: Store) -> None:
    finish(store, KEY)
    finish(store, THIRD)
    age(store)
    assert [one.key for one in leftovers(store, DAY, {KEY})] == [THIRD]
    campaign(store, OTHER)
    assert leftovers(store, DAY, {KEY}) == []


def test_what_an_imported_result_rests_on_stays(store: Store) -> None:
    write_json(store.work(OTHER) / "stage.json", {"kind": "train"})
    age(store)
    assert kinds(store) == []


def test_results_that_were_found_damaged_are_listed(store: Store) -> None:
    finish(store, KEY)
    place = set_aside(store, KEY)
    assert [(one.kind, one.path) for one in leftovers(store, DAY, None) if one.path == place] == [("set aside", place)]


def test_results_made_lately_stay_for_the_run_that_may_need_them(store: Store) -> None:
    finish(store, KEY)
    age(store, days=2)
    assert not [one for one in leftovers(store, 3 * DAY, set()) if one.kind == "result of no plan"]
    assert [one for one in leftovers(store, DAY, set()) if one.kind == "result of no plan"]
