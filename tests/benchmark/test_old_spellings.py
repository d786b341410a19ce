"""Renamed verbs and options work once more under their old names."""

import pytest

from benchmark.cli import VERBS, main
from benchmark.old_spellings import renewed

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("doctor --measure --units 3", "measure --units 3", "`doctor --measure` is `measure` now"),
        ("doctor --store s --measure", "measure --store s", "`doctor --measure` is `measure` now"),
        ("profile --row A", "measure --breakdown --row A", "`profile` is `measure --breakdown` now"),
        ("profile", "measure --breakdown", "`profile` is `measure --breakdown` now"),
        ("profile --iterations 9", "measure --breakdown --iterations 9", "`profile` is `measure --breakdown` now"),
        ("profile --iterations 9 --input", "measure --input --images 9", "`profile --input` is `measure --input` now"),
        ("profile --input --iterations=9", "measure --input --images=9", "`profile --input` is `measure --input` now"),
    ],
)
def test_an_old_spelling_becomes_the_new_one_with_one_line(old: str, new: str, said: str, capsys: Captured) -> None:
    assert renewed(old.split()) == new.split()
    output = capsys.readouterr()
    assert output.out == ""
    assert said in output.err
    assert output.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", ["", "doctor", "doctor --json", "measure --input", "plan --profile smoke", "runs x"]
)
def test_what_has_no_other_name_stays(arguments: str, capsys: Captured) -> None:
    assert renewed(arguments.split()) == arguments.split()
    assert capsys.readouterr().err == ""


def test_an_old_verb_runs_and_is_not_listed(capsys: Captured) -> None:
    assert "profile" not in VERBS
    for old, usage in (("profile", "measure --breakdown"), ("doctor --measure", "measure")):
        assert main([*old.split(), "--help"]) == 0
        assert f"Usage: python -m benchmark {usage} [OPTIONS]" in capsys.readouterr().out
    assert main(["doctor", "--help"]) == 0
    assert "--measure" not in capsys.readouterr().out
