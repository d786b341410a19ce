"""The four forms of a table."""

import csv
import io
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.report.tables import HEADER, as_csv, as_latex, as_markdown, as_text
from benchmark.tables import Column, Plot, Row, Table

MakeRun = Callable[..., Any]

PAGE = r"""\documentclass{article}
\usepackage{booktabs}
\usepackage{xcolor}
\begin{document}
%s
\end{document}
"""


@pytest.fixture
def partly_run(make_run: MakeRun) -> Any:
    return make_run(
        "3",
        {
            ("SimFormer", "Split 4"): [50.0, 51.0, 52.0],
            ("SimFormer", "Split 5"): [50.0, None, None],
            ("FullyOracle", "Split 4"): [60.04, 60.0, 60.0],
        },
    ).sheet


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_one_line_a_cell_under_the_header(partly_run: Any) -> None:
    text = as_csv(partly_run)
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
    lines = {(line["row"], line["column"]): line for line in read(as_csv(partly_run))}
    assert (lines["SimFormer", "Split 5"]["sd"], lines["SimFormer", "Split 5"]["status"]) == ("", "partial")
    for place, status in ((("SimFormer*", "Split 4"), "not run"), (("RETAB*", "Split 4"), "not available yet")):
        line = lines[place]
        assert (line["novel_miou"], line["sd"], line["base_miou"], line["miou"], line["delta"]) == ("",) * 5
        assert (line["n_seeds"], line["status"]) == ("0", status)


def test_csv_has_the_difference(make_run: MakeRun) -> None:
    values = {("Basic", "Split 1"): [30.0, 31.0, 32.0]}
    same = make_run("2", values, dataset="coco-stuff-10k", profile="paper").sheet
    assert read(as_csv(same))[0]["delta"] == "4.0000"


def test_text_says_why_a_number_is_missing(partly_run: Any) -> None:
    lines = as_text(partly_run).splitlines()
    cells = {line.split()[0]: line for line in lines if line.startswith(("RETAB", "SimFormer", "FullyOracle"))}
    assert cells["RETAB*"].split(maxsplit=1)[1] == "not available yet"
    assert cells["SimFormer"].split(maxsplit=1)[1].startswith("51.0 ± 1.0  50.0 (1 of 3 seeds)")
    assert cells["SimFormer"].endswith("not run")
    assert cells["FullyOracle"].split(maxsplit=1)[1].startswith("60.0 ± 0.0 ")
    assert lines[5] == "RETAB*       not available yet"
    assert lines[6].split() == ["paper", "25.6", "23.0", "22.5", "21.5", "19.9", "19.8"]


def test_text_columns_are_aligned_and_plain(partly_run: Any) -> None:
    text = as_text(partly_run)
    head = next(line for line in text.splitlines() if line.lstrip().startswith("Split 4"))
    ours = next(line for line in text.splitlines() if line.startswith("SimFormer "))
    assert head.index("Split 4") + len("Split 4") == ours.index("51.0 ± 1.0") + len("51.0 ± 1.0")
    assert "\x1b" not in text


def test_caption_names_data_profile_and_seeds_and_warns(partly_run: Any, make_run: MakeRun) -> None:
    for text in (as_text(partly_run), as_markdown(partly_run), as_latex(partly_run)):
        assert "mini, seeds 0, 1, 2" in text
        assert "sample standard deviation" in text
        assert "supplementary Table 3, COCO-Stuff-10K; not comparable with this run (dataset mini" in text
    same = make_run("2", {}, seeds=(3,), dataset="coco-stuff-10k", profile="paper").sheet
    assert "coco-stuff-10k, profile paper, seed 3; mean in %" in as_text(same)
    assert "not comparable" not in as_text(same)


def test_text_ends_with_the_orderings(partly_run: Any) -> None:
    _, orderings = as_text(partly_run).split("Orderings of the paper", maxsplit=1)
    assert "FullyOracle > SimFormer*: cannot be judged" in orderings


def test_markdown_shows_the_printed_value_in_parentheses(partly_run: Any) -> None:
    lines = as_markdown(partly_run).splitlines()
    assert lines[0] == "|  | Split 4 | Split 5 | Split 6 | Split 7 | Split 8 | Split 9 |"
    assert lines[2].startswith(r"| RETAB\* | not available yet (25.6) |")
    assert lines[3].startswith("| SimFormer | 51.0 ± 1.0 (29.5) | 50.0 (1 of 3 seeds) (27.1) | not run (26.3) |")
    assert lines[4].startswith(r"| SimFormer\* | not run (31.7) |")


def own_table() -> Table:
    return Table(
        name="x/y",
        title=r"100 % of A & B, #1 <b> {c} ~ ^ \end",
        columns=(Column(label="S_1|a", split="S1"),),
        rows=(Row(label="50 $ & more_", method="simformer"),),
        plot=Plot(kind="grouped_bars"),
    )


def test_a_table_without_printed_values_mentions_no_paper(make_run: MakeRun) -> None:
    sheet = make_run(own_table(), {("50 $ & more_", "S_1|a"): [50.0]}, seeds=(0,)).sheet
    for text in (as_text(sheet), as_markdown(sheet), as_latex(sheet)):
        assert "aper" not in text
        assert "50.0" in text
    assert r"S\_1\|a" in as_markdown(sheet)
    assert read(as_csv(sheet))[0]["paper"] == ""


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
    sheet = make_run("course", values, seeds=(0, 1)).sheet
    expected = "Reported is 6/6, whatever the others have. Best on the images scored, and reported nowhere: "
    assert f"{expected}Basic 4/6 (+1.50), SimFormer 6/6.\n" in as_text(sheet)
    assert f"{expected}Basic 4/6 (+1.50), SimFormer 6/6." in as_latex(sheet)
    nothing = as_text(make_run("course", {}, seeds=(7,)).sheet)
    assert "Reported is 6/6, whatever the others have.\n" in nothing
    assert "Reported" not in as_text(make_run("2", {}).sheet)


def test_latex_compiles(partly_run: Any, make_run: MakeRun, tmp_path: Path) -> None:
    if not shutil.which("pdflatex"):
        pytest.skip("pdflatex is not installed")
    own = make_run(own_table(), {}, seeds=(0,)).sheet
    page = tmp_path / "page.tex"
    page.write_text(PAGE % "\n".join(as_latex(sheet) for sheet in (partly_run, own)), encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", page.name],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    assert (tmp_path / "page.pdf").stat().st_size > 10_000


def test_latex_spans_a_row_that_is_not_available(partly_run: Any) -> None:
    text = as_latex(partly_run)
    assert r"RETAB* & \multicolumn{6}{c}{\emph{not available yet}} \\" in text
    assert r"51.0 $\pm$ 1.0 & 50.0 (1 of 3 seeds) & \emph{not run}" in text
    assert r"\color{gray}29.5}" in text
