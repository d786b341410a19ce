"""The forms of a table: text, Markdown, CSV and HTML."""

import csv
import io
from collections.abc import Callable
from typing import Any

from benchmark.report.tables import HEADER, render
from benchmark.report.wording import csv_text
from benchmark.tables import Table
from tests.benchmark.report.tables.conftest import interval

MakeRun = Callable[..., Any]


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_one_line_a_cell_under_the_header(partly_run: Any) -> None:
    text = render(partly_run, "csv")
    assert text.splitlines()[0] == "row,column,novel_miou,sd,n_seeds,base_miou,miou,paper,delta,status"
    lines = read(text)
    assert len(lines) == 4 * 6
    assert [line["column"] for line in lines[:6]] == [f"Split {i}" for i in range(4, 10)]
    assert [line["row"] for line in lines[::6]] == ["RETAB*", "SimFormer", "SimFormer*", "FullyOracle"]
    assert lines[6] == dict(
        zip(
            HEADER,
            ["SimFormer", "Split 4", "51.0000", "1.0000", "3", "60.0000", "57.7500", "29.5", "21.5000", "done"],
            strict=True,
        )
    )


def test_csv_leaves_fields_without_a_number_empty(partly_run: Any) -> None:
    lines = {(line["row"], line["column"]): line for line in read(render(partly_run, "csv"))}
    assert (lines["SimFormer", "Split 5"]["sd"], lines["SimFormer", "Split 5"]["status"]) == ("", "partial")
    for place, status in ((("SimFormer*", "Split 4"), "not run"), (("RETAB*", "Split 4"), "not available yet")):
        line = lines[place]
        assert (line["novel_miou"], line["sd"], line["base_miou"], line["miou"], line["delta"]) == ("",) * 5
        assert (line["n_seeds"], line["status"]) == ("0", status)


def test_csv_has_the_difference(make_run: MakeRun) -> None:
    values = {("Basic", "Split 1"): [30.0, 31.0, 32.0]}
    same = make_run("2", values, dataset="coco-stuff-10k", profile="paper").results
    assert read(render(same, "csv"))[0]["delta"] == "4.0000"


def test_text_says_why_a_number_is_missing(partly_run: Any) -> None:
    lines = render(partly_run, "text").splitlines()
    cells = {line.split()[0]: line for line in lines if line.startswith(("RETAB", "SimFormer", "FullyOracle"))}
    assert cells["RETAB*"].split(maxsplit=1)[1] == "not available yet"
    assert cells["SimFormer"].split(maxsplit=1)[1].startswith("51.0 ± 1.0  50.0 (1 of 3 seeds)")
    assert cells["SimFormer"].endswith("not run")
    assert cells["FullyOracle"].split(maxsplit=1)[1].startswith("60.0 ± 0.0 ")
    assert lines[5] == "RETAB*       not available yet"
    assert lines[6].split() == ["paper", "25.6", "23.0", "22.5", "21.5", "19.9", "19.8"]


def test_text_columns_are_aligned_and_plain(partly_run: Any) -> None:
    text = render(partly_run, "text")
    head = next(line for line in text.splitlines() if line.lstrip().startswith("Split 4"))
    ours = next(line for line in text.splitlines() if line.startswith("SimFormer "))
    assert head.index("Split 4") + len("Split 4") == ours.index("51.0 ± 1.0") + len("51.0 ± 1.0")
    assert "\x1b" not in text


def test_caption_names_data_profile_and_seeds_and_warns(partly_run: Any, make_run: MakeRun) -> None:
    for text in (render(partly_run, "text"), render(partly_run, "markdown"), render(partly_run, "latex")):
        assert "mini, seeds 0, 1, 2" in text
        assert "supplementary Table 3, COCO-Stuff-10K; not comparable with this run (dataset mini" in text
    assert "mean ± sample standard deviation in %" in render(partly_run, "text")
    same = make_run("2", {}, seeds=(3,), dataset="coco-stuff-10k", profile="paper").results
    assert "coco-stuff-10k, profile paper, seed 3; mean in %" in render(same, "text")
    assert "not comparable" not in render(same, "text")


def test_text_ends_with_the_orderings(partly_run: Any) -> None:
    _, orderings = render(partly_run, "text").split("Orderings of the paper", maxsplit=1)
    assert "FullyOracle > SimFormer*: cannot be judged" in orderings


def test_markdown_shows_the_printed_value_in_parentheses(partly_run: Any) -> None:
    lines = render(partly_run, "markdown").splitlines()
    assert lines[0] == "|  | Split 4 | Split 5 | Split 6 | Split 7 | Split 8 | Split 9 |"
    assert lines[2].startswith(r"| RETAB\* | not available yet (25.6) |")
    assert lines[3].startswith("| SimFormer | 51.0 ± 1.0 (29.5) | 50.0 (1 of 3 seeds) (27.1) | not run (26.3) |")
    assert lines[-1].endswith("Printed values in parentheses.")
    assert lines[4].startswith(r"| SimFormer\* | not run (31.7) |")


def test_a_table_without_printed_values_mentions_no_paper(make_run: MakeRun, own_table: Table) -> None:
    results = make_run(own_table, {("50 $ & more_", "S_1|a"): [50.0]}, seeds=(0,)).results
    for text in (render(results, "text"), render(results, "markdown"), render(results, "latex")):
        assert "aper" not in text
        assert "50.0" in text
    assert r"S\_1\|a" in render(results, "markdown")
    assert read(render(results, "csv"))[0]["paper"] == ""


def test_the_caption_of_a_course_says_which_column_is_reported_and_which_would_have_had_most(make_run: MakeRun) -> None:
    shares = [f"{k}/6" for k in range(1, 7)]
    means = {
        "Basic": [10.0, 20.0, 30.0, 52.0, 50.0, 50.5],
        "SimFormer": [10.0, 20.0, 30.0, 40.0, 50.0, 50.0],  # as good as the reported one is no better
        "SimFormer*": [10.0, 20.0, 30.0, 40.0, 50.0],  # the last is missing
    }
    values = {
        (row, share): [mean] * 2 for row, found in means.items() for share, mean in zip(shares, found, strict=False)
    }
    results = make_run("learning-curve", values, seeds=(0, 1)).results
    expected = "Reported is 6/6, whatever the others have. Best on the images scored, and reported nowhere: "
    assert f"{expected}Basic 4/6 (+1.50), SimFormer 6/6.\n" in render(results, "text")
    assert f"{expected}Basic 4/6 (+1.50), SimFormer 6/6." in render(results, "latex")
    nothing = render(make_run("learning-curve", {}, seeds=(7,)).results, "text")
    assert "Reported is 6/6, whatever the others have.\n" in nothing
    assert "Reported" not in render(make_run("2", {}).results, "text")


def test_markdown_marks_the_best_of_each_column(make_run: MakeRun) -> None:
    values = {("Basic", "Split 1"): [50.0], ("Cross-Pair", "Split 1"): [51.0], ("Basic", "Split 2"): [50.0]}
    text = render(make_run("2", values, seeds=(0,)).results, "markdown")
    assert "| Cross-Pair | **51.0** (31.1) |" in text
    assert text.count("**") == 2  # nobody competes on Split 2
    assert "Bold: the best of each column. Printed" in text


def test_html_loads_nothing_and_heads_the_parts_of_each_column(partly_run: Any) -> None:
    text = render(partly_run, "html")
    assert text.startswith("<!doctype html>")
    assert "http" not in text
    assert "<script" not in text
    assert text.count('<th scope="colgroup" colspan="2">') == 6
    assert text.count('<th scope="col" class="paper">paper</th>') == 6
    assert f'<td class="first">51.0<span class="note">{interval(partly_run, "SimFormer", "Split 4")}</span>' in text
    assert "[ ]: 95 % interval of the mean over seeds." in text
    assert '<td class="first"><em>not run</em>' in text


def test_html_escapes_what_a_table_is_called(make_run: MakeRun, own_table: Table) -> None:
    text = render(make_run(own_table, {}, seeds=(0,)).results, "html")
    assert "&lt;b&gt;" in text
    assert "<b>" not in text


def test_texts_in_csv_are_no_formulas_and_numbers_stay() -> None:
    lines = csv_text([("=1+2", "@x", "+a", "-b", "\tx", "-0.5", "+3", "-1e3", -0.5, "a=b", "--")])
    assert lines == "'=1+2,'@x,'+a,'-b,'\tx,-0.5,+3,-1e3,-0.5,a=b,'--\n"
