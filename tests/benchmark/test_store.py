import errno
import json
import os
import socket
from pathlib import Path

import pytest

from benchmark.errors import BenchmarkError
from benchmark.files import FULL, naming, read_json, write_json, write_text
from benchmark.store import Store

KEY, OTHER = "ab12" + "0" * 60, "ab13" + "0" * 60


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "a 'store'\n" / "store")


def publish(store: Store, key: str = KEY, text: str = "1") -> Path:
    draft = store.draft(key)
    (draft / "folder").mkdir()
    (draft / "folder" / "file").write_text(text)
    write_json(draft / "stage.json", {"key": key})
    write_json(draft / "result.json", {"summary": {}, "attempts": [{"number": 1, "state": "done"}]})
    return store.publish(key, draft)


def attempt(store: Store, state: str, number: int = 1) -> None:
    write_json(store.attempt_folder(KEY, number) / "attempt.json", {"number": number, "state": state})


def test_a_store_that_is_not_there_is_empty_and_stays_so(store: Store) -> None:
    assert store.find(KEY) is None
    assert [*store.keys(), *store.unfinished(), *store.attempts(KEY)] == []
    assert store.state(KEY) == "missing"
    assert not store.root.exists()
    for read in (store.result, store.spec):
        with pytest.raises(BenchmarkError, match="does not exist"):
            read(KEY)


def test_a_result_appears_as_a_whole(store: Store) -> None:
    draft = store.draft(KEY)
    assert draft.parent == store.folder(KEY).parent  # a rename within one folder
    (draft / "result.json").write_text("{}")
    assert store.find(KEY) is None
    assert list(store.keys()) == []
    store.publish(KEY, draft)
    assert store.find(KEY) == store.folder(KEY)
    assert list(store.keys()) == [KEY]
    assert [path.name for path in store.folder(KEY).parent.iterdir()] == [KEY]


def test_publishing_drops_the_work_and_keeps_the_history(store: Store) -> None:
    attempt(store, "failed")
    assert (store.state(KEY), list(store.unfinished())) == ("failed", [KEY])
    publish(store)
    assert not store.work(KEY).exists()
    assert (store.state(KEY), list(store.unfinished())) == ("done", [])
    assert store.attempts(KEY) == [{"number": 1, "state": "done"}]


def test_the_folder_of_an_attempt_moves_with_the_result(store: Store) -> None:
    assert store.attempt_folder(KEY, 2).is_relative_to(store.work(KEY))
    publish(store)
    assert store.attempt_folder(KEY, 2).is_relative_to(store.folder(KEY))


def test_leftovers_of_killed_processes_are_swept_away(store: Store) -> None:
    left = store.draft(KEY)
    (left / "half").write_text("x")
    publish(store, OTHER)
    publish(store)
    assert not left.exists()
    assert list(store.keys()) == [KEY, OTHER]


def test_a_result_damaged_from_outside_is_replaced(store: Store) -> None:
    (publish(store) / "result.json").unlink()
    assert store.find(KEY) is None
    publish(store, text="2")
    assert (store.folder(KEY) / "folder" / "file").read_text() == "2"
    assert [path.name for path in store.folder(KEY).parent.iterdir()] == [KEY]


def test_damaged_json_is_named(store: Store) -> None:
    (publish(store) / "result.json").write_text('{"summary"')
    with pytest.raises(BenchmarkError, match=r"result\.json is damaged; delete its folder"):
        store.result(KEY)
    (store.folder(KEY) / "stage.json").write_text("{}")
    with pytest.raises(BenchmarkError, match=r"stage\.json is damaged; delete its folder"):
        store.spec(KEY)
    (store.folder(KEY) / "stage.json").unlink()
    with pytest.raises(BenchmarkError, match=rf"{KEY}/stage\.json does not exist; delete its folder"):
        store.spec(KEY)


def test_a_record_of_an_attempt_that_says_nothing_is_none(store: Store) -> None:
    attempt(store, "failed")
    assert store.state(KEY) == "failed"
    (store.attempt_folder(KEY, 1) / "attempt.json").write_text("{}")
    assert store.state(KEY) == "missing"


def test_prefixes(store: Store) -> None:
    publish(store)
    assert store.resolve("ab12") == KEY
    publish(store, OTHER)
    attempt(store, "failed")
    assert store.resolve("ab130") == OTHER
    for prefix, message in (("ab1", "at least 4"), ("AB12", "at least 4"), ("ffff", "no stage"), ("zz12", "is no key")):
        with pytest.raises(BenchmarkError, match=message):
            store.resolve(prefix)
    publish(store, "ab12" + "f" * 60)
    with pytest.raises(BenchmarkError, match=r"(?s)2 keys .* write more digits"):
        store.resolve("ab12")


def test_states_of_work(store: Store) -> None:
    attempt(store, "running")
    assert store.state(KEY) == "interrupted"  # nobody holds the lock: its process is dead
    with store.lock(KEY):
        assert store.locked(KEY)
        assert store.state(KEY) == "running"
    attempt(store, "interrupted")
    assert store.state(KEY) == "interrupted"
    for number in (2, 10):
        attempt(store, "failed", number)
    assert [one["number"] for one in store.attempts(KEY)] == [1, 2, 10]
    assert store.state(KEY) == "failed"


@pytest.mark.parametrize(
    ("record", "age", "alive"),
    [
        ({"host": "far"}, 0.0, True),
        ({"host": "far"}, 61.0, False),
        ({"host": "far"}, None, False),  # by a version without heartbeats
        ({"host": "far", "job": "12"}, 0.0, False),  # its queue knows more
        ({"host": socket.gethostname()}, 0.0, False),  # its lock would be seen
        ({"host": "far", "state": "failed"}, 0.0, False),
        ({}, 0.0, False),
    ],
)
def test_a_process_elsewhere_lives_as_long_as_its_heart_beats(
    store: Store, record: dict[str, str], age: float | None, alive: bool
) -> None:
    write_json(store.attempt_folder(KEY, 1) / "attempt.json", {"number": 1, "state": "running", **record})
    if age is not None:
        store.heartbeat(KEY, 1).touch()
        then = store.heartbeat(KEY, 1).stat().st_mtime - age
        os.utime(store.heartbeat(KEY, 1), (then, then))
    assert (store.made_elsewhere(KEY) is not None, store.locked(KEY)) == (alive, alive)
    assert sorted(path.name for path in store.work(KEY).iterdir()) == ["attempts"]


def test_a_result_that_another_machine_was_faster_with_stays(store: Store) -> None:
    slower = store.draft(KEY)
    write_json(slower / "result.json", {"summary": {"by": "the slower"}})
    faster = slower.with_name(f".{KEY}.faster")
    faster.mkdir()
    write_json(faster / "result.json", {"summary": {"by": "the faster"}})
    faster.rename(store.folder(KEY))
    store.publish(KEY, slower)
    assert store.result(KEY)["summary"] == {"by": "the faster"}
    assert [path.name for path in store.folder(KEY).parent.iterdir()] == [KEY]


def test_a_file_system_without_locks_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(BenchmarkError, match=r"takes no locks \(No locks available\).*--store"):
        store.check_writable()
    assert list((store.root / "work").iterdir()) == []


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchmarkError, match=r"a file stands where a folder is needed.*--store"):
        Store(tmp_path / "file").check_writable()

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "read-only", str(path))

    store = Store(tmp_path / "store")
    store.check_writable()
    assert list((store.root / "work").iterdir()) == []
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(BenchmarkError) as error:
        store.check_writable()
    assert str(store.root) in str(error.value)
    assert "the file system is read-only" in str(error.value)


def test_files_are_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "file.json"
    write_json(path, {"a": 1})
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BenchmarkError, match=r"the disk is full\. Go away\."), naming(tmp_path, "Go away."):
        write_text(path, "half")
    assert read_json(path) == {"a": 1}
    assert list(path.parent.iterdir()) == [path]


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_full_disk_is_named_where_a_library_covers_it(tmp_path: Path) -> None:
    def write() -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        finally:
            raise RuntimeError("unexpected pos 832 vs 726")  # as torch's writer ends

    message = rf"cannot write {tmp_path}: the disk is full\. Way out\."
    with pytest.raises(BenchmarkError, match=message), naming(tmp_path, "Way out.", FULL):
        write()


def test_errors_that_are_not_about_writing_pass(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), naming(tmp_path, ""):
        (tmp_path / "none").read_text()


def test_numbers_of_numpy_become_json(tmp_path: Path) -> None:
    import numpy as np

    write_json(tmp_path / "a.json", {"a": np.float32(0.5), "b": np.arange(2)})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 0.5, "b": [0, 1]}
    with pytest.raises(TypeError, match="Path is no JSON value"):
        write_json(tmp_path / "b.json", {"a": Path()})
