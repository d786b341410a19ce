"""A real browser without a network; without one tests are skipped, or fail on ``BENCHMARK_TEST_BROWSER=require``."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from benchmark.plan import Plan
from benchmark.store import Store
from tests.browser.support import large_report, small_report

NAMES = ("chromium", "chromium-browser", "google-chrome")
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}

Open = Callable[..., Any]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A Chromium of this machine: ``BENCHMARK_CHROMIUM``, or the first of ``NAMES`` on the path."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _without("the package playwright is not installed (extra dev)")
    path = os.environ.get("BENCHMARK_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        _without(f"no browser: none of {', '.join(NAMES)} is on the path, and BENCHMARK_CHROMIUM names none")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path)
        yield started
        started.close()


def _without(reason: str) -> NoReturn:
    if os.environ.get("BENCHMARK_TEST_BROWSER") == "require":
        pytest.fail(f"BENCHMARK_TEST_BROWSER=require, but {reason}")
    pytest.skip(f"{reason}; BENCHMARK_TEST_BROWSER=require makes that a failure")


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
