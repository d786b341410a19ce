"""An archive that is damaged, forged or no archive at all is refused, and what is wrong with it is named."""

import io
import json
import stat
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.errors import BenchmarkError
from benchmark.metrics import Counts
from benchmark.report.html import made
from benchmark.sharing import members, reading
from benchmark.sharing.archive import MANIFEST, README, SUMS
from benchmark.sharing.reading import read_archive, unpacked
from tests.benchmark.report.conftest import counts_with
from tests.benchmark.sharing.conftest import Files, Forge, files_of

Change = Callable[[Files], Any]


def refusal(path: Path) -> str:
    """Return why an archive is refused, without its path, which stands in front."""
    with pytest.raises(BenchmarkError) as caught, unpacked(path):
        pass
    path_shown, _, reason = str(caught.value).partition(f"{path}")
    assert path_shown == ""
    return reason.lstrip(": ")


def zipped(path: Path, files: Files, name: str = "", **changes: Any) -> Path:
    """Write a zip file as anybody could, with the entry of one file changed."""
    with zipfile.ZipFile(path, "w") as archive:
        for one, content in files.items():
            info = zipfile.ZipInfo(one)
            for field, value in changes.items() if one == name else ():
                setattr(info, field, value)
            archive.writestr(info, content)
    return path


def described(change: Callable[[Any], Any]) -> Change:
    """Return a change of ``run.json`` from one of its content."""

    def changed(files: Files) -> None:
        content = json.loads(files[MANIFEST])
        change(content)
        files[MANIFEST] = json.dumps(content).encode()

    return changed


def some_counts(files: Files) -> str:
    return min(name for name in files if name.startswith("counts/"))


def saved(counts: Counts, folder: Path) -> bytes:
    counts.save(folder / "some.npz")
    return (folder / "some.npz").read_bytes()


def test_a_sound_archive_says_what_was_run(archive: Path) -> None:
    found = read_archive(archive)
    assert (found.manifest.by, len(found.run.evaluations), len(found.digest)) == ("Anna", 5, 64)


def test_what_is_no_archive(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    assert refusal(path) == "cannot be read: No such file or directory."
    assert refusal(tmp_path) == "cannot be read: Is a directory."
    path.write_text(made(run.plan, run.store))
    assert refusal(path).startswith("this is an HTML page, perhaps a report, which `verify` reads. `export` makes")
    path.write_text("text")
    assert refusal(path).startswith("this is no zip file")
    path.write_bytes(b"")
    assert refusal(path).startswith("this is no zip file")
    assert refusal(zipped(path, {"photo.jpg": b"x"})).startswith("'photo.jpg' does not belong into an archive")
    assert refusal(zipped(path, {})).startswith("run.json is missing")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99, 0.9999])
def test_a_file_that_was_cut_short(archive: Path, share: float) -> None:
    content = archive.read_bytes()
    archive.write_bytes(content[: int(share * len(content))])
    assert "damaged or cut short" in refusal(archive)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_bit_is_found_unless_it_changes_nothing_that_is_read(archive: Path, data: st.DataObject) -> None:
    content = archive.read_bytes()
    before = files_of(archive)
    place, bit = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(0, 7))
    path = archive.with_name("changed.zip")
    path.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])
    with suppress(BenchmarkError):
        read_archive(path)
        assert files_of(path) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda files: files.pop(README), "README.txt is missing"),
        (lambda files: files.pop(MANIFEST), "run.json is missing"),
        (lambda files: files.pop(SUMS), "SHA256SUMS is missing"),
        (lambda files: files.pop(some_counts(files)), "npz is missing"),
        (lambda files: files.update({f"counts/{'0' * 64}.npz": b""}), "npz has no checksum in SHA256SUMS"),
        (lambda files: files.update({SUMS: b"\xff\n"}), "SHA256SUMS is no list of checksums"),
        (lambda files: files.update({README: b"Other words"}), "README.txt has SHA-256 .*: it changed"),
        (lambda files: files.update({some_counts(files): b"x"}), "npz has SHA-256 .*: it changed"),
    ],
)
def test_files_that_checksums_do_not_fit(archive: Path, change: Change, message: str) -> None:
    files = files_of(archive)
    change(files)
    with pytest.raises(BenchmarkError, match=message):
        read_archive(zipped(archive, files))


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "counts/../../x.npz", "a\\b", f"{'0' * 64}.npz"])
def test_names_that_lead_elsewhere(forge: Forge, name: str) -> None:
    assert refusal(forge(lambda files: files.update({name: b""}))).endswith("pass it on as it is.")


def test_a_name_that_is_there_twice(archive: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(README, "Others")
    assert refusal(archive).startswith("README.txt is there twice")


def test_links_and_odd_ways_of_packing(archive: Path) -> None:
    files = files_of(archive)
    link = {"external_attr": (stat.S_IFLNK | 0o777) << 16}
    assert "is a link" in refusal(zipped(archive, files, README, **link))
    packing = {"compress_type": zipfile.ZIP_LZMA}
    assert "is packed in a way" in refusal(zipped(archive, files, README, **packing))


def test_sizes_have_limits(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "LARGEST_FILE", 20_000)
    assert "run.json would unpack to" in refusal(archive)
    monkeypatch.setattr(members, "LARGEST_FILE", 2**28)
    monkeypatch.setattr(members, "LARGEST", 20_000)
    assert "with those before" in refusal(archive)


def test_a_file_that_unpacks_to_more_than_it_says(archive: Path) -> None:
    """A bomb: 50 MB of zeros that are said to be ten bytes are never unpacked."""
    files = files_of(archive) | {README: bytes(50_000_000)}
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bomb:
        for name, content in files.items():
            bomb.writestr(name, content)
        bomb.getinfo(README).file_size = 10
    asked: list[int] = []
    with pytest.MonkeyPatch.context() as patched:
        unbounded = zipfile.ZipExtFile.read

        def read(self: Any, n: int | None = -1) -> bytes:
            asked.append(-1 if n is None else n)
            return unbounded(self, n)

        patched.setattr(zipfile.ZipExtFile, "read", read)
        assert "README.txt is damaged" in refusal(archive)
    assert 11 in asked
    assert min(asked) > 0


def test_counts_that_unpack_to_more_than_any(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    def inflated(files: Files) -> None:
        stream = io.BytesIO()
        np.savez_compressed(stream, intersection=np.zeros((1000, 20), np.int32))
        files[some_counts(files)] = stream.getvalue()

    monkeypatch.setattr(reading, "LARGEST_FILE", 60_000)
    assert "npz would unpack to 8" in refusal(forge(inflated))


def negative(counts: Counts) -> Counts:
    return Counts(counts.image_ids, -counts.intersection, *(3 * (counts.prediction,)))


def too_many(counts: Counts) -> Counts:
    return Counts(counts.image_ids, counts.prediction + 1, *(3 * (counts.prediction,)))


def fractions(counts: Counts) -> Any:
    halves: Any = counts.prediction / 2
    return Counts(counts.image_ids, *(4 * (halves,)))


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (counts_with(19, (), 1.0), "has counts of 19 classes; the dataset has 20"),
        (negative(counts_with(20, (), 1.0)), "holds what is no number of pixels"),
        (fractions(counts_with(20, (), 1.0)), "holds what is no number of pixels"),
        (too_many(counts_with(20, (), 1.0)), "more pixels are right than there are"),
    ],
)
def test_counts_that_cannot_be(forge: Forge, tmp_path: Path, counts: Counts, message: str) -> None:
    content = saved(counts, tmp_path)
    assert message in refusal(forge(lambda files: files.update({some_counts(files): content})))


@pytest.mark.parametrize("content", [b"", b"PK", b"\x93NUMPY"])
def test_counts_that_are_none(forge: Forge, content: bytes) -> None:
    assert "npz is no file of counts" in refusal(forge(lambda files: files.update({some_counts(files): content})))


def test_counts_and_description_belong_together(forge: Forge, tmp_path: Path) -> None:
    counts = saved(counts_with(20, (), 1.0), tmp_path)
    surplus = refusal(forge(lambda files: files.update({f"counts/{'0' * 64}.npz": counts})))
    assert surplus == f"counts/{'0' * 64}.npz belongs to no finished evaluation that is described."
    missing = refusal(forge(lambda files: files.pop(some_counts(files))))
    assert missing.startswith("the counts of evaluation (")


def a_stage(content: Any, kind: str) -> Any:
    return next(one for one in content["run"]["stages"].values() if one["kind"] == kind)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.update(format=2), "has format 2 (version '0.1.0'), this version reads format 1"),
        (lambda content: content.update(evaluator=9), "the counts are of evaluator version 9, this is version 1"),
        (lambda content: content.update(by="\x1b[2J"), "holds control characters"),
        (lambda content: content["run"].update(preset="\x9b31m"), "holds control characters"),
        (lambda content: content.update(by="two\nlines"), "cannot be read: by: "),
        (lambda content: content.update(more=1), "cannot be read: more: "),
        (
            lambda content: a_stage(content, "train")["params"].update(seed=99),
            "parameters and inputs have the key",
        ),
        (lambda content: a_stage(content, "evaluate").update(record=None), "is done, which its record contradicts"),
        (
            lambda content: content["run"]["splits"]["S1"].update(novel=[20]),
            "split S1 has class 20, but only 20",
        ),
        (lambda content: content["run"]["splits"].clear(), "belongs to no table, stage or split that is described"),
    ],
)
def test_descriptions_that_cannot_be(forge: Forge, change: Callable[[Any], Any], message: str) -> None:
    assert message in refusal(forge(described(change)))


@pytest.mark.parametrize("text", [b"", b"[]", b"[" * 100_000, b'{"format": 1}', b"\xff"])
def test_descriptions_that_are_none(forge: Forge, text: bytes) -> None:
    assert refusal(forge(lambda files: files.update({MANIFEST: text}))).startswith("run.json ")


@pytest.mark.parametrize("values", [{"started": -1.0}, {"finished": 1e300}, {"provenance": {"packages": 1}}])
def test_records_that_cannot_be_shown(forge: Forge, values: Any) -> None:
    assert "record" in refusal(forge(described(lambda content: a_stage(content, "evaluate")["record"].update(values))))


def repacked(path: Path, target: Path, top: str = "") -> Path:
    """Pack an archive again as people do: with entries of folders, and what a Mac adds."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (f"{top}counts/", "__MACOSX/._run.json", f"{top}.DS_Store", f"{top}counts/._x"):
            archive.writestr(name, b"")
        for name, content in files_of(path).items():
            archive.writestr(f"{top}{name}", content)
    return target


@pytest.mark.parametrize("top", ["", "anna/"])
def test_an_archive_that_was_packed_again(archive: Path, tmp_path: Path, top: str) -> None:
    assert read_archive(repacked(archive, tmp_path / "again.zip", top)).manifest == read_archive(archive).manifest


def test_a_folder_that_an_archive_was_unpacked_into(archive: Path, tmp_path: Path) -> None:
    folder = tmp_path / "anna (1)"
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    (folder / ".DS_Store").touch()
    with members.packed_file(folder) as file:
        assert read_archive(file).manifest == read_archive(archive).manifest
    (folder / "counts" / f"{'0' * 64}.npz").symlink_to("/etc/hostname")
    with pytest.raises(BenchmarkError, match="is a link"), members.packed_file(folder):
        pass
    with pytest.raises(BenchmarkError, match=r"without run\.json"), members.packed_file(tmp_path):
        pass


def test_what_is_packed_too_tightly_is_not_unpacked(archive: Path, tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files_of(archive).items():
            opened.writestr(name, content + b" " * 2**24 * (name == MANIFEST))
    assert "not packed so tightly" in refusal(path)


def recounted(change: Callable[[Counts], Counts]) -> Change:
    """Return a change of one file of counts."""

    def write(files: Files) -> None:
        name = next(name for name in files if name.startswith("counts/"))
        with zipfile.ZipFile(io.BytesIO(files[name])) as arrays:
            found = {one.removesuffix(".npy"): np.load(io.BytesIO(arrays.read(one))) for one in arrays.namelist()}
        version, ids = found.pop("version"), found.pop("image_ids")
        counts = change(Counts(tuple(map(str, ids)), **found))
        stream = io.BytesIO()
        arrays_of = {one: getattr(counts, one) for one in found}
        np.savez_compressed(stream, version=version, image_ids=np.array(counts.image_ids, dtype=np.str_), **arrays_of)
        files[name] = stream.getvalue()

    return write


def twice(one: Counts) -> Counts:
    arrays = (one.intersection, one.prediction, one.ground_truth, one.prediction_on_ignored)
    return Counts(one.image_ids * 2, *(np.concatenate([array, array]) for array in arrays))


def none(one: Counts) -> Counts:
    arrays = (one.intersection, one.prediction, one.ground_truth, one.prediction_on_ignored)
    return Counts((), *(array[:0] for array in arrays))


def more(one: Counts) -> Counts:
    return Counts(one.image_ids, one.intersection, one.prediction + 10**6, one.ground_truth, one.prediction_on_ignored)


def turned(one: Counts) -> Counts:
    arrays = (one.intersection, one.prediction, one.ground_truth, one.prediction_on_ignored)
    return Counts(("a\u202eb", *one.image_ids[1:]), *arrays)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (twice, "an image is counted twice"),
        (none, "counts of no image"),
        (more, "more pixels predicted"),
        (turned, "terminal"),
    ],
)
def test_counts_that_no_images_have(forge: Forge, change: Callable[[Counts], Counts], said: str) -> None:
    assert said in refusal(forge(recounted(change)))


@pytest.mark.parametrize(
    "change",
    [
        lambda run: run.update(created="yesterday"),
        lambda run: run.update(by="a\u202eb"),
        lambda run: run["run"]["tables"][0].update(title="x\n\\input{y}"),
        lambda run: run["run"]["dataset"].update(title="x\ny"),
        lambda run: run["run"]["cells"][0].update(row="x\ny"),
    ],
)
def test_texts_and_dates_that_are_none(forge: Forge, change: Callable[[Any], Any]) -> None:
    assert refusal(forge(described(change)))
