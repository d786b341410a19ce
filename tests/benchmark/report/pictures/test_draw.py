"""Pages of label maps: what is on them, how it is drawn, and the command that writes them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from matplotlib.patches import Rectangle

from benchmark.commands.pictures import command
from benchmark.datasets import load_dataset
from benchmark.datasets.base import Split
from benchmark.errors import BenchmarkError, Exit
from benchmark.labels import mask_path, write_mask
from benchmark.plan import build_plan
from benchmark.report.pictures.draw import CELL, caption, draw, outline
from benchmark.report.pictures.page_plan import Choice, chosen_images, label_pages
from benchmark.report.pictures.pages import PicturePage, dataset_page, pages
from benchmark.report.plots.palette import NO_LABEL, NOVEL, class_colours
from benchmark.report.publication import publish_pictures
from benchmark.selection.options import parse_choice
from tests.benchmark.report.gallery import CAT, CLASSES, DOG, ROAD, SIZES, SKY, World, make_world


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(tmp_path, monkeypatch)


def texts(page: PicturePage) -> list[str]:
    """Return all that is written on a page, lines joined."""
    return [text.get_text().replace("\n", " ") for text in draw(page).axes[0].texts]


def drawn(page: PicturePage) -> list[Any]:
    """Return the pictures on a page, row by row."""
    return list(draw(page).axes[0].images)


def colours(picture: Any) -> set[tuple[int, ...]]:
    return {tuple(colour) for colour in np.asarray(picture.get_array()).reshape(-1, 3).tolist()}


def rgb(class_id: int) -> tuple[int, ...]:
    return tuple(class_colours(len(CLASSES))[class_id].tolist())


def test_rows_that_score_label_maps_have_a_column_and_no_others(world: World) -> None:
    (page,) = world.pages("S1")
    assert page.columns == ("first maps", "second maps")
    assert (page.table, page.split.name, page.seed) == ("maps", "S1", 0)
    titles = [text for text in texts(page) if text in {"image", *page.columns, "network", "oracle", "ground truth"}]
    assert titles == ["image", "first maps", "second maps", "ground truth"]


def test_two_columns_on_one_split_are_told_apart(world: World) -> None:
    rates = [{"label": f"rate {rate}", "split": "S1", "set": {"toy.rate": rate}} for rate in (1.0, 2.0)]
    world.change(columns=rates)
    (page,) = world.pages()
    assert page.columns == (
        "first maps, rate 1.0",
        "first maps, rate 2.0",
        "second maps, rate 1.0",
        "second maps, rate 2.0",
    )


def test_only_images_with_a_novel_class_are_taken_and_always_the_same(world: World) -> None:
    assert chosen_images(world.data, [CAT], 6) == ("0", "2", "4")
    assert chosen_images(world.data, [DOG], 6) == ("3",)
    assert chosen_images(world.data, [CAT], 2) == chosen_images(world.data, [CAT], 2) == ("2", "4")
    assert chosen_images(world.data, [CAT, DOG, ROAD], 5) == ("0", "1", "2", "3", "4")


def test_images_are_spread_over_the_whole_list() -> None:
    mini = load_dataset("mini")
    chosen = chosen_images(mini, [5, 7, 9, 14, 15], 6)
    numbers = [int(image_id.removeprefix("train-")) for image_id in chosen]
    assert len(numbers) == 6
    assert all(50 <= number - 100 * i < 80 for i, number in enumerate(numbers))


def test_named_images_come_in_their_order_whatever_they_show(world: World) -> None:
    assert chosen_images(world.data, [CAT], ("3", "0")) == ("3", "0")


@pytest.mark.parametrize("wrong", ["5", "train-00000"])
def test_an_image_that_is_none_of_training_is_refused(world: World, wrong: str) -> None:
    with pytest.raises(BenchmarkError, match=f"unknown training image '{wrong}' in dataset tiny"):
        world.pages("S1", choice=(wrong,))


def test_near_matches_of_an_image_are_named_and_not_all_there_are() -> None:
    with pytest.raises(BenchmarkError, match=r"Did you mean 'train-0.*\.\.\. \(600 in all\)\.$") as caught:
        chosen_images(load_dataset("mini"), [5], ("train-9007",))
    assert len(str(caught.value)) < 400


def test_a_map_of_another_size_is_refused(world: World) -> None:
    world.make("first maps")
    stage = world.plan("S1").cells[0].stage
    assert stage
    path = mask_path(world.store.folder(stage.inputs["labels"].key), "2")
    write_mask(path, np.zeros((3, 3), dtype=np.uint8))
    with pytest.raises(BenchmarkError, match=r"2\.png is \(3, 3\) uint8, its image is \(5, 15\)"):
        world.pages("S1")
    path.unlink()
    with pytest.raises(BenchmarkError, match=r"2\.png cannot be read"):
        world.pages("S1")


@pytest.mark.parametrize("no_class", [len(CLASSES), 200, 255])
def test_ids_that_are_no_class_are_drawn_as_no_label(world: World, no_class: int) -> None:
    world.make("first maps", "second maps", labels=no_class)
    (page,) = world.pages("S1", choice=("0",))
    _, first, second, truth, parts = drawn(page)
    assert colours(first) == colours(second) == {NO_LABEL}
    assert colours(truth) == {NO_LABEL, rgb(SKY), rgb(CAT)}
    assert colours(parts) >= {NO_LABEL, NOVEL}


def test_rows_are_of_one_height_and_keep_the_shape_of_their_image(world: World) -> None:
    (page,) = world.pages("S1", choice=("0", "1", "2"))
    boxes = [picture.get_extent() for picture in drawn(page)]
    heights = {round(bottom - top) for _, _, bottom, top in boxes}
    widths = [right - left for left, right, _, _ in boxes]
    (height,) = heights
    assert max(widths) <= CELL[0]
    assert height <= CELL[1]
    of_rows = [widths[i] for i in range(0, len(widths), len(widths) // 3)]
    assert of_rows == [round(height * w / h) for h, w in SIZES[:3]]


def test_every_picture_has_the_pixels_that_it_covers(world: World) -> None:
    world.make("first maps")
    (page,) = world.pages("S1")
    for picture in drawn(page):
        left, right, bottom, top = picture.get_extent()
        assert picture.get_array().shape[:2] == (bottom - top, right - left)


def test_maps_that_are_missing_say_so(world: World) -> None:
    world.make("second maps")
    (page,) = world.pages("S1", choice=("0", "2"))
    assert page.missing == ("first maps",)
    assert texts(page).count("not run") == 2
    assert len(drawn(page)) == 2 * 4


def test_the_legend_names_the_classes_on_the_page_novel_ones_first(world: World) -> None:
    world.make("first maps", labels=ROAD)
    (page,) = world.pages("S1", choice=("0",))
    words = texts(page)
    start = words.index("novel classes")
    assert words[start : start + 5] == ["novel classes", "cat", "base classes", "sky", "road"]
    assert "dog" not in words
    squares = [patch for patch in draw(page).axes[0].patches if isinstance(patch, Rectangle) and patch.get_fill()]
    assert np.round(255 * np.array(squares[0].get_facecolor())[:3]).tolist() == list(rgb(CAT))


def test_the_caption_names_dataset_profile_split_and_seed(world: World) -> None:
    (page,) = world.pages("S2")
    assert texts(page)[-1].startswith("Eight images, profile toy, split S2, seed 0.")


def test_all_that_is_written_stays_on_a_narrow_page(world: World) -> None:
    plan = build_plan(
        [str(world.table)], str(world.dataset), world.profile, [0], ["S1"], overrides=[{"toy.rate": 0.125}]
    )
    (page,) = pages(plan, world.store, world.data, label_pages(plan, world.data, ("3",)))
    figure = draw(replace(page, columns=page.columns[:1], shown=(page.shown[0]._replace(labels=(None,)),)))
    canvas: Any = figure.canvas
    edges = [text.get_window_extent(canvas.get_renderer()) for text in figure.axes[0].texts]
    assert min(edge.x0 for edge in edges) >= 0
    assert max(edge.x1 for edge in edges) <= figure.bbox.width
    assert min(edge.y0 for edge in edges) >= 0
    assert max(edge.y1 for edge in edges) <= figure.bbox.height


def test_outline_runs_around_the_region() -> None:
    region = np.zeros((3, 4), dtype=bool)
    region[1, 1:3] = True
    lines = sorted(outline(region).tolist())
    assert lines == [[[1, 1], [1, 2]], [[1, 1], [3, 1]], [[1, 2], [3, 2]], [[3, 1], [3, 2]]]
    assert outline(np.zeros((3, 4), dtype=bool)).shape == (0, 2, 2)


def test_a_page_is_written_the_same_way_twice(world: World) -> None:
    world.make("first maps")
    (page,) = world.pages("S1", choice=("0",))
    first, second = (publish_pictures(page, world.root / name) for name in ("a", "b"))
    assert [path.name for path in first] == ["pictures-maps-S1.pdf", "pictures-maps-S1.png"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_command_writes_a_page_a_split_and_prints_their_paths(world: World) -> None:
    world.make("first maps", "second maps")
    done = world.invoke("--images", "1")
    assert (done.exit_code, done.stderr) == (Exit.OK, "")
    paths = [Path(line) for line in done.stdout.splitlines()]
    assert [path.name for path in paths] == [
        f"pictures-maps-{split}.{suffix}" for split in ("S1", "S2") for suffix in ("pdf", "png")
    ]
    assert all(path.is_file() for path in paths)
    assert {path.parent.name for path in paths} == {"tiny-toy"}


def test_command_shows_the_first_seed(world: World) -> None:
    world.make("first maps", "second maps", seed=3)
    assert world.invoke("--images", "1", "--splits", "S1", "--seeds", "3,4").exit_code == Exit.OK


def test_command_exits_1_while_maps_are_missing_and_names_them(world: World) -> None:
    world.make("second maps")
    done = world.invoke("--images", "1", "--splits", "S1")
    assert done.exit_code == Exit.INCOMPLETE
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == (
        f"table maps, S1: 1 of 2 label maps not run (first maps); `run --table {world.table}` with the same options "
        f"makes them.\n"
    )


def test_command_exits_5_where_nothing_is_selected(world: World) -> None:
    world.table.write_text(world.table.read_text().replace("S2", "S1b"))
    done = world.invoke("--methods", "nobody")
    assert (done.exit_code, done.stdout) == (Exit.NOTHING, "")
    assert "no row that can be run here scores label maps" in done.stderr
    done = world.invoke("--splits", "S2")
    assert (done.exit_code, done.stdout) == (Exit.NOTHING, "")
    assert done.stderr.startswith("nothing matches: table ")


def test_command_refuses_an_unknown_image(world: World) -> None:
    with pytest.raises(BenchmarkError, match="unknown training image '9'"):
        world.invoke("--images", "9,")


@pytest.mark.parametrize(("text", "choice"), [("6", 6), ("a,b", ("a", "b")), ("6,", ("6",)), (" 3 , a", ("3", "a"))])
def test_a_number_counts_and_anything_else_names(text: str, choice: Choice) -> None:
    assert parsed(text) == choice


@pytest.mark.parametrize("text", ["0", ",", ""])
def test_no_images_are_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        parsed(text)


def parsed(text: str) -> Choice:
    return parse_choice(click.Context(command), click.Option(["--images"]), text)


def test_a_dataset_is_shown_without_label_maps(world: World, tmp_path: Path) -> None:
    page = dataset_page(world.data, world.plan().splits["S2"], 6)
    assert [shown.id for shown in page.shown] == ["3"]
    assert caption(page) == "Eight images, split S2. Outlined: novel classes in the ground truth."
    assert [path.name for path in publish_pictures(page, tmp_path / "out")] == [
        "pictures-dataset-train-S2.pdf",
        "pictures-dataset-train-S2.png",
    ]


def test_without_novel_classes_any_image_is_shown_and_no_map_of_base_and_novel(world: World) -> None:
    everything = Split("tiny", "", (), tuple(range(len(CLASSES))))
    page = dataset_page(world.data, everything, 6)
    assert [shown.id for shown in page.shown] == ["0", "1", "2", "3", "4"]
    assert caption(page) == "Eight images."
    texts = {text.get_text() for text in draw(page).axes[0].texts}
    assert {"image", "ground truth", "classes", "cat"} <= texts
    assert not {"base and novel", "novel classes"} & texts
    assert [shown.id for shown in dataset_page(world.data, everything, ("5",), "test").shown] == ["5"]
