"""The page itself: one HTML file that loads nothing, made from a description and the counts that belong to it."""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.report.claims.judge import judge
from benchmark.report.claims.tolerance import rules
from benchmark.report.html import lists, words
from benchmark.report.html.charts import MARKERS
from benchmark.report.html.content import Content
from benchmark.report.html.grids import Pictures, class_chips, defined, hexadecimal, legend
from benchmark.report.html.rows import TableView, table_view
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
UNSEALED = "0" * 64  # what stands in place of the digest of the page while that is computed
_SEAL = re.compile(r'(<meta name="sha256" content=")[0-9a-f]{64}(">)')


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
            summary=summary(views),
            views=views,
            stages=lists.stage_groups(content),
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


def seal(text: str) -> str:
    """Return a page with its own digest in it."""
    return _SEAL.sub(rf"\g<1>{digest(text)}\g<2>", text, count=1)


def digest(text: str) -> str:
    """Return the SHA-256 of a page, its place for the digest being filled with zeros."""
    return hashlib.sha256(unsealed(text).encode()).hexdigest()


def unsealed(text: str) -> str:
    """Return a page with zeros in place of its own digest."""
    return _SEAL.sub(rf"\g<1>{UNSEALED}\g<2>", text, count=1)


def sealed_with(text: str) -> str | None:
    """Return the digest that a page says it has; ``None`` where it says none."""
    found = re.search(r'<meta name="sha256" content="([0-9a-f]{64})">', text)
    return found[1] if found else None


def _title(views: Sequence[TableView]) -> str:
    names = [view.results.table.name for view in views]
    return f"{form(len(names), 'Table')} {listed(names)}"


@cache
def _file(name: str) -> str:
    return (HERE / "templates" / name).read_text(encoding="utf-8").strip()


def policy(style: str, script: str) -> str:
    """Return the content security policy: this style, this script, pictures in the page, and nothing else at all."""
    hashes = {
        name: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for name, text in (("style", style), ("script", script))
    }
    sources = "; ".join(f"{name}-src 'sha256-{value}'" for name, value in hashes.items())
    return f"default-src 'none'; {sources}; img-src data:; base-uri 'none'; form-action 'none'"


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
