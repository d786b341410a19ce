"""The page itself: one HTML file that loads nothing, made from a description and the counts that belong to it."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.hidden_pixels import RULE
from benchmark.report.claims.judge import judge
from benchmark.report.claims.tolerance import rules
from benchmark.report.html import lists, words
from benchmark.report.html.charts import MARKERS
from benchmark.report.html.content import Content
from benchmark.report.html.grids import Pictures, class_chips, defined, hexadecimal, legend
from benchmark.report.html.rows import TableView, table_view
from benchmark.report.html.sealing import policy, seal
from benchmark.report.html.summary import summary
from benchmark.report.plots import theme
from benchmark.report.plots.palette import BASE, NO_LABEL, NOVEL
from benchmark.report.wording import run_words
from benchmark.wording import form, listed, plural

if TYPE_CHECKING:
    from jinja2 import Environment

    from benchmark.plan import Plan
    from benchmark.report.html.blocks import Block
    from benchmark.store import Store

HERE = Path(__file__).parent


def render(
    content: Content, plan: "Plan", store: "Store", pictures: Pictures, description: str, blocks: Iterable["Block"]
) -> str:
    """Return the page, sealed.

    Args:
        content: the description.
        plan, store: restored from what travels inside the page.
        pictures: SHA-256 of a PNG file -> the file in base64; those that are missing are left out.
        description: name of the block of the description.
        blocks: all blocks, which follow the text.
    """
    views = table_views(plan, store)
    sizes, outlines = defined(content.grids)
    style, script = _file("style.css"), _file("script.js")
    return seal(
        _environment()
        .get_template("page.html")
        .render(
            content=content,
            description=description,
            title=_title(views),
            run=run_words(views[0].results),
            summary=summary([view.judgement for view in views]),
            views=views,
            stages=lists.stage_groups(content),
            rule=RULE,
            counts=lists.counts_rows(content),
            shared=lists.shared_blocks(content),
            environment=lists.environment(content),
            identity=lists.identity(content),
            settings=lists.settings(content),
            pictures=pictures,
            sizes=sizes,
            outlines=outlines,
            legends={grid: legend([grid], len(content.dataset.classes)) for grid in content.grids},
            chips=class_chips(len(content.dataset.classes)) if content.grids else [],
            style=style,
            script=script,
            policy=policy(style, script),
            confidence=f"{100 * rules().confidence:g} %",
            blocks=blocks,
        )
    )


def table_views(plan: "Plan", store: "Store") -> list[TableView]:
    """Return what there is to show of every table of which any cell was selected."""
    return [table_view(judge(plan, table, store)) for table in plan.tables if plan.of(table.name)]


def _title(views: Sequence[TableView]) -> str:
    names = [view.results.table.name for view in views]
    return f"{form(len(names), 'Table')} {listed(names)}"


@cache
def _file(name: str) -> str:
    return (HERE / "templates" / name).read_text(encoding="utf-8").strip()


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: Mapping[str, Any] = {
        "fixed": words.fixed,
        "signed": words.signed,
        "exact": words.exact,
        "span": words.span,
        "plural": plural,
        "stages_words": lists.stages_words,
        "tone": words.tone,
        "mark": words.mark,
        "raw": Markup,
    }
    made.filters.update(filters)
    made.globals.update(
        markers=MARKERS,
        colours=len(theme.COLOURS),
        base=hexadecimal(BASE),
        novel=hexadecimal(NOVEL),
        no_label=hexadecimal(NO_LABEL),
        short=lists.SHORT,
    )
    return made
