"""A real browser without a network; ``tests.needs`` skips these tests where there is none."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmark.plan import Plan
from benchmark.store import Store
from tests.browser.support import large_report, small_report
from tests.needs import browser_path

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}

Open = Callable[..., Any]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A Chromium of this machine."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=browser_path())
        yield started
        started.close()


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Plan, Store]:
    """A small report, its plan and its store."""
    return small_report(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with 1,000 cells."""
    return large_report(tmp_path_factory.mktemp("large"))


@pytest.fixture
def open_page(browser: Any, report: tuple[Path, Plan, Store]) -> Iterator[Open]:
    """Return a function that opens the small report, or another file, without a network.

    When the test ends, whatever the browser complained of, and every request but the one for the file, is a failure.
    """
    contexts, complaints = [], []

    def opened(path: Path | None = None, *, phone: bool = False, **options: Any) -> Any:
        context = browser.new_context(offline=True, viewport=PHONE if phone else DESK, **options)
        contexts.append(context)
        page = context.new_page()
        uri = (path or report[0]).as_uri()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.extend([request.url] if request.url != uri else []))
        page.goto(uri)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [one for one in complaints if not one.startswith("data:image/png")] == []
