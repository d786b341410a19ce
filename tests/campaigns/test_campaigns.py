"""The campaigns themselves, a few schedules of each kind; ``make campaign`` runs thousands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_a_few_schedules_make_no_difference() -> None:
    command = [sys.executable, "-m", "tests.campaigns", "--crashes", "60", "--damages", "60", "--processes", "1"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    said = re.sub(r"in \d+ s", "in N s", done.stdout).splitlines()
    assert said == [
        "60 crash schedules in N s: 0 with a difference",
        "60 damage schedules in N s: 0 with a difference",
    ]


@pytest.mark.slow
def test_a_result_that_is_trusted_blindly_is_found(tmp_path: Path) -> None:
    code = (
        "import sys, benchmark.integrity as i; i.faults = lambda *_: iter(()); i.input_faults = lambda *_: [];"
        "sys.argv = ['campaigns', '--crashes', '0', '--damages', '600', '--processes', '1'];"
        "from tests.campaigns.__main__ import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "another table" in done.stdout
