"""Datasets of drawn photographs stand in for those that are not here."""

from pathlib import Path

import numpy as np
import pytest

from benchmark.costs.photographs import CLASSES, stand_in
from benchmark.datasets import load_dataset
from benchmark.splits import class_names, splits


def test_a_published_dataset_keeps_its_name_classes_and_splits(tmp_path: Path) -> None:
    drawn = stand_in("coco-stuff-10k", tmp_path / "data", 3)
    dataset = load_dataset(drawn.source, drawn.root)
    assert dataset.info.name == "coco-stuff-10k"
    assert dataset.info.classes == class_names("coco-stuff-10k")
    assert (dataset.info.train, dataset.info.test) == (3, 3)
    assert dataset.image("train0").shape == (480, 640, 3)
    novel = set(splits("coco-stuff-10k")["S4"].novel)
    present = [set(np.unique(dataset.mask(image_id)).tolist()) for image_id in dataset.ids("train")]
    assert all(1 < len(one) <= CLASSES for one in present)
    assert set.union(*present) & novel
    assert set.union(*present) - novel
    assert (tmp_path / "data" / "images" / "train0.jpg").stat().st_size > 100_000  # as much to decode as a photograph


def test_photographs_have_the_size_of_those_of_the_dataset(tmp_path: Path) -> None:
    drawn = stand_in("ade20k", tmp_path / "data", 1)
    assert load_dataset(drawn.source, drawn.root).image("test0").shape == (512, 683, 3)


def test_a_dataset_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(
        "name: tiny\ntitle: Not here\nclasses: [sky, road, cat]\nimages: i\nmasks: m\n"
        "lists: {train: a.txt, test: b.txt}\nsplits: {S1: [cat], S2: [0, cat]}\n"
    )
    drawn = stand_in(str(path), tmp_path / "data", 2)
    assert load_dataset(drawn.source).info.name == "tiny"
    assert drawn.root is None
    assert splits(drawn.source)["S2"].novel == (0, 2)


def test_the_embedded_dataset_needs_none(tmp_path: Path) -> None:
    assert stand_in("mini", tmp_path / "data", 2) == ("mini", None)
    assert not (tmp_path / "data").exists()


def test_a_dataset_without_splits_says_so(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no weak-shot splits of voc2012"):
        stand_in("voc2012", tmp_path / "data", 1)
