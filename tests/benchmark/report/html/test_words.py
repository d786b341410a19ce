"""Numbers and verdicts as a page words them."""

from typing import Any

import pytest

from benchmark.report.claims.judge import judge
from benchmark.report.html import words
from benchmark.report.html.summary import summary
from benchmark.report.scores.intervals import Interval


def test_numbers_have_true_minus_signs_and_nothing_is_a_dash() -> None:
    assert [words.fixed(one) for one in (46.2149, -0.5, None)] == ["46.21", "−0.50", "–"]
    assert [words.signed(one) for one in (1.2, -0.351, None)] == ["+1.20", "−0.35", "–"]
    assert words.span(Interval(-1.0, 2.5)) == "−1.00 to 2.50"
    assert words.span(Interval(3.0, 3.0)) == words.span(None) == "–"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (["holds"], "1 holds"),
        (["undecided", "holds", "holds"], "2 hold and 1 is undecided"),
        (["not run", "does not hold", "does not hold", "reproduced"], "1 is reproduced, 2 do not hold and 1 not run"),
    ],
)
def test_verdicts_are_counted_in_a_sentence_best_first(found: list[str], said: str) -> None:
    assert words.sentence(found) == said


def said_of(run: Any) -> list[str]:
    return summary([judge(run.plan, run.table, run.store)])


def test_the_summary_says_which_orderings_hold_and_which_do_not(make_run: Any) -> None:
    values = {
        (row, f"Split {i}"): [level, level + 0.1, level + 0.2]
        for row, level in (("Basic", 30.0), ("Self-Pair", 50.0), ("Cross-Pair", 40.0))
        for i in range(1, 5)
    }
    said = said_of(make_run("2", values, unavailable=()))
    assert said[0] == "Of the cells, all 12 are done; seeds 0, 1 and 2."
    assert said[1].startswith(
        "Values are not compared with the 12 printed ones: dataset mini instead of coco-stuff-10k"
    )
    assert said[2].startswith("Of the 8 comparisons behind the paper's 2 orderings, 4 hold and 4 do not hold (95 %")
    assert said[3] == "In every column holds Self-Pair > Basic."
    assert said[4] == "The other way round in some column: Cross-Pair > Self-Pair."


def test_the_summary_counts_what_is_reproduced(make_run: Any) -> None:
    values = {("Basic", "Split 1"): [27.0, 27.01, 26.99], ("Basic", "Split 2"): [90.0, 90.01, 90.02]}
    run = make_run("2", values, dataset="coco-stuff-10k", profile="paper", test=1)
    assert said_of(run)[1] == "Of the 12 printed values, 1 is reproduced, 1 is not reproduced and 10 not run."


def test_the_summary_says_why_values_are_not_compared(make_run: Any) -> None:
    run = make_run("2", {("Basic", "Split 1"): [27.0]}, seeds=(0,), dataset="coco-stuff-10k", profile="paper", test=50)
    assert said_of(run)[1] == "Values are not compared with the 12 printed ones: scored on 1 of 50 images."
