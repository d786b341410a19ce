"""A page of other code: in other words it says the same, and where it says anything else it is found out."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape

from benchmark.hidden_pixels import RULE
from benchmark.report.html import made
from benchmark.report.html.comparing import Wording, reworded, unlike
from benchmark.report.html.reading import read_page
from benchmark.report.html.scripts import SCRIPTS, STYLES, known_as

Compare = Callable[[str], Wording]


@pytest.fixture
def run(make_run: Any) -> Any:
    """A run with verdicts, times of stages and what was interrupted."""
    values = {
        (row, f"Split {i}"): [level + i, level + 2 * i, level - 0.37 * i]
        for row, level in (("Basic", 22.0), ("Self-Pair", 27.5), ("Cross-Pair", 38.0))
        for i in (1, 2, 3)
    }
    run = make_run(
        "2",
        values | {("Basic", "Split 4"): [41.3, 42.9, None]},
        dataset="coco-stuff-10k",
        profile="paper",
        test=1,
        unavailable=(),
    )
    attempts = [
        {"number": 1, "state": "interrupted", "started": 5.0, "finished": 9.0},
        {"number": 2, "state": "done", "started": 10.0, "finished": 20.0},
    ]
    for row, seconds in (("Basic", 11105.0), ("Cross-Pair", 51.3)):
        path = run.store.folder(run.stage(row, "Split 1").key) / "result.json"
        result = json.loads(path.read_text())
        path.write_text(json.dumps(result | {"wall_seconds": seconds, "attempts": attempts}))
    return run


@pytest.fixture
def due(run: Any) -> str:
    """Its page."""
    return made(run.plan, run.store)


@pytest.fixture
def compare(due: str, tmp_path: Path) -> Compare:
    """Return a function that compares a page with what it should be."""
    path = tmp_path / "due.html"
    path.write_text(due)
    content = read_page(path).content
    return lambda shown: reworded(shown, due, content)


def check(compare: Compare, due: str, forgeries: Mapping[str, str]) -> None:
    """Check that a page is found out with any of some texts replaced."""
    for old, new in forgeries.items():
        assert due.count(old), old
        assert compare(due.replace(old, new, 1)).faults, f"{old!r} -> {new!r}"


def test_the_same_page_is_the_same(due: str, compare: Compare) -> None:
    assert compare(due) == Wording((), ())
    assert list(unlike(due, due)) == []


def test_a_page_of_before_the_rule_on_hidden_pixels_adds_up(due: str, compare: Compare) -> None:
    sentence = f" {escape(RULE)}"
    assert sentence in due
    faults, remarks = compare(due.replace(sentence, "", 1))
    assert faults == ()
    assert any("No training behind a row" in remark for remark in remarks)


def test_a_number_that_does_not_follow(due: str, compare: Compare) -> None:
    forgeries = {
        "<b>22.9</b>": "<b>23.9</b>",
        " ± 1.2</small>": " ± 1.3</small>",
        "</span>27.0</span>": "</span>22.9</span>",
        ">22.88</td>": ">22.89</td>",
        ">1.19</td>": ">0.19</td>",
        ">21.61 to 24.14<": ">21.61 to 24.15<",
        ">−4.12</td>": ">+4.12</td>",
        ">3 of 3</td>": ">3 of 4</td>",
        ">23.00 24.00 21.63</td>": ">24.00 23.00 21.63</td>",
        ">60.00</td>": ">60</td><td>60.00</td>",
        "13 would": "3 would",
        "Of the cells, 9 of 12": "Of the cells, 10 of 12",
        "1.42 = 0.05": "1.43 = 0.05",
        "from 72 stages": "from 27 stages",
        "6 hold and 2 cannot": "2 hold and 6 cannot",
        "Basic, Split 1: 22.88": "Basic, Split 1: 22.98",
        ">3 h 05 min</td>": ">3 h 06 min</td>",
        ">51 s</td>": ">51 min</td>",
        ">2 (1 interrupted)</td>": ">2 (2 interrupted)</td>",
        "36 stages (36 missing), 0.0 s": "36 stages (36 missing), 0.1 s",
        "171 classes, 600 training": "171 classes, 60 training",
        "29 evaluations</span>": "92 evaluations</span>",
    }
    check(compare, due, forgeries)


def test_what_is_no_number_and_follows_too(due: str, compare: Compare) -> None:
    forgeries = {
        '<span class="badge none">cannot be judged</span>': '<span class="badge good">holds</span>',
        ", rank only</span>": ", reproduced</span>",
        ">≈</span>": ">✓</span>",
        "6 hold and 2 cannot be judged": "6 are undecided and 2 hold",
        "1 partial, 2 not run": "1 not run, 2 partial",
        "<i>not run</i>": "<i>failed</i>",
        '<th scope="row">Basic</th>': '<th scope="row">Cross-Pair</th>',
        ">Self-Pair</th>": ">Ours</th>",
        "<b>Cross-Pair &gt; Self-Pair</b>": "<b>Self-Pair &gt; Cross-Pair</b>",
        ">Split 1</th>": ">Split 2</th>",
        ">missing</td>": ">done</td>",
        "36 missing": "36 failed",
        "<dd>cpu</dd>": "<dd>cuda: H200</dd>",
        "version 0.1.0": "version 0.1.1",
        ">training</th>": ">oracle training</th>",
        "preset</dt><dd>paper": "preset</dt><dd>official",
    }
    check(compare, due, forgeries)
    digit = re.search(r"<code>[0-9a-f]{63}([0-9])</code>", due)
    assert digit
    at = digit.start(1)
    assert compare(f"{due[:at]}{'7' if digit[1] != '7' else '8'}{due[at + 1 :]}").faults


def test_rows_and_numbers_that_change_places(due: str, compare: Compare) -> None:
    row = re.compile(r'<tr><th scope="row">[^<]*</th>\n<td data-at.*?</tr>\n', re.DOTALL)
    first, second, third = row.findall(due)
    assert compare(due.replace(first + second, second + first)).faults
    assert compare(due.replace(third, "")).faults
    assert compare(due.replace(third, third + third)).faults
    cells = [re.findall(r"<td.*?</td>\n", one, re.DOTALL) for one in (first, second)]
    assert compare(due.replace(cells[0][0], "").replace(cells[1][0], cells[0][0] + cells[1][0])).faults
    assert compare(due.replace(cells[0][0], f"<td></td>{cells[0][0]}")).faults
    assert compare(due.replace(cells[0][0], "")).faults
    swapped = due.replace(first, first.replace(cells[0][0], cells[1][0]))
    assert compare(swapped.replace(second, second.replace(cells[1][0], cells[0][0]))).faults


def test_what_is_said_beside_what_follows(due: str, compare: Compare) -> None:
    check(
        compare,
        due,
        {
            "</main>": "<p>Everything was reproduced.</p></main>",
            "</section>": '<div id="more">mIoU 99.9</div></section>',
            "This part needs JavaScript": "<table><tr><td>tree<td>99.9</table>",
            "<main": "<!--> 99.9 <!-- --><main",
            "</h1>": "</h1><?99.9>",
            "</figure>": "<svg><![CDATA[99.9]]></svg></figure>",
            "</nav>": '</nav><input value="99.9">',
            "</header>": '</header><ol start="99"><li></ol>',
            '<nav aria-label="Contents">': '<nav aria-label="mIoU 99.9">',
            "<b>22.9</b>": "<b>9</b><b>22.9</b>",
            "</h2>": '</h2><text class="y">99.9</text>',
            "<h3>": '</svg><svg><text class="y">99.9</text></svg><h3>',
            '<text class="y" x="26.0" y="220.0">0': '<text class="y" x="26.0" y="220.0">0<!-- -->9',
            "</ul>": '</ul><input name="sha256" value="99.9">',
        },
    )


def test_what_a_browser_could_show_otherwise(due: str, compare: Compare) -> None:
    check(
        compare,
        due,
        {
            "</style>": "td.n::after { content: '9' }</style>",
            "addThemeButton();": "document.querySelector('td').textContent = '99.9';",
            "</body>": "<script>alert(1)</script></body>",
            "</head>": "<style>td { color: red }</style></head>",
            "default-src &#39;none&#39;": "default-src *",
            '<meta charset="utf-8">': '<meta charset="utf-8"><script src="x.js"></script>',
            '<meta http-equiv="Content-Security-Policy"': '<meta name="x"',
            "<body>": '<body><meta http-equiv="refresh" content="0;url=x.html">',
            "<b>22.9</b>": '<bdo dir="rtl">22.9</bdo>',
            ">22.88</td>": ' dir="rtl">22.88</td>',
            "Split 1: 22.88 ": "Split 1: \u202e22.88 ",
            '<th scope="row">Basic': '<th scope="row" colspan="2">Basic',
        },
    )


def test_what_columns_are_sorted_by(due: str, compare: Compare) -> None:
    check(compare, due, {'data-v="22.876667"': 'data-v="52.876667"', 'data-v="11105.000000"': 'data-v="many"'})


def test_drawings(due: str, compare: Compare) -> None:
    assert "<svg" in due
    bar = re.search(r'<rect class="bar" x="([\d.]+)" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"/>', due)
    spread = re.search(r'<path class="spread" d="M[\d.]+ ([\d.]+)V([\d.]+)"/>', due)
    assert bar
    assert spread
    check(
        compare,
        due,
        {
            bar.group(): bar.group().replace(f'y="{bar[2]}"', 'y="30"'),
            f'height="{bar[3]}"': 'height="3"',
            f'x="{bar[1]}"': 'x="300"',
            spread.group(): spread.group().replace(spread[1], "30"),
            'class="seed"': 'class="dot"',
            '<g class="s0">': '<g class="s1">',
            ">20</text>": ">30</text>",
            "</svg>": '<image href="data:image/png;base64,AAAA"/></svg>',
            '<g class="s1">': '<g class="s1" transform="translate(0 -40)">',
            "</figure>": '<svg viewBox="0 0 9 9"><path d="M1 1V9"/></svg></figure>',
            "</h1>": '</h1><img src="data:image/png;base64,AAAA">',
            'class="swatch s0"': 'class="swatch s1"',
        },
    )


def test_the_number_of_faults_is_that_of_the_forgeries(due: str, compare: Compare) -> None:
    (fault,) = compare(due.replace(">22.88</td>", ">32.88</td>", 1)).faults
    assert fault == "table 2, Basic, Split 1: mean: shows '32.88', what follows from the counts is '22.88'"


def test_other_words_for_the_same(due: str, compare: Compare) -> None:
    """Replaced throughout: what is said in the remarks."""
    ways = {
        "Skip to the results": "Jump to what was found",
        "Of the cells, 9 of 12 are done": "9 of 12 cells are finished",
        ">3 h 05 min<": ">3:05:05<",
        ">51 s<": ">0.9 minutes<",
        ">22.88<": ">22.877<",
        "<b>22.9</b>": "<b>22.88</b>",
        ">21.61 to 24.14<": ">[21.6, 24.1]<",
        "from 72 stages": "from 72 stage(s)",
        '<h2 id="classes-title">Classes</h2>': '<h2 id="classes-title">Every class</h2>',
        ">Attempts</th>": ">Tries</th>",
        "<p>This part needs JavaScript: it reads": "<p>Without JavaScript there is nothing here.</p><p>It reads",
        "Paper: supplementary": "Printed in: supplementary",
        ">–<": ">none<",
        "6 hold and 2 cannot be judged": "6 of them holds, 2 cannot be judged yet",
    }
    for old, new in ways.items():
        assert old in due, old
        found = compare(due.replace(old, new))
        assert found.faults == (), new
        (remark,) = (one for one in found.remarks if one.startswith("worded differently"))
        assert "says '" in remark or 'says "' in remark


def test_each_way_of_wording_is_told_once(due: str, compare: Compare) -> None:
    shown = due.replace("Skip to the results", "Jump to what was found").replace(" ± ", " ∓ ")
    first, second = compare(shown).remarks
    assert first == "worded differently in page: says 'Jump to what was found', this code 'Skip to the results'"
    assert second.startswith("worded differently in 21 places, one is table 2, caption: says '")


def test_every_style_and_script_that_is_written_is_known(due: str) -> None:
    """Add the digest of a new one, and leave the others: pages that have them must verify for good."""
    for tag, known in (("style", STYLES), ("script", SCRIPTS)):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", due, re.DOTALL)
        assert known_as(text) in known


def test_a_page_of_the_same_code_is_that_to_the_last_character(due: str) -> None:
    assert list(unlike(due.replace(">22.88</td>", ">22.89</td>", 1), due)) == [
        "table 2, Basic, Split 1: mean: shows '22.89', what follows from the counts is '22.88'"
    ]
    for old, new in {"<td class": "<td  class", "</main>": "</main >", "</html>": "</html>\n"}.items():
        assert list(unlike(due.replace(old, new, 1), due)), new
    assert list(unlike(due.replace("<td class", "<td  class", 1), due)) == [
        "the file: is written otherwise than this code writes it"
    ]
