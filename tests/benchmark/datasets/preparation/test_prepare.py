"""From published files to the common layout: complete, partial, damaged, interrupted."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.datasets import describe, load_dataset
from benchmark.datasets.manifest import read_manifest
from benchmark.datasets.preparation import pairs, prepare
from benchmark.datasets.preparation.recipes import RECIPES
from benchmark.errors import BenchmarkError
from benchmark.files import write_bytes
from benchmark.split_files import split_file
from tests.benchmark.datasets.preparation.support import BLANK, World, write_jpeg, zipped


def names(world: World, *folders: str) -> set[str]:
    return {path.name for folder in folders for path in (world.target / folder).iterdir()}


def test_a_complete_dataset_becomes_the_common_layout(world: World) -> None:
    made = world.prepare()
    dataset = load_dataset(str(world.target / "dataset.yaml"))
    assert dataset.ids("train") == ("ADE_train_00000001", "ADE_train_00000002", "ADE_train_00000004")
    assert dataset.ids("test") == ("ADE_val_00000001", "ADE_val_00000002")
    published = np.array(Image.open(world.mask(2))).astype(int)
    expected = np.where(published == 0, 255, published - 1)
    np.testing.assert_array_equal(dataset.mask("ADE_train_00000002"), expected)
    assert (world.target / "images" / "ADE_train_00000002.jpg").read_bytes() == world.image(2).read_bytes()
    assert (made.partial, made.images, made.digest) == ("", {"train": 3, "test": 2}, dataset.info.digest)
    assert made == read_manifest(world.target / "manifest.json")


def test_images_without_a_label_are_found_left_out_and_held_against_the_published_list(world: World) -> None:
    assert world.prepare().excluded == (BLANK,)
    assert f"{BLANK}.jpg" not in names(world, "images", "masks")
    other = replace(world, target=world.target.with_name("other"), recipe=replace(world.recipe, excluded=("ADE_x",)))
    with pytest.raises(
        BenchmarkError,
        match=f"1 image .* has no .* published are 1: not expected {BLANK}; expected ADE_x",
    ):
        other.prepare()
    assert not other.visible()


def test_published_exclusions_fit_the_published_numbers() -> None:
    assert RECIPES["ade20k"].total == 20194 + 2000
    assert RECIPES["coco-stuff-10k"].total == 10000 - 7
    assert RECIPES["voc2012"].total == 1464 + 1449
    assert RECIPES["msrc21"].total == 591


@pytest.mark.parametrize("workers", [0, 2])
def test_archives_and_folders_give_the_same_files(world: World, tmp_path: Path, workers: int) -> None:
    made = world.prepare()
    archive = zipped(world.source, tmp_path / "ADEChallengeData2016.zip", "ADEChallengeData2016/")
    tar = tmp_path / "all.tar"
    with tarfile.open(tar, "w") as packed:
        packed.add(world.source, "some/ADEChallengeData2016")
    for number, source in enumerate((archive, tar, world.source.parent)):
        other = replace(world, target=tmp_path / f"other {number}").prepare(source, workers=workers)
        assert (other.digest, other.files) == (made.digest, made.files)


def test_what_is_missing_is_named(world: World) -> None:
    world.image(2).unlink()
    world.mask(1, "validation").unlink()
    with pytest.raises(BenchmarkError) as raised:
        world.prepare()
    message = str(raised.value)
    assert "train: 1 of 4 images are missing in images/training (.jpg): ADE_train_00000002\n" in message
    assert "test: 1 of 2 masks are missing in annotations/validation (.png): ADE_val_00000001\n" in message
    assert "--partial" in message
    assert not world.target.exists()


def test_runs_of_missing_names_are_short(world: World) -> None:
    whole = replace(world, recipe=replace(world.recipe, published={"train": 20210, "test": 2000}))
    with pytest.raises(BenchmarkError, match=r"ADE_train_00000005 to ADE_train_00020210 \(20206\)\n"):
        whole.prepare()


def test_a_part_is_kept_on_request_and_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    complete = world.prepare().digest
    world.image(2).unlink()
    made = world.prepare(partial=True)
    assert made.partial == "4 of 5 images"
    assert made.digest != complete
    assert names(world, "images") == {f"{one}.jpg" for part in ("train", "test") for one in world.layout.parts[part]}
    monkeypatch.setitem(RECIPES, "ade20k", world.recipe)
    for name, root in (("ade20k", world.target), (str(world.target / "dataset.yaml"), None)):
        info = describe(name, root)
        assert (info.partial, info.title) == ("4 of 5 images", "ADE20K, 4 of 5 images")


def test_a_part_of_which_nothing_is_there_is_refused(world: World) -> None:
    for number in (1, 2):
        world.image(number, "validation").rename(world.source / f"{number}.jpg")
        write_jpeg(world.source / "images" / "validation" / "other.jpg")
    with pytest.raises(BenchmarkError, match="not one pair of the part test"):
        world.prepare(partial=True)


def swapped(world: World) -> str:
    image, mask = world.image(1).read_bytes(), world.mask(1).read_bytes()
    world.image(1).write_bytes(mask)
    world.mask(1).write_bytes(image)
    return r"ADE_train_00000001\.jpg: is a PNG, not what \.jpg says\. .*Are image and mask swapped\?"


def coloured(world: World) -> str:
    Image.fromarray(np.zeros((8, 12, 3), np.uint8)).save(world.mask(1))
    return r"ADE_train_00000001\.png: .* of mode RGB\. .*coloured rendering"


def too_large(world: World) -> str:
    Image.fromarray(np.zeros((9, 12), np.uint8)).save(world.mask(1))
    return r"ADE_train_00000001\.png: the mask is 12 x 9 pixels, its image 12 x 8"


def lying(world: World) -> str:
    write_jpeg(world.image(1), (8, 12), orientation=6)
    return r"EXIF orientation 6 that it lies on its side; turn its pixels"


def converted(world: World) -> str:
    Image.fromarray(np.full((8, 12), 255, np.uint8)).save(world.mask(1))
    return r"holds ids \[255\]; expected 0\.\.150, 0 for other\. It was converted already"


def cut_off(world: World) -> str:
    world.image(1).write_bytes(world.image(1).read_bytes()[:-100])
    return r"ADE_train_00000001\.jpg: cannot be decoded"


def sixteen_bit(world: World) -> str:
    Image.fromarray(np.full((8, 12), 300, np.uint16)).save(world.mask(1))
    return r"ADE_train_00000001\.png: holds ids \[300\]"


@pytest.mark.parametrize("spoil", [swapped, coloured, too_large, lying, converted, cut_off, sixteen_bit])
def test_an_unsound_pair_is_named_and_nothing_is_published(world: World, spoil: Callable[[World], str]) -> None:
    message = spoil(world)
    with pytest.raises(BenchmarkError, match=message) as raised:
        world.prepare()
    assert "1 of 6 pairs is not sound" in str(raised.value)
    assert not world.visible()


def test_a_pair_that_is_mended_is_all_that_is_made_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    good = world.mask(1).read_bytes()
    coloured(world)
    with pytest.raises(BenchmarkError):
        world.prepare()
    world.mask(1).write_bytes(good)
    placed = record_placed(monkeypatch)
    world.prepare()
    assert placed == {"ADE_train_00000001.png", "ADE_train_00000001.jpg"}


def record_placed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    placed: set[str] = set()
    place = pairs._place

    def recording(path: Path, content: bytes, original: Path | None) -> None:
        placed.add(path.name)
        place(path, content, original)

    monkeypatch.setattr(pairs, "_place", recording)
    return placed


def test_nothing_is_made_twice_and_what_was_damaged_is_made_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = world.prepare()
    placed = record_placed(monkeypatch)
    before = (world.target / "manifest.json").stat().st_mtime_ns
    assert world.prepare() == made
    assert not placed
    assert (world.target / "manifest.json").stat().st_mtime_ns == before
    (world.target / "masks" / "ADE_train_00000001.png").write_bytes(b"x")
    assert world.prepare() == made
    assert placed == {"ADE_train_00000001.png", "ADE_train_00000001.jpg"}


def test_published_files_that_changed_are_converted_again(world: World) -> None:
    before = world.prepare().digest
    Image.fromarray(np.full((8, 12), 7, np.uint8)).save(world.mask(1))
    made = world.prepare()
    assert made.digest != before
    assert (load_dataset(str(world.target / "dataset.yaml")).mask("ADE_train_00000001") == 6).all()


def test_images_are_linked_where_they_can_be(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world.prepare()
    assert (world.target / "images" / "ADE_train_00000001.jpg").samefile(world.image(1))

    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", refuse)
    other = replace(world, target=tmp_path / "on another disk")
    assert other.prepare().files == read_manifest(world.target / "manifest.json").files  # type: ignore[union-attr]
    assert not (other.target / "images" / "ADE_train_00000001.jpg").samefile(world.image(1))


@pytest.mark.parametrize("orientation", [3, 6])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_pixels_count_as_they_are_stored(world: World, mode: str, orientation: int) -> None:
    """An EXIF orientation turns no image against its mask; grey and CMYK photographs are read as RGB."""
    write_jpeg(world.image(1), mode=mode, orientation=orientation)
    made = world.prepare()
    assert made.turned == ("ADE_train_00000001",)
    assert made.modes == ({"RGB": 5} if mode == "RGB" else {mode: 1, "RGB": 4})
    dataset = load_dataset(str(world.target / "dataset.yaml"))
    stored = np.array(Image.open(world.image(1)).convert("RGB"))
    np.testing.assert_array_equal(dataset.image("ADE_train_00000001"), stored)
    assert dataset.mask("ADE_train_00000001").shape == stored.shape[:2]


def test_one_pixel_is_an_image(world: World) -> None:
    write_jpeg(world.image(1), (1, 1))
    Image.fromarray(np.ones((1, 1), np.uint8)).save(world.mask(1))
    assert world.prepare().smallest == (1, 1)


def test_a_full_disk_is_named_and_the_next_run_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []

    def filling(path: Path, content: bytes, *, durable: bool = True) -> None:
        if len(written) == 2:
            path.with_name(f".{path.name}.0.tmp").write_bytes(content[:3])  # what a killed process would leave
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(path)
        write_bytes(path, content, durable=durable)

    monkeypatch.setattr(pairs, "write_bytes", filling)
    with pytest.raises(BenchmarkError, match=r"cannot write .*prepared: the disk is full\. What is done is kept"):
        world.prepare()
    assert not world.visible()
    assert not list(world.target.rglob(".*.tmp"))
    monkeypatch.undo()
    placed = record_placed(monkeypatch)
    world.prepare()
    assert not placed & {path.name for path in written}


@pytest.mark.parametrize("spoil", ["file", "foreign", "other dataset"])
def test_a_target_with_something_else_in_it_is_left_alone(world: World, spoil: str) -> None:
    if spoil == "file":
        world.target.write_text("mine")
        message = "is a file; give a folder"
    elif spoil == "foreign":
        (world.target / "images").mkdir(parents=True)
        (world.target / "images" / "mine.jpg").write_text("mine")
        message = "holds images, which `data prepare` did not make"
    else:
        world.prepare()
        message = "holds ade20k, not voc2012"
    with pytest.raises(BenchmarkError, match=message):
        replace(world, recipe=replace(world.recipe, name="voc2012")).prepare()


def test_two_at_once_are_told(world: World) -> None:
    from filelock import FileLock

    world.prepare()
    with FileLock(world.target / ".lock"), pytest.raises(BenchmarkError, match="another `data prepare` works there"):
        world.prepare()


SLOW = """
import signal, sys, time
from pathlib import Path
from benchmark.datasets.preparation import pairs
from tests.benchmark.datasets.preparation.support import World, RECIPE
place = pairs._place
def slow(path, content, original):
    place(path, content, original)
    (path.parent / f".{path.name}.0.tmp").write_bytes(b"half")
    if len(list(path.parent.parent.glob("masks/*.png"))) > 1:
        time.sleep(60)
pairs._place = slow
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what it runs in the background
World(Path(sys.argv[1]), Path(sys.argv[2])).prepare(workers=0)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_shows_nothing_and_the_next_one_goes_on(
    world: World, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(__file__).parents[4]
    arguments = [sys.executable, "-c", SLOW, str(world.source), str(world.target)]
    with subprocess.Popen(arguments, cwd=root, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while len(list(world.target.glob("masks/*.png"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
    assert process.returncode
    assert not world.visible()
    if number == signal.SIGINT:
        assert not list(world.target.rglob(".*.tmp"))
    placed = record_placed(monkeypatch)
    assert world.prepare().images == {"train": 3, "test": 2}
    assert not list(world.target.rglob(".*.tmp"))
    assert "ADE_train_00000001.png" not in placed
    assert len(placed) >= 4


def test_lists_may_not_lead_elsewhere(tmp_path: Path) -> None:
    for name in ("images", "annotations", "splits"):
        (tmp_path / "msrc" / name).mkdir(parents=True)
        (tmp_path / "msrc" / name / "x").touch()
    for part in ("train", "val", "test"):
        (tmp_path / "msrc" / "splits" / f"{part}.txt").write_text("../../secret\n")
    with pytest.raises(BenchmarkError, match=r"train\.txt: '\.\./\.\./secret' is no image name"):
        prepare(RECIPES["msrc21"], tmp_path / "msrc", tmp_path / "to", partial=True)


# Genuine files.


def test_msrc21_keeps_its_digest(shared: Path, tmp_path: Path) -> None:
    source = shared / "data" / "MSRC_v2"
    made = prepare(RECIPES["msrc21"], source, tmp_path / "to", workers=1)
    assert (made.partial, made.images) == ("", {"train": 335, "val": 59, "test": 256})
    assert describe("msrc21", tmp_path / "to") == describe("msrc21", source)
    assert describe("msrc21", source).digest == made.digest
    assert made.digest == "3c47252bab599e78af954ab3fa430fdf6e898c6ad00ee33455b846b3365e2ae8"


@pytest.mark.parametrize(
    ("name", "folder", "images"),
    [
        ("ade20k", "ADEChallengeData2016", {"train": 1, "test": 33}),
        ("voc2012", "VOCdevkit", {"train": 1, "test": 5}),
        ("coco-stuff-10k", "cocostuff-10k-v1.1", {"train": 9, "test": 1}),
    ],
)
def test_parts_of_the_others(shared: Path, tmp_path: Path, name: str, folder: str, images: dict[str, int]) -> None:
    source = shared / "data" / folder
    with pytest.raises(BenchmarkError, match=f"{name} is not complete"):
        prepare(RECIPES[name], source, tmp_path / "to")
    made = prepare(RECIPES[name], source, tmp_path / "to", partial=True)
    assert made.images == images
    assert describe(name, tmp_path / "to").digest == made.digest


@pytest.mark.needs("hdf5")
def test_both_generations_of_coco_stuff_are_the_same_dataset(shared: Path, tmp_path: Path) -> None:
    source = shared / "data" / "cocostuff-10k-v1.1"
    old = tmp_path / "called v1.1"
    for name, original in (("images",) * 2, ("imageLists",) * 2, ("annotations", "annotations_v1.0_hdf5")):
        shutil.copytree(source / original, old / name)
    first = prepare(RECIPES["coco-stuff-10k"], source, tmp_path / "first", partial=True)
    second = prepare(RECIPES["coco-stuff-10k"], old, tmp_path / "second", partial=True)
    assert first.digest == second.digest
    assert first.origin.endswith("v1.1 annotations")
    assert second.origin == "called v1.1, v1.0 annotations"
    names_seen = {one.name for one in first.classes if one.images}
    assert {"person", "train", "dining table", "sky-other"} <= names_seen
    assert split_file("coco-stuff-10k").classes == tuple(one.name for one in first.classes)
    shutil.copy(next((source / "annotations").iterdir()), old / "annotations")
    with pytest.raises(BenchmarkError, match=r"v1\.0 \(.*\) and v1\.1 \(.*\) are mixed"):
        prepare(RECIPES["coco-stuff-10k"], old, tmp_path / "second", partial=True)
