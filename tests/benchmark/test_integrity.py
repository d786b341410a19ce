"""What is read from a store is what was put there, or it is named."""

import json
import shutil
from pathlib import Path

import pytest

from benchmark.cli import main
from benchmark.errors import BenchmarkError
from benchmark.execute.faults import fault_of
from benchmark.integrity import check_input, counts_of, faults, set_aside
from benchmark.metrics import COUNTS_FILE
from benchmark.store import RESULT, DamagedResultError, Store
from tests.benchmark import toy

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    toy.install(monkeypatch)
    monkeypatch.setenv("TOY_CALLS", str(tmp_path / "calls"))
    return ["--table", toy.table(tmp_path), "--profile", toy.profile(tmp_path), "--store", str(tmp_path / "store")]


@pytest.fixture
def store(options: list[str], tmp_path: Path, capsys: Captured) -> Store:
    """A store with all stages of a table of two cells."""
    assert run(options) == 0
    capsys.readouterr()
    return Store(tmp_path / "store")


def run(options: list[str], *more: str) -> int:
    return main(["run", *options, "--executor", "inline", "--no-mlflow", *more])


def keys(store: Store, kind: str = "") -> list[str]:
    return [key for key in [*store.keys()] if kind in {"", store.spec(key)["kind"]}]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_every_file_of_a_result_has_a_digest(store: Store) -> None:
    for key in keys(store):
        listed = store.result(key)["files"]
        there = {
            path.relative_to(store.folder(key)).as_posix() for path in store.folder(key).rglob("*") if path.is_file()
        }
        assert listed.keys() == there - {RESULT}
        assert list(faults(store, key)) == []


@pytest.mark.parametrize("verb", ["table", "export", "report"])
def test_damaged_counts_are_refused(
    store: Store, options: list[str], verb: str, capsys: Captured, tmp_path: Path
) -> None:
    path = store.folder(keys(store, "evaluate")[0]) / COUNTS_FILE
    flip(path)
    chosen = [options[1], *options[2:]] if verb == "table" else [*options, "--out", str(tmp_path / "out.zip")]
    assert main([verb, *chosen]) == 2
    said = capsys.readouterr().err
    assert f"{path}: was changed or damaged" in said
    assert "sets this result aside and makes it anew" in said


def test_a_run_makes_damaged_counts_anew(store: Store, options: list[str], capsys: Captured) -> None:
    key = keys(store, "evaluate")[0]
    flip(store.folder(key) / COUNTS_FILE)
    assert run(options) == 0
    assert "was changed or damaged" in capsys.readouterr().err
    assert counts_of(store, key).image_ids
    assert [path.name[:64] for path in (store.root / "damaged").iterdir()] == [key]


def test_a_damaged_input_is_found_before_it_is_used(store: Store, options: list[str], capsys: Captured) -> None:
    (shared,) = keys(store, "prepare")
    flip(store.folder(shared) / "shared.txt")
    for key in keys(store, "train") + keys(store, "evaluate"):
        shutil.rmtree(store.folder(key))
    assert run(options) == 0
    assert "shared.txt: was changed or damaged" in capsys.readouterr().err
    assert (store.folder(shared) / "shared.txt").read_text() == "shared"


def test_what_a_stage_meets_is_the_machines_fault(store: Store) -> None:
    key = keys(store, "train")[0]
    (store.folder(key) / "model.txt").unlink()
    with pytest.raises(DamagedResultError, match=r"the input 'model' is damaged .*model\.txt: is missing") as raised:
        check_input(store, key, "model")
    assert fault_of(raised.value) == "machine"
    assert store.find(key) is None


@pytest.mark.parametrize("kind", ["train", "evaluate"])
def test_folders_that_changed_places_are_found(store: Store, kind: str) -> None:
    first, second = (store.folder(key) for key in keys(store, kind))
    first.rename(first.with_name("between"))
    second.rename(first)
    first.with_name("between").rename(second)
    for key in keys(store, kind):
        assert any("describes another stage than its key" in fault for fault in faults(store, key))


def test_a_changed_record_is_found(store: Store) -> None:
    key = keys(store, "evaluate")[0]
    path = store.folder(key) / RESULT
    path.write_text(json.dumps(store.result(key) | {"wall_seconds": 1e6}))
    assert list(faults(store, key)) == [f"{path}: was changed"]


def test_counts_of_other_classes_than_planned_are_refused(store: Store) -> None:
    key = keys(store, "evaluate")[0]
    with pytest.raises(BenchmarkError, match=r"counts of 20 classes, planned were 21"):
        counts_of(store, key, 21)


def test_a_store_is_read_as_a_whole_and_older_results_get_digests(store: Store, capsys: Captured) -> None:
    before = {}
    for key in keys(store):
        path = store.folder(key) / RESULT
        before[key] = store.result(key)
        path.write_text(
            json.dumps({name: value for name, value in before[key].items() if name not in {"files", "seal"}})
        )
        assert list(faults(store, key)) == []
    assert main(["verify", "--store", str(store.root), "--quiet"]) == 0
    assert "5 results of older versions got digests" in capsys.readouterr().out
    assert {key: store.result(key) for key in keys(store)} == before
    flip(store.folder(keys(store)[0]) / "stage.json")
    assert main(["verify", "--store", str(store.root), "--json"]) == 4
    found = json.loads(capsys.readouterr().out)
    assert not found["sound"]
    assert len(found["faults"]) >= 1


def test_what_a_kill_left_of_complete_stages_goes_away(store: Store, options: list[str]) -> None:
    key = keys(store, "train")[0]
    (store.work(key) / "attempts" / "1").mkdir(parents=True)
    (store.folder(key).parent / f".{key}.abc").mkdir()
    assert run(options) == 0
    assert not store.work(key).exists()
    assert [path.name for path in store.folder(key).parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("field", ["files", "seal"])
def test_a_result_that_lost_half_of_its_digests_is_no_older_one(store: Store, field: str) -> None:
    key = keys(store, "train")[0]
    path = store.folder(key) / RESULT
    path.write_text(json.dumps({name: value for name, value in store.result(key).items() if name != field}))
    (store.folder(key) / "model.txt").write_text("another")
    assert f"{path}: was changed" in list(faults(store, key))
    assert main(["verify", "--store", str(store.root), "--quiet"]) == 4


def test_two_runs_may_set_the_same_result_aside(store: Store) -> None:
    key = keys(store, "train")[0]
    set_aside(store, key)
    set_aside(store, key)
    assert store.find(key) is None
