"""What is optional is skipped with a reason, required or left out on demand; nothing else is skipped."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TESTS = """
import pytest

def test_of_everybody(): pass

@pytest.mark.needs("photographs")
def test_marked(): pass

def test_with_a_fixture(shared): assert (shared / "data").is_dir()

@pytest.mark.skipif(True, reason="another system")
def test_of_another_system(): pass
"""


def outcome(folder: Path, content: str, *arguments: str, **variables: str) -> str:
    """Run tests in a process of their own; return what pytest says."""
    file = folder / "test_made_up.py"
    file.write_text(content)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = needs(name): x\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.needs", "-c", str(folder / "pytest.ini"), "-rA"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("BENCHMARK_TEST_", "PYTEST_"))}
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "BENCHMARK_SHARED": str(folder), **variables}
    call = [*command, *arguments, str(file)]
    done = subprocess.run(call, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout


@pytest.mark.parametrize(
    ("there", "wanted", "expected"),
    [
        (False, "", "1 passed, 3 skipped"),
        (True, "", "3 passed, 1 skipped"),
        (True, "require", "3 passed, 1 skipped"),
        (True, "never", "1 passed, 3 skipped"),
        (False, "require", "1 passed, 1 skipped, 2 errors"),
    ],
)
def test_what_is_optional_runs_where_it_is(there: bool, wanted: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / ("data" if there else "other")).mkdir()
    said = outcome(tmp_path, TESTS, BENCHMARK_TEST_PHOTOGRAPHS=wanted)
    assert f"= {expected} in " in said
    if not there:
        assert f"no real photographs in {tmp_path / 'data'}; set BENCHMARK_SHARED" in said
    if wanted == "never":
        assert "BENCHMARK_TEST_PHOTOGRAPHS=never" in said


def test_the_optional_ones_can_be_run_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    assert "= 2 passed, 2 deselected in " in outcome(tmp_path, TESTS, "-m", "needs")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("import pytest\ndef test_a(): pytest.skip('no reason')", "1 failed"),
        ("import pytest\ndef test_a(): pytest.importorskip('no_such_package')", "1 failed"),
        ("import pytest\nno_such = pytest.importorskip('no_such_package')\ndef test_a(): pass", "1 error"),
    ],
)
def test_a_skip_that_is_not_declared_is_a_failure(content: str, expected: str, tmp_path: Path) -> None:
    said = outcome(tmp_path, content)
    assert f"= {expected} in " in said
    assert "tests/needs.py" in said
