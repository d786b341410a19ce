"""A report that was changed anywhere does not add up, and the place is named."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.datasets import load_dataset
from benchmark.errors import BenchmarkError
from benchmark.report.html import made, reading, verifying
from benchmark.report.html.blocks import Block
from benchmark.report.html.reading import read_page
from benchmark.report.html.sealing import seal
from benchmark.report.html.verifying import NOT_COMPUTED, verify
from benchmark.report.pictures.pages import PicturePage as PicturesOf
from benchmark.report.pictures.pages import Shown
from benchmark.splits import split
from tests.benchmark.report.html.conftest import BLOCKS

Forge = Callable[..., Path]
SHARED = [HealthCheck.function_scoped_fixture]
MANY = settings(max_examples=150, deadline=None, suppress_health_check=SHARED)
SOME = settings(max_examples=12, deadline=None, suppress_health_check=SHARED)  # each makes a whole page


def shown_digits(page: str) -> list[int]:
    """Return where digits stand that a reader sees: between the tags of the body, and not those that spell a sign."""
    start, end = page.index("<body>"), page.index("<script")
    signs = {place for found in re.finditer(r"&#\d+;", page[:end]) for place in range(*found.span())}
    return [
        found.start() + i
        for found in re.finditer(r">[^<]+<", page[:end])
        if found.start() > start
        for i, letter in enumerate(found.group())
        if letter.isascii() and letter.isdigit() and found.start() + i not in signs
    ]


def test_a_sound_report_adds_up(forge: Forge) -> None:
    found = verify(forge())
    assert found.faults == ()
    assert found.remarks == ()
    assert found.checked[0].endswith("computed again from the counts of 20 evaluations")
    assert found.checked[2].startswith("72 keys of stages")


@MANY
@given(data=st.data())
def test_every_digit_that_is_shown_is_in_one_place(page: str, data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(shown_digits(page)))
    digit = data.draw(st.sampled_from("0123456789").filter(lambda one: one != page[place]))
    before, after = reading.parts(page), reading.parts(page[:place] + digit + page[place + 1 :])
    assert before.keys() == after.keys()
    assert sum(before[name].text != after[name].text for name in before) == 1


@SOME
@given(data=st.data())
def test_any_digit_that_is_shown(page: str, forge: Forge, data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(shown_digits(page)))
    digit = data.draw(st.sampled_from("0123456789").filter(lambda one: one != page[place]))
    text = page[:place] + digit + page[place + 1 :]
    path = forge()
    for changed in (text, seal(text)):
        path.write_text(changed)
        faults = verify(path).faults
        assert faults
        assert any("shows" in fault for fault in faults), faults
    assert not any(fault.startswith("the file") for fault in faults)  # the forger sealed it


@SOME
@given(data=st.data())
def test_any_digit_of_the_drawings_and_of_what_columns_are_sorted_by(
    page: str, forge: Forge, data: st.DataObject
) -> None:
    end = page.index("<script")
    places = [i for i in range(page.index("<body>"), end) if page[i].isdigit() and page[i].isascii()]
    place = data.draw(st.sampled_from(places))
    text = page[:place] + ("7" if page[place] != "7" else "3") + page[place + 1 :]
    path = forge()
    path.write_text(seal(text))
    assert verify(path).faults


@SOME
@given(data=st.data())
def test_any_character_of_the_blocks(page: str, forge: Forge, data: st.DataObject) -> None:
    block = data.draw(st.sampled_from(list(BLOCKS.finditer(page))))
    place = data.draw(st.integers(block.start(), block.end() - 1))
    letter = data.draw(st.sampled_from("Az09+/<").filter(lambda one: one != page[place]))
    path = forge()
    path.write_text(page[:place] + letter + page[place + 1 :])
    assert verify(path).faults


def test_the_place_is_named_with_both_numbers(forge: Forge) -> None:
    faults = verify(forge(">40.88<", ">41.88<")).faults
    assert len(faults) == 1
    assert re.match(r"table 2, .*: mean: shows '41\.88', what follows from the counts is '40\.88'", faults[0])


def test_a_verdict_is_a_number_too(forge: Forge) -> None:
    faults = verify(
        forge('<span class="badge none">cannot be judged</span>', '<span class="badge good">holds</span>')
    ).faults
    assert "ordering" in faults[0]
    assert "holds" in faults[0]


def test_a_row_that_is_gone_or_there_twice(page: str, forge: Forge) -> None:
    row = re.search(r"<tr><th scope=\"row\" data-v=\"0\">Basic</th><td data-v=\"2\">.*?</tr>\n", page)
    assert row
    gone = verify(forge(row.group(), "")).faults
    assert any("table 2, Basic, Split 3: mean: is missing" in fault for fault in gone)
    twice = verify(forge(row.group(), 2 * row.group())).faults
    assert any("table 2, Basic, Split 3: mean (2): should not be there" in fault for fault in twice)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("</style>", "td.n { visibility: hidden }</style>"),
        ("</main>", "</main><p>Everything was reproduced.</p>"),
        ("addThemeButton();", "document.querySelector('td').textContent = '99.9';"),
        ("</main>", "</main><!-- note -->"),
    ],
)
def test_what_could_hide_or_replace_a_number(forge: Forge, old: str, new: str) -> None:
    assert verify(forge(old, new)).faults


def test_damaged_counts_are_named_by_evaluation(page: str, forge: Forge) -> None:
    block = list(BLOCKS.finditer(page))[3].group()
    text = re.search(r">([^<]*)<", block)
    assert text
    faults = verify(forge(text.group(1), text.group(1)[:-8] + "AAAAAAA=")).faults
    assert len(faults) == 1
    assert re.match(r"counts of evaluation \([0-9a-f]{12}\): block [0-9a-f]{12} ", faults[0])
    found = verify(forge(block, ""))
    assert "is missing" in found.faults[0]
    assert found.remarks == (NOT_COMPUTED,)


def test_a_block_that_a_browser_could_take_for_another(page: str, forge: Forge) -> None:
    block = list(BLOCKS.finditer(page))[3].group()
    other = re.sub('data-bytes="[0-9]*">[^<]*<', f'data-bytes="4">{Block.of(b"text").text}<', block)
    assert "is there twice" in verify(forge(block, other + block)).faults[0]
    extra = Block.of(b"text")
    named = f'<script type="application/octet-stream" class="block" id="b-{extra.name}" data-bytes="4">{extra.text}'
    assert "belongs to nothing" in verify(forge(block, f"{named}</script>\n{block}")).faults[0]


def test_a_damaged_description_is_a_fault(page: str, forge: Forge) -> None:
    found = list(BLOCKS.finditer(page))[-1].group()
    assert "description: block" in verify(forge(found, found.replace('data-bytes="', 'data-bytes="1'))).faults[0]


def with_maker(page: str, path: Path, maker: str = "0" * 64) -> str:
    """Return a page that says that other code made it."""
    path.write_text(page)
    old = read_page(path)
    new = Block.of(old.content.model_copy(update={"maker": maker}).written())
    block = next(found.group() for found in BLOCKS.finditer(page) if old.description in found.group())
    forged = re.sub('data-bytes="[0-9]*">[^<]*<', f'data-bytes="{new.size}">{new.text}<', block)
    return seal(page.replace(block, forged).replace(old.description, new.name))


def test_a_page_of_other_code_may_word_things_differently(page: str, tmp_path: Path) -> None:
    path = tmp_path / "other.html"
    other = with_maker(page, path)
    path.write_text(other)
    (remark,) = verify(path).remarks
    assert remark.startswith("the page was made by other code than this (version ")
    assert verify(path).faults == ()
    path.write_text(seal(other.replace("Skip to the results", "Skip the nonsense")))
    found = verify(path)
    assert found.faults == ()
    assert found.remarks == (
        remark,
        "worded differently in page: says 'Skip the nonsense', this code 'Skip to the results'",
    )


def test_its_digests_and_its_seal_are_held_to_all_the_same(page: str, tmp_path: Path) -> None:
    path = tmp_path / "other.html"
    other = with_maker(page, path)
    path.write_text(other.replace("Skip to the results", "Skip the nonsense"))
    (fault,) = verify(path).faults
    assert fault.startswith("the file: its SHA-256 is not the one that it was sealed with")
    block = list(BLOCKS.finditer(other))[3].group()
    path.write_text(seal(other.replace(block, "")))
    assert "is missing" in verify(path).faults[0]


@SOME
@given(data=st.data())
def test_any_digit_that_is_shown_by_what_claims_to_be_other_code(page: str, forge: Forge, data: st.DataObject) -> None:
    path = forge()
    other = with_maker(page, path)
    place = data.draw(st.sampled_from(shown_digits(other)))
    digit = data.draw(st.sampled_from("0123456789").filter(lambda one: one != other[place]))
    path.write_text(seal(other[:place] + digit + other[place + 1 :]))
    faults = verify(path).faults
    assert faults
    assert not any(fault.startswith("the file") for fault in faults)


def test_words_that_this_code_would_not_say_are_a_forgery_where_it_is_said_to_have_made_them(forge: Forge) -> None:
    found = verify(forge("Skip to the results", "Skip the nonsense"))
    assert found.remarks == ()
    assert "Skip the nonsense" in found.faults[0]


def test_a_setting_that_was_not_used(page: str, forge: Forge) -> None:
    old = read_page(forge())
    key, stage = next((key, one) for key, one in old.content.stages.items() if one.kind == "train")
    params = stage.model_copy(update={"params": {**stage.params, "seed": 7}})
    content = old.content.model_copy(update={"stages": {**old.content.stages, key: params}})
    new = Block.of(content.written())
    block = next(found.group() for found in BLOCKS.finditer(page) if old.description in found.group())
    forged = re.sub('data-bytes="[0-9]*">[^<]*<', f'data-bytes="{new.size}">{new.text}<', block)
    path = forge()
    path.write_text(seal(page.replace(block, forged).replace(old.description, new.name)))
    assert verify(path).faults[0].startswith(f"stage {key[:12]} (training): its function, parameters and inputs have")


def test_another_picture(run: Any, tmp_path: Path) -> None:
    dataset = load_dataset("mini")
    shown = [Shown(one, dataset.image(one), dataset.mask(one), ()) for one in dataset.ids("train")[:2]]
    text = made(run.plan, run.store, [PicturesOf("stages", dataset.info, split("mini", "S1"), tuple(shown), "mini")])
    path = tmp_path / "pictures.html"
    path.write_text(text)
    assert verify(path).checked[3] == "6 digests of pictures"
    first, second = re.findall(r'base64,([^"]*)"', text)[:2]
    path.write_text(seal(text.replace(first, second)))
    assert any(fault.startswith("pictures: 1 picture of those named") for fault in verify(path).faults)


def test_counts_of_another_evaluator_are_not_read(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "EVALUATOR_VERSION", 99)
    with pytest.raises(BenchmarkError, match="evaluator version 1, this is version 99; verify it with version"):
        verify(forge())


def test_what_is_no_report_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.html"
    with pytest.raises(BenchmarkError, match="cannot be read: No such file"):
        verify(path)
    for content in (b"", b"<html></html>", bytes(range(256))):
        path.write_bytes(content)
        with pytest.raises(BenchmarkError, match="is no report"):
            verify(path)


def test_a_place_that_occurs_twice_is_numbered() -> None:
    found: Any = reading.parts('<p data-at="a">1</p><p data-at="a">2</p><div id="b">x<br>y</div>')
    assert {place: part.text for place, part in found.items()} == {"page": "", "a": "1", "a (2)": "2", "b": "xy"}
