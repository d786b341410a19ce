"""constraints.txt: a version of everything that the project and its extras install, and nothing else."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LINES = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUIREMENTS = [*PROJECT["dependencies"], *(one for some in PROJECT["optional-dependencies"].values() for one in some)]


def test_a_line_is_a_released_version_that_any_index_may_have() -> None:
    assert [line for line in LINES if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line)] == []


def test_lines_are_sorted_and_each_package_has_one() -> None:
    names = [canonicalize_name(line.partition("==")[0]) for line in LINES]
    assert len(set(names)) == len(names)
    assert sorted(LINES, key=str.upper) == LINES
    assert canonicalize_name(PROJECT["name"]) not in names


@pytest.mark.parametrize("text", REQUIREMENTS)
def test_every_requirement_has_a_version_that_it_allows(text: str) -> None:
    versions = dict(line.split("==") for line in LINES)
    by_name = {canonicalize_name(name): version for name, version in versions.items()}
    requirement = Requirement(text)
    assert by_name[canonicalize_name(requirement.name)] in requirement.specifier
