"""methods/README.md says what every reference in brackets means, and where things are."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

METHODS = Path(__file__).resolve().parents[2] / "methods"
README = (METHODS / "README.md").read_text(encoding="utf-8")

NUMBER = r"(?:[1-9]\d?(?:\.\d+|[a-z])?|[B-F])"
REFERENCE = re.compile(rf"(?<![\w\])])\[(?:([a-z]+) )?({NUMBER}(?:(?:, |-){NUMBER})*)\](?!\()")
LINE = re.compile(rf"^\| ((?:[a-z]+ )?{NUMBER}) \| ", re.MULTILINE)


def references(text: str) -> Iterator[str]:
    """Yield what the brackets of a text refer to: ``4.3`` and ``4.5`` for [4.3-4.5], ``rib 4`` for [rib 4]."""
    for match in REFERENCE.finditer(text):
        for number in re.split(", |-", match[2]):
            yield f"{match[1]} {number}" if match[1] else number


def words(source: str) -> Iterator[str]:
    """Yield the comments and docstrings of a module."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield ast.get_docstring(node) or ""


MODULES = sorted(METHODS.rglob("*.py"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("losses [4].", ["4"]),
        ("both [4.3-4.5, 5]", ["4.3", "4.5", "5"]),
        ("as released [rib 4.6]", ["rib 4.6"]),
        ("[retab 2, 7c]", ["retab 2", "retab 7c"]),
        ("(h, w) in [0, 1], x[2], [known, CAM], [2](distributed.py), [0.01, 0.99]", []),
    ],
)
def test_references_are_numbers_in_brackets(text: str, found: list[str]) -> None:
    assert list(references(text)) == found


@pytest.mark.parametrize("path", [METHODS / "README.md", *MODULES], ids=lambda path: str(path.relative_to(METHODS)))
def test_every_reference_has_its_line(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = {reference for part in ([text] if path.suffix == ".md" else words(text)) for reference in references(part)}
    assert found <= set(LINE.findall(README))


def test_no_reference_has_two_lines() -> None:
    lines = LINE.findall(README)
    assert len(lines) == len(set(lines))


def test_files_that_are_named_exist() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (METHODS / link).is_file()] == []


def test_modules_that_compute_are_in_the_table_of_questions() -> None:
    links = set(re.findall(r"\]\(([^)#]+)\)", README))
    for folder in ("maskformer", "simformer", "training", "weights"):
        names = {str(path.relative_to(METHODS)) for path in (METHODS / folder).glob("*.py")}
        plumbing = {f"{folder}/{name}.py" for name in ("__init__", "blocks", "train", "given_file")}
        assert names - plumbing <= links, folder
