import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmark.datasets import Dataset, describe, load_dataset
from benchmark.datasets.base import Part
from benchmark.datasets.mini import MiniDataset, _pictures
from benchmark.datasets.world import CLASSES, World, WorldParameters
from benchmark.errors import BenchmarkError
from benchmark.splits import class_names
from tests.benchmark.datasets.balance import balance


@pytest.fixture(scope="module")
def mini() -> Dataset:
    return load_dataset("mini")


def test_it_has_the_promised_size(mini: Dataset) -> None:
    assert [len(mini.ids(part)) for part in ("train", "val", "test")] == [600, 100, 200]
    assert (mini.info.train, mini.info.test) == (600, 200)
    assert mini.ids("train")[1] == "train-0001"
    image, mask = mini.image("test-0199"), mini.mask("test-0199")
    assert image.shape == (64, 64, 3)
    assert mask.shape == (64, 64)
    assert image.dtype == mask.dtype == np.uint8


def test_classes_are_those_of_the_split_file(mini: Dataset) -> None:
    assert mini.info.classes == CLASSES == class_names("mini")


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_it_is_informative(mini: Dataset, part: Part) -> None:
    """With fewer classes an image, or little void, methods cannot be told apart; with rare classes IoU is noise."""
    found = balance(mini, part)
    assert 4.7 < found.classes_per_image < 5.3
    assert 0.06 < found.void_share < 0.085
    assert found.image_share.min() > 0.08
    assert found.image_share.max() < 0.5
    assert found.pixel_share[:8].min() > 0.05
    assert found.pixel_share[8:].min() > 0.005
    assert found.pixel_share.sum() == pytest.approx(1)


def test_the_mean_colour_of_a_class_does_not_tell_it(mini: Dataset) -> None:
    """Given its outline, the nearest mean colour names a region in about half of the cases; chance is one in twenty."""
    means, ids = [], []
    for image_id in mini.ids("train")[:300]:
        image, mask = mini.image(image_id), mini.mask(image_id)
        for class_id in set(np.unique(mask).tolist()) - {255}:
            means.append(image[mask == class_id].mean(axis=0))
            ids.append(class_id)
    colours, classes = np.array(means), np.array(ids)
    half = len(ids) // 2
    centres = np.stack([colours[:half][classes[:half] == c].mean(axis=0) for c in range(20)])
    right = np.linalg.norm(colours[half:, None] - centres, axis=-1).argmin(axis=1) == classes[half:]
    assert 0.2 < right.mean() < 0.55
    assert right[classes[half:] < 8].mean() < 0.45  # stuff is told by texture


def test_classes_of_a_scene_occur_together() -> None:
    assert _scene_correlation(WorldParameters()) > 0.15
    assert abs(_scene_correlation(WorldParameters(cooccurrence=0.0))) < 0.08


def _scene_correlation(parameters: WorldParameters) -> float:
    """Return how much higher the correlation of two classes is within a scene than across scenes."""
    world = World(parameters)
    held = [np.bincount(world.picture(0, i).mask.ravel(), minlength=256)[:20] > 0 for i in range(300)]
    correlation = np.atleast_2d(np.corrcoef(np.array(held).T))
    same = np.zeros((20, 20), bool)
    for scene in world.scenes:
        classes = [*scene.stuff, *scene.things]
        same[np.ix_(classes, classes)] = True
    different_classes = ~np.eye(20, dtype=bool)
    return float(correlation[same & different_classes].mean() - correlation[~same].mean())


def test_pictures_have_no_slivers(mini: Dataset) -> None:
    for image_id in mini.ids("train")[:100]:
        sizes = np.bincount(mini.mask(image_id).ravel(), minlength=256)[:20]
        assert sizes[sizes > 0].min() >= 24


def test_a_picture_is_a_function_of_seed_part_and_index() -> None:
    world = World(WorldParameters())
    later_alone = World(WorldParameters()).picture(0, 7)
    for index in range(8):
        picture = world.picture(0, index)
    np.testing.assert_array_equal(picture.image, later_alone.image)
    np.testing.assert_array_equal(picture.mask, later_alone.mask)
    assert (world.picture(1, 7).mask != picture.mask).any()
    assert (World(WorldParameters(seed=1)).picture(0, 7).mask != picture.mask).any()


def test_pictures_stay_what_they_were(mini: Dataset) -> None:
    """Whoever changes these numbers raises ``VERSION`` of the world. Colours may differ in the last bit of a float."""
    digest = hashlib.sha256(mini.mask("train-0000").tobytes()).hexdigest()
    assert digest == "c7269c65dd6abab4ff0681c10803137867a7502c5ca982c5b9370855aaa6f571"
    assert mini.image("train-0000").mean(axis=(0, 1)) == pytest.approx([115.8, 139.1, 164.08], abs=0.05)


def test_other_sizes_show_the_same_kind_of_picture() -> None:
    big = World(WorldParameters(size=128)).picture(0, 0)
    assert big.image.shape == (128, 128, 3)
    assert 2 <= len(np.unique(big.mask)) <= 8


def test_the_digest_covers_the_parameters(mini: Dataset) -> None:
    other = MiniDataset(replace(WorldParameters(), clutter=0.5))
    assert other.info.digest != mini.info.digest
    assert MiniDataset().info == mini.info == describe("mini")


def test_describing_draws_nothing() -> None:
    _pictures.cache_clear()
    assert describe("mini").train == 600
    assert _pictures.cache_info().misses == 0


def test_describing_needs_no_heavy_library() -> None:
    code = (
        "import sys; from benchmark.datasets import describe; describe('mini');"
        "print({'torch', 'torchvision', 'pandas', 'matplotlib', 'mlflow', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("image_id", ["train-0600", "train-1", "tests-0000", "train-00x0", ""])
def test_unknown_images_are_refused(mini: Dataset, image_id: str) -> None:
    with pytest.raises(BenchmarkError, match="unknown image of dataset mini"):
        mini.mask(image_id)


def test_changing_what_is_returned_changes_nothing(mini: Dataset) -> None:
    mini.image("val-0000")[:] = 0
    mini.mask("val-0000")[:] = 0
    assert mini.image("val-0000").any()
    assert mini.mask("val-0000").any()
