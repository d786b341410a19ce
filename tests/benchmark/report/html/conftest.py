"""A small report: Table 2 over three seeds, with a hole."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.report.html import made
from benchmark.report.html.sealing import seal

MakeRun = Callable[..., Any]
BLOCKS = re.compile(r'<script type="application/octet-stream".*?</script>\n', re.DOTALL)


@pytest.fixture
def run(make_run: MakeRun) -> Any:
    """A run of Table 2: two rows finished, in one column only two of three seeds, and a row not run."""
    values: dict[tuple[str, str], list[float | None]] = {
        (row, f"Split {i}"): [level + i, level + 2 * i, level - 0.37 * i]
        for row, level in (("Basic", 40.0), ("Cross-Pair", 44.0))
        for i in (1, 2, 3)
    }
    return make_run("2", values | {("Basic", "Split 4"): [41.3, 42.9, None]}, unavailable=())


@pytest.fixture
def page(run: Any) -> str:
    """The text of its report."""
    return made(run.plan, run.store)


@pytest.fixture
def forge(page: str, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the report with something replaced, sealed anew as a forger would."""

    def write(old: str = "", new: str = "", *, sealed: bool = True) -> Path:
        assert old in page
        path = tmp_path / "forged.html"
        text = page.replace(old, new, 1) if old else page
        path.write_text(seal(text) if sealed else text)
        return path

    return write
