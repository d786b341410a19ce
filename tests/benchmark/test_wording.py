"""Counts, lists and times as messages say them."""

import pytest

from benchmark.wording import check_lines, duration, enumerated, escaped, form, listed, plural, tally


def test_a_text_of_a_file_is_one_visible_line() -> None:
    for text in ("a\nb", "a\x1b[2J", "a\u202eb", "a\u2028b", "\x85"):
        with pytest.raises(ValueError, match="one line"):
            check_lines({"rows": [{"label": text}]})
        assert escaped(text).isprintable()
    check_lines("中文 é %", 3, None)
    assert escaped("x" * 90, 80) == "x" * 77 + "..."


def test_one_of_a_thing_has_no_plural() -> None:
    assert [plural(count, "cell") for count in (0, 1, 2, 2000)] == ["0 cells", "1 cell", "2 cells", "2,000 cells"]
    assert [plural(count, "process", "processes") for count in (1, 3)] == ["1 process", "3 processes"]
    assert [form(count, "is", "are") for count in (0, 1, 2)] == ["are", "is", "are"]


def test_names_are_counted_by_the_noun_before_them() -> None:
    assert [enumerated("seed", names) for names in ([0], range(2))] == ["seed 0", "seeds 0, 1"]


def test_lists_end_with_and() -> None:
    assert [listed(words) for words in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]


def test_what_occurs_is_counted_in_the_order_of_the_first() -> None:
    assert tally(["holds", "undecided", "holds"]) == "2 holds, 1 undecided"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (8.24, "8.2 s"), (75, "75 s"), (100, "2 min"), (3599, "60 min"), (11100, "3 h 05 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
