"""What a report shows, and that it is whole in itself."""

import base64
import hashlib
import re
from dataclasses import replace
from datetime import datetime, tzinfo
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from benchmark.datasets import load_dataset
from benchmark.labels import mask_path, write_mask
from benchmark.report.html import made
from benchmark.report.html.page import HERE
from benchmark.report.html.reading import parts
from benchmark.report.pictures.pages import PicturePage, Shown
from benchmark.report.plots import theme
from benchmark.splits import split
from tests.benchmark.report.html.conftest import BLOCKS


class Tags(HTMLParser):
    """All tags with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture
def tags(page: str) -> Tags:
    return Tags(BLOCKS.sub("", page))


def test_nothing_is_loaded_from_anywhere(page: str, tags: Tags) -> None:
    for tag, attributes in tags.found:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/png;base64,")), (tag, attributes)
        assert tag not in {"link", "iframe", "object", "embed", "base", "img"}
    style, script = ((HERE / "templates" / name).read_text() for name in ("style.css", "script.js"))
    assert "url(" not in style
    assert "@import" not in style
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon|import)\b *\(", script)
    assert set(re.findall(r"https?://[^\"' <]+", BLOCKS.sub("", page))) <= {"http://www.w3.org/2000/svg"}


def test_the_policy_allows_this_style_and_this_script_alone(page: str, tags: Tags) -> None:
    policy = next(one["content"] for one in tags.named("meta") if one.get("http-equiv") == "Content-Security-Policy")
    for tag in ("style", "script"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in str(policy)
    assert "default-src 'none'" in str(policy)
    assert not any("style" in attributes or "onclick" in attributes for _, attributes in tags.found)


def test_numbers_are_those_of_the_table(page: str, run: Any) -> None:
    shown = parts(page)
    for cell in run.results:
        at = f"table 2, {cell.row}, {cell.column}"
        assert shown[f"{at}: mean"].text == ("–" if cell.mean is None else f"{cell.mean:.2f}")
        assert shown[f"{at}: SD"].text == ("–" if cell.sd is None else f"{cell.sd:.2f}")
        assert shown[f"{at}: printed value"].text == f"{cell.paper:.1f}"
        assert shown[f"{at}: seeds"].text == f"{cell.n_seeds} of 3"
        assert shown[f"{at}, overview"].text.startswith(cell.status if cell.mean is None else f"{cell.mean:.1f}")
    assert shown["table 2, Basic, Split 4: each seed"].text == "41.30 42.90"
    assert shown["table 2, Self-Pair, Split 1: verdict"].text == "not run"


def test_a_difference_is_shown_where_values_compare(page: str, make_run: Any) -> None:
    place = "table 2, Basic, Split 1"
    assert f"{place}: printed value" in parts(page)
    assert f"{place}: difference" not in parts(page)
    same = make_run(
        "2", {("Basic", "Split 1"): [30.0]}, dataset="coco-stuff-10k", profile="paper", test=1, store="same"
    )
    assert parts(made(same.plan, same.store))[f"{place}: difference"].text == "+3.00"


def test_orderings_are_judged_in_words(page: str) -> None:
    shown = parts(page)
    assert "cannot be judged" in shown["table 2, ordering Cross-Pair > Self-Pair"].text
    assert shown["table 2, Cross-Pair > Self-Pair, Split 1: remark"].text == "Self-Pair not run"
    assert "8 cannot be judged" in shown["the summary"].text
    assert shown["the summary"].text.startswith(
        "Of the cells, 6 of 12 are done, 1 partial, 5 not run; seeds 0, 1 and 2."
    )


def test_tables_say_what_their_headings_head(tags: Tags) -> None:
    headings = tags.named("th")
    assert headings
    assert all(heading.get("scope") in {"row", "col"} for heading in headings)
    ids = [attributes["id"] for _, attributes in tags.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [str(link["href"])[1:] for link in tags.named("a")]
    assert set(targets) <= set(ids)
    assert tags.named("html")[0]["lang"] == "en"
    assert all("aria-label" in svg or "aria-hidden" in svg for svg in tags.named("svg"))


def test_no_control_is_there_without_the_script_that_serves_it(tags: Tags) -> None:
    assert not tags.named("button")
    assert not tags.named("input")
    assert not tags.named("select")


def test_labels_cannot_break_out_of_the_page(make_run: Any) -> None:
    from benchmark.tables import Table

    table = Table.model_validate_json(
        '{"name": "x", "title": "</script><script>alert(1)</script>", "columns": [{"label": "<b>&", "split": "S1"}],'
        '"rows": [{"label": "\\"onload=", "method": "simformer"}]}'
    )
    run = make_run(table, {('"onload=', "<b>&"): [40.0]}, seeds=(0,))
    text = made(run.plan, run.store)
    assert "<script>alert" not in text
    assert text.count("<script>") == 1
    assert parts(text)['table x, "onload=, <b>&: mean'].text == "40.00"


def test_an_empty_store_makes_a_page_too(make_run: Any) -> None:
    run = make_run("3", {})
    shown = parts(made(run.plan, run.store))
    assert shown["table 3, SimFormer, Split 4: verdict"].text == "not run"
    assert "0 of 24 are done" in shown["the summary"].text


def test_the_same_store_makes_the_same_page(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmark.report.html import packing

    class Clock:
        @staticmethod
        def now(zone: tzinfo) -> datetime:
            return datetime(2026, 1, 2, tzinfo=zone)

    monkeypatch.setattr(packing, "datetime", Clock)
    assert made(run.plan, run.store) == made(run.plan, run.store)


def test_pictures_are_shown_with_what_they_are(run: Any, tmp_path: Any) -> None:
    dataset = load_dataset("mini")
    image_id = dataset.ids("train")[0]
    write_mask(mask_path(tmp_path, image_id), np.zeros((64, 64), dtype=np.uint8))
    shown = Shown(image_id, dataset.image(image_id), dataset.mask(image_id), (np.zeros((64, 64), np.uint8), None))
    page = PicturePage(
        "stages", dataset.info, split("mini", "S1"), (shown,), "mini", columns=("CAM", "RIB"), missing=("RIB",)
    )
    text = made(run.plan, run.store, [page])
    assert text.count('href="data:image/png;base64,') == 4
    for words in ("the image", "CAM", "ground truth", "base and novel"):
        assert f'aria-label="{image_id}: {words}"' in text
    assert "<i>not run</i>" in text
    assert "Pictures" not in made(run.plan, run.store)


@pytest.fixture
def predictions(tmp_path: Any) -> PicturePage:
    """Two predictions for two test images of one size."""
    dataset = load_dataset("mini")
    maps = [np.full((64, 64), one, np.uint8) for one in range(4)]
    shown = tuple(
        Shown(image_id, dataset.image(image_id), dataset.mask(image_id), (maps[i], maps[i + 2]))
        for i, image_id in enumerate(dataset.ids("test")[:2])
    )
    titles = ("one network", "another")
    return PicturePage("3", dataset.info, split("mini", "S4"), shown, "mini", columns=titles, kind="predictions")


def test_predictions_stand_beside_the_ground_truth(run: Any, predictions: PicturePage) -> None:
    text = made(run.plan, run.store, [predictions])
    assert "Predictions of table 3, S4 <span" in text
    heads = ["Image", "Ground truth", "Base and novel", "one network", "another"]
    assert "".join(f'<th scope="col">{one}</th>' for one in heads) in text
    first = predictions.shown[0].id
    labels = re.findall(rf'aria-label="{first}: ([^"]*)"', text)
    assert labels == ["the image", "ground truth", "base and novel", "one network", "another"]


def test_a_picture_that_several_grids_show_is_in_the_page_once(run: Any, predictions: PicturePage) -> None:
    text = made(run.plan, run.store, [predictions, replace(predictions, table="baselines")])
    assert text.count('href="data:image/png;base64,') == 2 * 5
    found = Tags(BLOCKS.sub("", text))
    targets = [str(one["href"]) for one in found.named("use")]
    ids = {f"#{attributes['id']}" for _, attributes in found.found if "id" in attributes}
    assert set(targets) <= ids
    assert len([target for target in targets if target.startswith("#p-")]) == 2 * 2 * 5


def test_a_page_of_one_row_is_called_by_it(run: Any, predictions: PicturePage) -> None:
    assert "Predictions of table 3, S4, SimFormer <span" in made(
        run.plan, run.store, [replace(predictions, row="SimFormer")]
    )


def test_light_colours_are_those_of_the_other_plots() -> None:
    style = (HERE / "templates" / "style.css").read_text()
    assert tuple(re.findall(r"\.s\d \{ --c: light-dark\((#\w{6}),", style)) == theme.COLOURS
