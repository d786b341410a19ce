"""Published files in folders and archives; archives that are damaged."""

import tarfile
from pathlib import Path

import pytest

from benchmark.datasets.preparation.trees import open_tree, rooted
from benchmark.errors import BenchmarkError
from tests.benchmark.datasets.preparation.support import World, zipped

FOLDERS = ("images/training", "annotations/training")


@pytest.fixture
def archive(world: World, tmp_path: Path) -> Path:
    return zipped(world.source, tmp_path / "ade.zip", "ADEChallengeData2016/")


def test_the_root_may_be_wrapped(world: World, archive: Path) -> None:
    assert rooted(open_tree(world.source), FOLDERS, "x") == ""
    assert rooted(open_tree(world.source.parent), FOLDERS, "x") == "ADEChallengeData2016/"
    assert rooted(open_tree(archive), FOLDERS, "x") == "ADEChallengeData2016/"


def test_another_folder_is_told_by_what_it_holds(world: World) -> None:
    with pytest.raises(
        BenchmarkError, match=r"folder masks with files is missing; found annotations, images\. Expec.* a zip"
    ):
        rooted(open_tree(world.source), ("images/training", "masks"), "a zip")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.zip", b"PK\x03\x04 broken off", r"a\.zip: cannot be read as an archive .*15 bytes.*Fetch it again"),
        ("a.zip", b"", r"a\.zip: cannot be read as an archive"),
        ("a.tar", b"<html>not found</html>", r"a\.tar: cannot be read as an archive"),
        ("a.tar.gz", b"", r"neither a folder nor a \.zip or \.tar archive\. Unpack it"),
    ],
)
def test_what_is_no_archive_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BenchmarkError, match=message):
        open_tree(tmp_path / name)


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"gone\.zip: no such file or folder"):
        open_tree(tmp_path / "gone.zip")


def test_a_damaged_member_of_a_zip_is_a_fault_of_its_pair(world: World, archive: Path) -> None:
    content = bytearray(archive.read_bytes())
    image = world.image(1).read_bytes()
    content[content.index(image) + len(image) // 2] ^= 255
    archive.write_bytes(content)
    with pytest.raises(
        BenchmarkError, match=r"1 of 6 pairs.*\n.*ade\.zip:ADEChall.*00001\.jpg: cannot be read \(Bad CRC"
    ):
        world.prepare(archive)


def test_a_tar_that_broke_off_lacks_files(world: World, tmp_path: Path) -> None:
    tar = tmp_path / "all.tar"
    with tarfile.open(tar, "w") as packed:
        packed.add(world.source, "ADEChallengeData2016")
    tar.write_bytes(tar.read_bytes()[: tar.stat().st_size // 2])
    with pytest.raises(BenchmarkError, match=r"all\.tar: (cannot be read as an archive|.*missing)"):
        world.prepare(tar)
