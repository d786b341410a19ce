"""Pages of predictions: what is on them, who predicts what, and the command that makes and draws them."""

from pathlib import Path

import numpy as np
import pytest

from benchmark.errors import BenchmarkError, Exit
from benchmark.report.pictures.draw import caption, draw
from benchmark.report.pictures.page_plan import MOST
from benchmark.report.plots.palette import NO_LABEL, class_colours
from tests.benchmark.report.gallery import CAT, CLASSES, ROAD, World, make_world


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(tmp_path, monkeypatch)


def colours(picture: object) -> set[tuple[int, ...]]:
    return {tuple(colour) for colour in np.asarray(picture.get_array()).reshape(-1, 3).tolist()}  # type: ignore[attr-defined]


def rgb(class_id: int) -> tuple[int, ...]:
    return tuple(class_colours(len(CLASSES))[class_id].tolist())


def test_rows_that_offer_predictions_have_a_column_beside_the_ground_truth(world: World) -> None:
    (page,) = world.predictions("S1")
    assert (page.kind, page.columns) == ("predictions", ("network", "oracle"))
    texts = [text.get_text().replace("\n", " ") for text in draw(page).axes[0].texts]
    assert texts[:5] == ["image", "ground truth", "base and novel", "network", "oracle"]
    assert caption(page).startswith("Eight images, profile toy, split S1, seed 0. Predictions for test images. ")


def test_test_images_that_show_a_novel_class_are_taken(world: World) -> None:
    assert [[shown.id for shown in page.shown] for page in world.predictions()] == [["6"], ["7"]]
    assert [[shown.id for shown in page.shown] for page in world.predictions(choice=("5", "7"))] == [["5", "7"]] * 2


def test_an_image_that_is_none_of_the_test_is_refused(world: World) -> None:
    with pytest.raises(BenchmarkError, match="unknown test image '0' in dataset tiny"):
        world.predictions("S1", choice=("0",))


def test_a_network_is_asked_once_for_the_images_of_all_its_pages(world: World) -> None:
    world.train("network", "oracle")
    asked = {stage.name: stage.params["images"] for stage in world.to_predict()}
    assert asked["predictions for 2 images, evaluation of oracle"] == ["6", "7"]
    assert sorted(stage.params["images"] for stage in world.to_predict()) == [["6"], ["6", "7"], ["7"]]
    done = world.invoke("--of", "predictions")
    assert done.exit_code == Exit.OK
    assert world.seen("oracle") == ["6", "7"]
    assert sorted(world.seen("network")) == ["6", "7"]
    assert not world.to_predict()
    world.invoke("--of", "predictions")
    assert world.seen("oracle") == ["6", "7"]


def test_what_a_network_says_stands_in_its_column(world: World) -> None:
    world.train("network", says=ROAD)
    world.train("oracle", says=CAT)
    world.invoke("--of", "predictions", "--splits", "S1")
    (page,) = world.predictions("S1")
    image, truth, parts, network, oracle = draw(page).axes[0].images
    assert colours(truth) >= {NO_LABEL, rgb(CAT)}
    assert (colours(network), colours(oracle)) == ({rgb(ROAD)}, {rgb(CAT)})
    assert colours(image) == {(90, 90, 90)}
    assert rgb(CAT) not in colours(parts)


def test_command_writes_a_page_a_split(world: World) -> None:
    world.train("network", "oracle")
    done = world.invoke("--of", "predictions", "--images", "5,6")
    paths = [Path(line) for line in done.stdout.splitlines()]
    names = [f"predictions-maps-{split}.{suffix}" for split in ("S1", "S2") for suffix in ("pdf", "png")]
    assert [path.name for path in paths] == names
    assert all(path.is_file() for path in paths)
    assert done.stderr.count("done     predictions for 2 images, evaluation of ") == 3


def test_label_maps_come_first_and_predictions_where_there_are_none(world: World) -> None:
    world.train("network", "oracle")
    assert "predictions-" not in world.invoke("--splits", "S1").stdout
    rows = [{"label": "network", "method": "labeller", "variant": "network"}]
    world.change(rows=rows)
    done = world.invoke("--splits", "S1")
    assert done.exit_code == Exit.OK
    assert "predictions-maps-S1.png" in done.stdout
    none = world.invoke("--of", "labels")
    assert (none.exit_code, none.stdout) == (Exit.NOTHING, "")
    assert none.stderr.startswith("no row that can be run here scores label maps of training images: table ")


def test_without_a_network_its_column_says_not_run(world: World) -> None:
    world.train("oracle")
    done = world.invoke("--of", "predictions", "--splits", "S1")
    assert done.exit_code == Exit.INCOMPLETE
    assert "table maps, S1: 1 of 2 predictions not run (network); `run --table " in done.stderr
    assert "failed: " not in done.stderr
    (page,) = world.predictions("S1")
    assert [text.get_text() for text in draw(page).axes[0].texts].count("not run") == 1


def test_a_network_that_fails_is_told_with_its_log_and_costs_its_column_alone(world: World) -> None:
    world.train("network", broken=True)
    world.train("oracle")
    done = world.invoke("--of", "predictions", "--splits", "S1")
    assert done.exit_code == Exit.INCOMPLETE
    failure = next(line for line in done.stderr.splitlines() if line.startswith("failed: "))
    assert failure.startswith("failed: predictions for 1 image, evaluation of network [")
    assert failure.endswith("ValueError: the network is broken")
    assert "\n  log: " in done.stderr
    assert "predictions-maps-S1.png" in done.stdout
    assert world.predictions("S1")[0].missing == ("network",)


def test_what_is_interrupted_draws_nothing(world: World) -> None:
    world.train("network", "oracle", interrupts=True)
    done = world.invoke("--of", "predictions")
    assert (done.exit_code, done.stdout) == (Exit.INTERRUPTED, "")


def test_a_row_that_offers_none_has_no_column(world: World) -> None:
    world.change(rows=[{"label": "mute", "method": "labeller", "variant": "mute"}])
    done = world.invoke()
    assert (done.exit_code, done.stdout) == (Exit.NOTHING, "")
    assert "scores label maps of training images or offers predictions for test images" in done.stderr


def test_a_sweep_with_too_many_columns_has_a_page_a_row(world: World) -> None:
    def swept(count: int) -> list[dict[str, object]]:
        return [{"label": f"rate {i}", "split": "S1", "set": {"toy.rate": float(i)}} for i in range(count)]

    world.change(columns=swept(MOST // 2))
    (page,) = world.predictions()
    assert page.columns[:2] == ("network, rate 0", "network, rate 1")
    world.change(columns=swept(MOST // 2 + 1))
    pages = world.predictions()
    assert [page.row for page in pages] == ["network", "oracle"]
    assert pages[0].columns == tuple(f"rate {i}" for i in range(MOST // 2 + 1))
    assert "split S1, oracle, seed 0" in caption(pages[1])
    assert "predictions-maps-S1-oracle.png" in world.invoke("--of", "predictions").stdout
    rows = [
        {"label": label, "method": "labeller", "variant": "oracle", "bound": True}
        for label in ("oracle", "oracle*", "other*")
    ]
    world.change(rows=rows)
    names = [Path(line).name for line in world.invoke().stdout.splitlines()]
    assert names[1::2] == [f"predictions-maps-S1-{row}.png" for row in ("oracle", "oracle-star", "other-star")]
