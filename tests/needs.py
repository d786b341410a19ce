"""Tests of what nobody must have: they carry the marker ``needs(name)`` and run where that is there.

``pytest -m needs`` runs these alone. ``BENCHMARK_TEST_NAME``, the name in capitals, set to ``require`` makes absence a
failure; ``never`` skips them in any case. Every other test runs everywhere: one that is skipped without this marker or
``skipif`` fails.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Generator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest

SHARED = Path(os.environ.get("BENCHMARK_SHARED", Path(__file__).resolve().parents[2] / "shared"))
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SLURM = ("sbatch", "slurmctld", "slurmd", "munged", "slurmdbd", "mariadbd")
STYLES = ("booktabs.sty", "xcolor.sty")
FIXTURES = {"browser": "browser", "lab": "slurm", "shared": "photographs", "typeset": "latex"}


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder around ``data``, with real photographs."""
    return SHARED


def browser_path() -> str | None:
    """Return the Chromium of this machine: ``BENCHMARK_CHROMIUM``, or the first of ``BROWSERS`` on the path."""
    return os.environ.get("BENCHMARK_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


def system_path() -> str:
    """Return where programs are looked for: daemons are in folders that not every user has on the path."""
    return f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin{os.pathsep}/sbin"


def _browser() -> str:
    if find_spec("playwright") is None:
        return "the package playwright is not installed (extra dev)"
    found = f"none of {', '.join(BROWSERS)} is on the path, and BENCHMARK_CHROMIUM names none"
    return "" if browser_path() else found


def _slurm() -> str:
    missing = [name for name in SLURM if not shutil.which(name, path=system_path())]
    if not missing or (_wanted("slurm") == "require" and os.getuid() == 0 and shutil.which("apt-get")):
        return ""
    return f"{', '.join(missing)} not installed; BENCHMARK_TEST_SLURM=require has root install them on Debian"


def _latex() -> str:
    if not shutil.which("pdflatex"):
        return "pdflatex is not installed"
    found = subprocess.run(["kpsewhich", *STYLES], capture_output=True, text=True, check=False).stdout
    missing = [style for style in STYLES if style not in found]
    return f"pdflatex is installed without {', '.join(missing)}" if missing else ""


def _package(name: str, extra: str) -> Callable[[], str]:
    return lambda: "" if find_spec(name) else f"{name} is not installed: pip install -e '.[{extra}]'"


def _photographs() -> str:
    found = f"no real photographs in {SHARED / 'data'}; set BENCHMARK_SHARED to the folder around data"
    return "" if (SHARED / "data").is_dir() else found


OBSTACLES: Mapping[str, Callable[[], str]] = {  # name -> why it cannot be had, empty if it can
    "browser": _browser,
    "crf": _package("pydensecrf", "crf"),
    "hdf5": _package("h5py", "data"),
    "latex": _latex,
    "photographs": _photographs,
    "slurm": _slurm,
}


def without(name: str, reason: str) -> NoReturn:
    """Skip the running test, or fail it where ``name`` is required."""
    if _wanted(name) == "require":
        pytest.fail(f"{_variable(name)}=require, but {reason}", pytrace=False)
    pytest.skip(reason)


def _variable(name: str) -> str:
    return f"BENCHMARK_TEST_{name.upper()}"


def _wanted(name: str) -> str:
    return os.environ.get(_variable(name), "")


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests whose fixtures bring what nobody must have."""
    for item in items:
        for fixture, name in FIXTURES.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.needs(name))


@pytest.hookimpl(tryfirst=True)  # before fixtures are made
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip or fail a test that needs what is not there, or is not wanted."""
    for name in (name for marker in item.iter_markers("needs") for name in marker.args):
        reason = f"{_variable(name)}=never" if _wanted(name) == "never" else OBSTACLES[name]()
        if reason:
            without(name, reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that was skipped, but has no marker that says why it may be."""
    report = yield
    declared = any(item.get_closest_marker(name) for name in ("needs", "skipif", "xfail"))
    if report.skipped and not declared:
        report.outcome = "failed"
        report.longrepr = f"skipped without the marker needs (tests/needs.py) or skipif: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a module that is skipped whole."""
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} is skipped whole: mark its tests with needs (tests/needs.py)"
    return report
