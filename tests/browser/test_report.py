"""The report in a browser: tables, classes, stages, colours, keyboard, phone, no network, no script."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.metrics import Counts, iou, mean_iou, overall_miou
from benchmark.plan import Plan, PlannedCell
from benchmark.stage import closure
from benchmark.store import Store
from tests.browser.conftest import Open
from tests.browser.support import COLUMNS, ROWS, visible

CELLS = "#table-3 table.list >> nth=-1"  # every cell of Table 3
MEAN = 2  # column of the mean


def column(table: Any, index: int) -> list[str]:
    """Return the texts of one column in the rows that are shown."""
    return [
        text.strip() for text in table.locator(f"tbody tr:not([hidden]) > :nth-child({index + 1})").all_inner_texts()
    ]


def cell_of(plan: Plan, row: str, name: str) -> PlannedCell:
    return next(cell for cell in plan.of("3") if (cell.row, cell.column, cell.seed) == (row, name, 0))


def counts_of(store: Store, cell: PlannedCell) -> Counts:
    assert cell.stage
    return Counts.load(store.folder(cell.stage.key) / "counts.npz")


@pytest.mark.parametrize("phone", [False, True])
def test_it_opens_and_all_of_it_is_there(open_page: Open, phone: bool) -> None:
    page = open_page(phone=phone)
    assert page.title() == "Tables 3 and stages on mini, profile smoke"
    for section in ("table-3", "table-stages", "classes", "stages", "environment", "counts"):
        assert page.locator(f"nav a[href='#{section}']").count() == 1
        assert page.locator(f"section#{section} h2").is_visible()
    assert page.locator("#table-3 svg.chart").count() == 2
    assert page.evaluate("document.compatMode") == "CSS1Compat"


def test_headings_sort_by_keyboard(open_page: Open) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the results"
    heading = page.locator(CELLS).locator("th", has_text="Novel mIoU")
    for _ in range(100):
        page.keyboard.press("Tab")
        if heading.locator("button:focus").count():
            break
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    shown = column(page.locator(CELLS), MEAN)
    numbers = visible(text for text in shown if text != "–")
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == 23
    assert shown[-1] == "–"
    page.keyboard.press("Space")
    assert heading.get_attribute("aria-sort") == "ascending"
    ascending = column(page.locator(CELLS), MEAN)
    assert visible(ascending[:-1]) == numbers[::-1]
    assert ascending[-1] == "–"  # without a number, last either way
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") is None


def test_rows_sort_in_the_order_of_the_paper(open_page: Open) -> None:
    page = open_page()
    cells = page.locator(CELLS)
    first = column(cells, 0)
    cells.locator("th button", has_text="Novel mIoU").click()
    cells.locator("th button", has_text="Row").click()
    assert column(cells, 0) == first
    cells.locator("th button", has_text="Row").click()
    assert column(cells, 0) == first[::-1]


def test_filters_keep_rows_with_every_word_and_verdict(open_page: Open) -> None:
    page = open_page()
    table = page.locator(CELLS)
    tools = page.locator("#table-3 .tools").last
    tools.locator("input").press_sequentially("simformer* SPLIT 5")
    assert column(table, 0) == ["SimFormer*"]
    assert column(table, 1) == ["Split 5"]
    assert tools.locator("output").inner_text() == "1 of 24 rows"
    tools.locator("input").fill("")
    assert tools.locator("output").inner_text() == "24 rows"
    comparisons = page.locator("#table-3 details")
    comparisons.locator("summary").click()
    choice = comparisons.locator("select")
    for outcome in choice.locator("option").all_inner_texts()[1:]:
        choice.select_option(label=outcome)
        assert set(column(comparisons.locator("table"), 5)) == {outcome}


def test_classes_are_what_the_metrics_say(open_page: Open, report: tuple[Path, Plan, Store]) -> None:
    _, plan, store = report
    cell = cell_of(plan, "SimFormer*", "Split 5")
    counts, split = counts_of(store, cell), plan.splits["S5"]
    page = choose_classes(open_page(), "SimFormer*, Split 5")
    table = page.locator("#explorer table")
    expected = 100 * iou(counts)
    assert column(table, 0) == list(plan.dataset.classes)
    assert column(table, 4) == ["novel" if i in split.novel else "base" for i in range(len(expected))]
    assert column(table, 2) == ["–" if np.isnan(value) else f"{value:.2f}" for value in expected]
    means = {name: page.locator(f"[data-mean={name}]").inner_text() for name in ("novel", "base", "all")}
    assert means == {
        "novel": f"{mean_iou(counts, split.novel):.2f}",
        "base": f"{mean_iou(counts, split.base):.2f}",
        "all": f"{overall_miou(counts):.2f}",
    }
    widths = [float(bar.get_attribute("width").removesuffix("%")) for bar in table.locator("rect").all()]
    assert widths == pytest.approx(np.nan_to_num(expected).tolist())
    novel = page.locator("#explorer").get_attribute("data-novel")
    assert [bar.get_attribute("fill") == novel for bar in table.locator("rect").all()] == [
        i in split.novel for i in range(len(expected))
    ]


def test_two_cells_are_compared_class_by_class(open_page: Open, report: tuple[Path, Plan, Store]) -> None:
    _, plan, store = report
    page = choose_classes(open_page(), "SimFormer*, Split 4", "SimFormer, Split 4")
    first, second = (100 * iou(counts_of(store, cell_of(plan, row, "Split 4"))) for row in ("SimFormer*", "SimFormer"))
    shown = column(page.locator("#explorer table"), 4)
    assert visible(shown[:-1]) == pytest.approx((first - second)[:-1].tolist(), abs=0.006)
    assert shown[-1] == "–"  # the class that is in no image
    assert page.locator("#explorer rect").count() == 2 * len(first)


def choose_classes(page: Any, first: str, second: str = "nothing") -> Any:
    """Choose cells of Table 3 and wait until they are drawn."""
    page.locator("#classes").scroll_into_view_if_needed()
    explorer = page.locator("#explorer")
    explorer.locator("table").wait_for()
    explorer.get_by_label("Table").select_option(label="3")
    explorer.get_by_label("Cell", exact=True).select_option(label=first)
    explorer.get_by_label("Compare with").select_option(label=second)
    count = 1 if second == "nothing" else 2
    page.wait_for_function(
        "([text, count]) => { const means = document.querySelectorAll('#explorer .means');"
        " return means.length === count && means[0].textContent.startsWith(text); }",
        arg=[first, count],
    )
    return page


def test_stages_of_a_cell_are_a_graph_for_the_keyboard(open_page: Open, report: tuple[Path, Plan, Store]) -> None:
    _, plan, _ = report
    stage = cell_of(plan, "RETAB*", "Split 5").stage
    assert stage
    page = open_page()
    page.locator("#stages").scroll_into_view_if_needed()
    graph = page.locator("#graph")
    graph.locator("svg.dag").wait_for()
    assert "1 stage" in graph.locator(".dag a").first.text_content()
    graph.get_by_label("Show").select_option(label="a cell of table 3")
    graph.get_by_label("Cell", exact=True).select_option(label="RETAB*, Split 5")
    keys = graph.locator(".dag a text:nth-of-type(2)").all_text_contents()
    assert sorted(keys) == sorted(one.key[:12] for one in closure([stage]))
    assert set(graph.locator(".dag a text:nth-of-type(3)").all_text_contents()) == {"13 s"}
    node = graph.locator(".dag a", has_text=stage.key[:12])
    node.focus()
    page.keyboard.press("Enter")
    detail = graph.locator(".detail")
    assert detail.locator("h3").inner_text() == stage.name
    assert stage.key in detail.inner_text()
    assert '"test_short"' in detail.locator("pre").inner_text()


def test_a_link_to_a_stage_opens_the_list_that_it_is_in(open_page: Open, report: tuple[Path, Plan, Store]) -> None:
    _, plan, _ = report
    page = open_page()
    key = plan.stages[-1].key[:12]
    row = page.locator(f"#s-{key}")
    assert not row.is_visible()
    page.evaluate(f"location.hash = '#s-{key}'")
    row.wait_for(state="visible")


@pytest.mark.parametrize("path", ["small", "large"])
def test_a_phone_never_scrolls_sideways(open_page: Open, large: Path, path: str) -> None:
    page = open_page(large if path == "large" else None, phone=True, is_mobile=True, has_touch=True)
    for section in ("classes", "stages"):
        page.locator(f"#{section}").scroll_into_view_if_needed()
    page.locator("#explorer table").wait_for()
    page.locator(".dag").wait_for()
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    wide = page.evaluate(
        "[...document.querySelectorAll('main *')].filter((one) => !one.closest('.scroll') && !one.closest('.unseen')"
        " && one.getBoundingClientRect().right > 391).map((one) => one.outerHTML.slice(0, 120))"
    )
    assert wide == []


CONTRASTS = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const linear = (v) => v <= 10.31 ? v / 255 / 12.92 : ((v / 255 + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * linear(r) + .7152 * linear(g) + .0722 * linear(b);
  const behind = (one) => {
    for (; one; one = one.parentElement) {
      const colour = rgb(getComputedStyle(one).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return rgb(getComputedStyle(document.documentElement).backgroundColor);
  };
  const found = {};
  for (const one of document.querySelectorAll('body *')) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !one.checkVisibility() || one.closest('title, script, style')) continue;
    const style = getComputedStyle(one);
    const [a, b] = [light(rgb(one.closest('svg') ? style.fill : style.color)), light(behind(one))];
    const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    const name = `${one.tagName}.${one.getAttribute('class') ?? ''}`;
    found[name] = Math.min(found[name] ?? 99, contrast);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_is_readable_in_both_schemes(open_page: Open, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    for section in ("classes", "stages"):
        page.locator(f"#{section}").scroll_into_view_if_needed()
    page.locator("#explorer table").wait_for()
    page.locator(".dag").wait_for()
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 20
    assert {name: value for name, value in contrasts.items() if value < 4.5} == {}  # WCAG AA


def test_the_scheme_can_be_changed_and_is_forgotten(open_page: Open) -> None:
    page = open_page(color_scheme="light")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    button = page.get_by_role("button", name="Use dark colours")
    button.focus()
    page.keyboard.press("Enter")
    dark = page.evaluate(background)
    assert dark != light
    assert page.get_by_role("button", name="Use light colours").is_visible()
    page.reload()
    assert page.evaluate(background) == light
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(background) == dark


def test_without_a_script_tables_and_plots_are_there(open_page: Open) -> None:
    page = open_page(java_script_enabled=False)
    assert page.locator(CELLS).locator("tbody tr").count() == 24
    assert page.locator("#table-3 svg.chart").first.is_visible()
    assert page.locator("button, input, select").count() == 0
    assert page.get_by_text("This part needs JavaScript").is_visible()


def test_still_and_on_paper(open_page: Open) -> None:
    page = open_page(reduced_motion="reduce")
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert not page.locator(".tools").first.is_visible()
    assert page.locator("table.matrix").first.is_visible()


def test_a_thousand_cells_sort_and_filter(open_page: Open, large: Path) -> None:
    page = open_page(large)
    table = page.locator("#table-large table.list")
    tools = page.locator("#table-large .tools")
    assert tools.locator("output").inner_text() == f"first 200 of {ROWS * COLUMNS} rows"
    table.locator("th button", has_text="Novel mIoU").click()
    shown = visible(column(table, MEAN))
    assert len(shown) == 200
    assert shown == sorted(shown, reverse=True)
    tools.get_by_role("button", name="Show all").click()
    everything = visible(column(table, MEAN))
    assert len(everything) == ROWS * COLUMNS
    assert everything[:200] == shown
    tools.locator("input").fill("METHOD-39 s9")
    assert tools.locator("output").inner_text() == f"2 of {ROWS * COLUMNS} rows"
