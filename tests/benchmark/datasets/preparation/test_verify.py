"""What ``data verify`` finds in a folder, and the manifest that it writes."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.datasets import describe
from benchmark.datasets.catalog import layout_of
from benchmark.datasets.manifest import read_manifest
from benchmark.datasets.preparation import Verification, verify
from benchmark.datasets.preparation.recipes import RECIPES
from benchmark.errors import BenchmarkError
from tests.benchmark.datasets.preparation.support import BLANK, World


@pytest.fixture
def prepared(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setitem(RECIPES, "ade20k", world.recipe)
    world.prepare()
    return world


def look(world: World, *, partial: bool = False) -> Verification:
    return verify(layout_of("ade20k", world.target), partial=partial)


@pytest.mark.parametrize("workers", [0, 1])
def test_what_was_prepared_is_sound(prepared: World, workers: int) -> None:
    verdict = verify(layout_of("ade20k", prepared.target), workers=workers)
    assert verdict[:3] == (read_manifest(prepared.target / "manifest.json"), (), False)


def test_a_manifest_is_written_where_there_is_none(prepared: World) -> None:
    path = prepared.target / "manifest.json"
    before = read_manifest(path)
    path.unlink()
    verdict = look(prepared)
    assert verdict.written
    assert before is not None
    assert verdict.manifest == read_manifest(path) == replace(before, origin="", excluded=())


def damage(world: World) -> Path:
    path = world.target / "masks" / "ADE_train_00000001.png"
    path.write_bytes(path.read_bytes()[:40])
    return path


def repainted(width: int, value: int) -> Callable[[World], Path]:
    """Return what replaces a mask of 12 x 8 pixels by one of this width and value."""

    def spoil(world: World) -> Path:
        path = world.target / "masks" / "ADE_train_00000001.png"
        Image.fromarray(np.full((8, width), value, np.uint8)).save(path)
        return path

    return spoil


def remove(world: World) -> Path:
    path = world.target / "images" / "ADE_train_00000001.jpg"
    path.unlink()
    return path


def add(world: World) -> Path:
    path = world.target / "images" / "holiday.jpg"
    path.touch()
    return path


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (damage, "cannot be decoded"),
        (repainted(12, 200), r"holds class ids [200]"),
        (repainted(11, 0), "the mask is 11 x 8 pixels, its image 12 x 8"),
        (repainted(12, 0), "is not what the manifest says"),
        (repainted(12, 255), "has no labelled pixel"),
        (remove, "missing; restore it"),
    ],
)
def test_faults_name_the_file(prepared: World, spoil: Callable[[World], Path], message: str) -> None:
    path = spoil(prepared)
    faults = look(prepared).faults
    assert any(str(path) in fault and message in fault for fault in faults), faults


def test_files_that_no_list_names_are_a_remark_and_no_fault(prepared: World) -> None:
    path = add(prepared)
    verdict = look(prepared)
    assert not verdict.faults
    assert [remark for remark in verdict.remarks if str(path) in remark and "not used" in remark]
    assert "remove" not in "".join(verdict.remarks)


def test_lists_are_held_against_the_manifest_and_the_names(prepared: World) -> None:
    (prepared.target / "lists" / "train.txt").write_text("ADE_train_00000002\nADE_train_00000001\nADE_train_00000004\n")
    faults = look(prepared).faults
    assert any("lists/train.txt: is not what the manifest says" in fault for fault in faults)
    assert any("manifest.json: says digest" in fault for fault in faults)
    for folder, suffix in (("images", "jpg"), ("masks", "png")):
        source = prepared.target / folder / f"ADE_train_00000001.{suffix}"
        source.rename(source.with_stem("someone"))
    (prepared.target / "lists" / "train.txt").write_text("ADE_train_00000002\nsomeone\nADE_train_00000004\n")
    assert any("train list: 1 name not of ade20k, the first is someone" in one for one in look(prepared).faults)


def test_a_part_must_be_meant(prepared: World) -> None:
    prepared.image(1).unlink()
    prepared.prepare(partial=True)
    assert not look(prepared).faults
    (prepared.target / "manifest.json").unlink()
    (fault,) = look(prepared).faults
    assert fault.startswith("4 of 5 images of ade20k are there and no manifest says that this is meant")
    assert look(prepared, partial=True).written
    assert not look(prepared).faults


def test_exclusions_that_are_in_a_list_are_faults(prepared: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES, "ade20k", replace(prepared.recipe, excluded=("ADE_train_00000001",)))
    assert any(fault.startswith("ADE_train_00000001: is published as left out") for fault in look(prepared).faults)
    assert BLANK not in {one for ids in prepared.layout.parts.values() for one in ids}


def test_the_digest_believes_the_manifest_until_a_file_is_newer(
    prepared: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = describe("ade20k", prepared.target).digest
    mask = prepared.target / "masks" / "ADE_train_00000001.png"
    told = (prepared.target / "manifest.json").stat().st_mtime_ns
    content = mask.read_bytes()
    Image.fromarray(np.full((8, 12), 3, np.uint8)).save(mask)
    mask.write_bytes(mask.read_bytes().ljust(len(content), b"\0"))  # of the same size; what follows a PNG is not read
    assert mask.stat().st_size == len(content)
    os.utime(mask, ns=(told + 1, told + 1))
    changed = describe("ade20k", prepared.target).digest
    assert changed != before
    (prepared.target / "manifest.json").unlink()
    assert describe("ade20k", prepared.target).digest == changed
    mask.write_bytes(content)
    assert describe("ade20k", prepared.target).digest == before


def test_a_damaged_manifest_says_what_to_do(prepared: World) -> None:
    path = prepared.target / "manifest.json"
    for content, message in (("{", "not a manifest"), ('{"format": 2}', "format 1"), ('{"format": 1}', "dataset")):
        path.write_text(content)
        with pytest.raises(BenchmarkError, match=rf"(?s)manifest\.json.*{message}.*Delete it"):
            describe("ade20k", prepared.target)


def test_a_digest_by_pixels_survives_another_encoder(prepared: World) -> None:
    before = describe("ade20k", prepared.target).digest
    mask = prepared.target / "masks" / "ADE_train_00000001.png"
    Image.open(mask).save(mask, compress_level=0)
    assert describe("ade20k", prepared.target).digest == before


def test_datasets_of_ones_own_are_checked_too(write_dataset: Callable[..., Path]) -> None:
    path = write_dataset()
    assert verify(layout_of(str(path)))[:3] == (verify(layout_of(str(path))).manifest, (), False)
    own = path.rename(path.with_name("dataset.yaml"))
    verdict = verify(layout_of(str(own)))
    assert verdict.written
    assert verdict.manifest is not None
    assert verdict.manifest.digest == describe(str(own)).digest
