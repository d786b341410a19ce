"""What plots say, whatever their size."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from benchmark.report.html import charts, made
from benchmark.report.html.drawings import Drawing, drawings, fault
from benchmark.report.html.reading import nodes

VALUES = {
    "2": {(row, f"Split {i}"): [20.0 + i, 22.3] for row in ("Basic", "Cross-Pair") for i in (1, 2, 4)},
    "3": {(row, f"Split {i}"): [40.0 + i, 42.0 + i] for row in ("SimFormer", "FullyOracle") for i in (4, 5, 7, 8)},
    "stages": {
        **{(f"RETAB: {step}", f"Split {i}"): [40.0 + i, 41] for i in (1, 2) for step in ("CAM", "pseudo labels")},
        ("RETAB*: test", "Split 1"): [45.0, 47.1],
    },
}


@contextmanager
def other_size() -> Iterator[None]:
    """Draw larger plots with other margins and other ticks."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"WIDTH": 500.0, "BOTTOM": 260.0, "TOP": 30.0, "LEFT": 40.0, "TICKS": 9}.items():
            patch.setattr(charts, name, value)
        for name, value in {"left": 40.0, "top": 30.0, "bottom": 260.0}.items():
            patch.setattr(charts.PanelPicture, name, value)
        yield


@pytest.fixture(params=sorted(VALUES))
def run(request: pytest.FixtureRequest, make_run: Any) -> Any:
    return make_run(request.param, VALUES[request.param], seeds=(0, 1), unavailable=())


@pytest.fixture
def both(run: Any) -> tuple[str, str]:
    """The page of a run, and one with plots of another size."""
    with other_size():
        other = made(run.plan, run.store)
    return made(run.plan, run.store), other


def plots(text: str) -> list[Drawing]:
    return [one for one in drawings(nodes(text)) if one.nodes[0].get("class") == "chart"]


def faults(shown: str, due: str) -> list[str]:
    """Return what is wrong with the drawings of a page."""
    pairs = zip(drawings(nodes(shown)), drawings(nodes(due)), strict=True)
    return [found for one, other in pairs if (found := fault(one, other))]


def test_every_drawing_of_a_page_is_found(run: Any) -> None:
    text = made(run.plan, run.store)
    found = drawings(nodes(text))
    assert len(found) == text.count("<svg") > len(plots(text)) > 1
    assert [fault(one, one) for one in found] == [""] * len(found)
    assert [one.place for one in drawings(nodes('<p id="a"><img src="x"><svg><svg></svg></svg><canvas></p>'))] == [
        "a"
    ] * 3


def test_a_plot_of_another_size_says_the_same(both: tuple[str, str]) -> None:
    due, shown = both
    assert all(one.shapes != other.shapes for one, other in zip(plots(shown), plots(due), strict=True))
    assert faults(shown, due) == []


FORGERIES = [
    (r'(class="spread" d="M[\d.]+ [\d.]+V)([\d.]+)', "draws"),
    (r'(class="spread" d="M[\d.]+ )([\d.]+)', "draws"),
    (r'(class="seed" cx="[\d.]+" cy=")([\d.]+)', "draws"),
    (r'(class="bar" x="[\d.]+" y=")([\d.]+)', "draws"),
    (r'(class="bar" x="[\d.]+" y="[\d.]+" width="[\d.]+" height=")([\d.]+)', "draws"),
    (r'(class="bar" x=")([\d.]+)', "elsewhere"),
    (r'(class="seed" cx=")([\d.]+)', "elsewhere"),
    (r'(class="dot" transform="translate\([\d.]+ )([\d.]+)', "draws"),
    (r'(class="dot" transform="translate\()([\d.]+)', "elsewhere"),
    (r'(class="line" d="M[\d.]+ [\d.]+L[\d.]+ )([\d.]+)', "draws"),
    (r'(class="line" d="M)([\d.]+)', "elsewhere"),
    (r'(class="y" x="[\d.]+" y="[\d.]+">)(\d+)', "scale"),
    (r'(class="y" x="[\d.]+" y=")([\d.]+)', "scale"),
]


def test_a_plot_that_says_something_else(both: tuple[str, str]) -> None:
    due, other = both
    assert sum(bool(re.search(pattern, due)) for pattern, _ in FORGERIES) > 7
    for text in (due, other):
        for pattern, word in FORGERIES:
            forged = re.sub(pattern, lambda found: f"{found[1]}{float(found[2]) + 120:g}", text, count=1)
            if forged != text:
                (found,) = faults(forged, due)
                assert word in found or (text is due and "another place" in found), pattern


def test_a_plot_that_is_forged_by_a_hundredth_of_a_pixel(run: Any) -> None:
    due = made(run.plan, run.store)
    at = re.search(r'class="seed" cx="[\d.]+" cy="([\d.]+)"', due)
    assert at
    forged = f"{due[: at.start(1)]}{float(at[1]) + 0.01:.2f}{due[at.end(1) :]}"
    assert len(faults(forged, due)) == 1


ELEMENTS = [
    ("</svg>", '<image href="data:image/png;base64,AAAA"/></svg>'),
    ('<g class="s0">', '<g class="s0" transform="translate(0 -40)">'),
    ('<g class="s', '<g class="s1'),
    ('class="seed"', 'class="unseen"'),
    ('class="seed" cx', 'class="seed" opacity="0" cx'),
    ('<path class="axis" d="M', '<path class="axis" d="M1 2L3 4M'),
    ('<path class="grid"', '<path class="axis"'),
    ('class="x"', 'class="x label"'),
    ('<svg class="chart"', '<svg class="swatch"'),
    ('cy="', 'cy="nan" data-y="'),
    ('<text class="y" x="', '<text class="y" data-x="'),
    ("</svg>", '<path class="dot" transform="translate(99 99)" d="M0 0"/></svg>'),
    ("</svg>", '<set attributeName="y" to="30"/></svg>'),
]


def test_a_scale_without_numbers(both: tuple[str, str]) -> None:
    due, other = both
    for text in (due, other):
        assert faults(re.sub(r'(class="y" [^>]*>)[^<]*', r"\1nan", text), due)


def test_a_plot_that_could_say_anything(both: tuple[str, str]) -> None:
    due, other = both
    for text in (due, other):
        start = text.index('<svg class="chart"')
        for old, new in ELEMENTS:
            assert old in text[start:]
            assert faults(text[:start] + text[start:].replace(old, new), due), new
