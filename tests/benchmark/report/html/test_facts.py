"""What a text says, and when two texts say the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.report.html.facts import Fact, Vocabulary
from benchmark.wording import duration

NAMES = {
    "RETAB": "RETAB",
    "RETAB*": "RETAB*",
    "Split 1": "Split 1",
    "12": "12",
    "": "",
    "does not hold": "does not hold",
    "holds": "holds",
    "hold": "holds",
}
WORDS = Vocabulary(NAMES)


def one(text: str) -> Fact:
    (fact,) = WORDS.facts(text)
    return fact


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("All 1,234 of 5 are done, 95 %.", [1234, 5, 95]),
        ("−0.84 to +5.46", [-0.84, 5.46]),
        ("44.8 ± 1.6 (3)", [44.8, 1.6, 3]),
        ("seeds 0, 1 and 2;", [0, 1, 2]),
        ("Split 1: 12 hold, 2 do. RETAB* does not hold", ["Split 1", 12, "holds", 2, "RETAB*", "does not hold"]),
        ("RETAB > RETAB*, RETAB", ["RETAB", "RETAB*", "RETAB"]),
        ("by 0.1.0 on 2026-11-30", ["0.1.0", "2026-11-30"]),
        ("SHA-256 00af12, S4, 64x64, 4/6", ["SHA-256", "00af12", "S4", "64x64", "4/6"]),
        ("upholds, holdsome; no fact", []),
        ("٤٦.٢", [46.2]),
    ],
)
def test_facts_in_their_order(text: str, said: list[object]) -> None:
    facts = WORDS.facts(text)
    assert [fact.text if fact.value is None else fact.value for fact in facts] == said
    assert not any(fact.duration for fact in facts)


@pytest.mark.parametrize(
    ("text", "seconds", "step"),
    [
        ("2.2 s", 2.2, 0.1),
        ("45 s", 45, 1),
        ("12 min", 720, 60),
        ("3 h 05 min", 11100, 60),
        ("3h05m", 11100, 60),
        ("3 hours, 5 minutes and 7 seconds", 11107, 1),
        ("1.5 h", 5400, 360),
        ("3:05:07", 11107, 1),
        ("2 days 1 hr", 176400, 3600),
        ("250 ms", 0.25, 0.001),
    ],
)
def test_durations(text: str, seconds: float, step: float) -> None:
    fact = one(text)
    assert (fact.text, fact.duration) == (text, True)
    assert fact.value == pytest.approx(seconds)
    assert fact.step == pytest.approx(step)


def test_durations_in_a_row() -> None:
    assert [fact.value for fact in WORDS.facts("2 s, 3 s, 1 min 4 s and 3 modes")] == [2, 3, 64, 3]


@given(st.floats(0, 10**6))
def test_what_the_software_says_of_a_duration_follows_from_it(seconds: float) -> None:
    said = one(duration(seconds))
    assert said.rounds(seconds)
    assert not said.rounds(seconds + 1.01 * said.step)


@pytest.mark.parametrize(
    ("shown", "due", "exact", "follows"),
    [
        ("46.2", "46.2", None, True),
        ("46.2", "46.3", None, False),
        ("46.2", "46.21", None, True),
        ("46.2", "46.26", None, False),
        ("46.24", "46.2", None, True),
        ("46.26", "46.2", None, False),
        ("46", "46.2", None, True),
        ("47", "46.2", None, False),
        ("46.238", "46.24", 46.238349, True),
        ("46.239", "46.24", 46.238349, False),
        ("46.2", "46.24", 46.238349, True),
        ("46.3", "46.25", 46.2499, False),
        ("+1.20", "1.20", None, True),
        ("-1.20", "−1.20", None, True),
        ("-1.20", "1.20", None, False),
        ("3 min", "182 s", 181.7, True),
        ("0:03:02", "3 min", 181.7, True),
        ("0:03:03", "3 min", 181.7, False),
        ("0:03:29", "3 min", None, True),
        ("0:03:31", "3 min", None, False),
        ("180", "3 min", 180.0, False),
        ("RETAB", "RETAB", None, True),
        ("RETAB", "RETAB*", None, False),
        ("hold", "holds", None, True),
        ("2", "Split 1", None, False),
        ("a1", "a2", None, False),
    ],
)
def test_a_number_follows_to_the_digits_that_are_shown(
    shown: str, due: str, exact: float | None, follows: bool
) -> None:
    assert one(shown).follows(one(due), exact) is follows


@given(st.floats(-100, 100), st.integers(0, 4), st.integers(0, 4))
def test_any_rounding_of_a_number_follows_from_it(value: float, decimals: int, others: int) -> None:
    shown, due = one(f"{value:+.{decimals}f}"), one(f"{value:.{others}f}")
    assert shown.follows(due)
    assert shown.follows(due, value)
    assert shown.value is not None
    forged = one(f"{shown.value + 2 * shown.step:+.{decimals}f}")  # one more may be the same, rounded the other way
    assert not forged.follows(due, value)
    assert decimals > others or not forged.follows(due)
