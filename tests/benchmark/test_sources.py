"""Which files a module rests on."""

import sys
from pathlib import Path

import pytest

from benchmark import sources as sources_module
from benchmark.sources import below, digest, modules, sources

FILES = {
    "benchmark/__init__.py": "",
    "benchmark/other.py": "",
    "benchmark/words.json": "{}",
    "benchmark/page/__init__.py": "from benchmark.page.maker import made",
    "benchmark/page/maker.py": """
from typing import TYPE_CHECKING
import typing
import numpy as np
import benchmark.page.parts.table
from . import style
from .parts import plot as drawn
if TYPE_CHECKING:
    from benchmark.typed import Thing
elif typing.TYPE_CHECKING:
    import benchmark.typed
else:
    import benchmark.untyped
def made():
    try:
        from benchmark.lazy import something
    except ImportError:
        import methods.late
    match 1:
        case 1:
            with open(HERE / "x"):
                from benchmark import chosen
""",
    "benchmark/page/style.py": 'HERE = Path(__file__).parent\nTEXT = HERE / "templates" / "a"\n',
    "benchmark/page/templates/a.html": "<p>",
    "benchmark/page/templates/sub/b.css": "",
    "benchmark/page/templates/.hidden": "",
    "benchmark/page/templates/__pycache__/c.pyc": "",
    "benchmark/page/notes.txt": "",
    "benchmark/page/parts/__init__.py": "",
    "benchmark/page/parts/table.py": 'FILE = Path(__file__).parent.parent.parent / "words.json"\nNAME = "parts"\n',
    "benchmark/page/parts/plot.py": 'NAME = "notes.txt"  # of a file that it cannot find\n',
    "benchmark/typed.py": "",
    "benchmark/untyped.py": "",
    "benchmark/lazy.py": "import benchmark.page.maker",
    "benchmark/chosen.py": "",
    "methods/late.py": "import methods.nowhere",
}
CODE = {
    "benchmark/__init__.py",
    "benchmark/page/__init__.py",
    "benchmark/page/maker.py",
    "benchmark/page/style.py",
    "benchmark/page/parts/__init__.py",
    "benchmark/page/parts/table.py",
    "benchmark/page/parts/plot.py",
    "benchmark/untyped.py",
    "benchmark/lazy.py",
    "benchmark/chosen.py",
    "methods/late.py",
}
DATA = {"benchmark/words.json", "benchmark/page/templates/a.html", "benchmark/page/templates/sub/b.css"}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two small packages in place of ours."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(sources_module, "_roots", lambda package: (tmp_path / package,))
    return tmp_path


def test_imports_are_followed_wherever_they_stand_but_for_those_that_never_run(tree: Path) -> None:
    found = modules("benchmark.page")
    assert {path.relative_to(tree).as_posix() for path in found.values()} == CODE
    assert found["benchmark.page"] == tree / "benchmark/page/__init__.py"
    assert found["methods.late"] == tree / "methods/late.py"


def test_a_module_brings_the_packages_that_it_is_in(tree: Path) -> None:
    assert modules("benchmark.page.parts.plot").keys() >= {"benchmark", "benchmark.page", "benchmark.page.parts"}
    assert modules("benchmark.other").keys() == {"benchmark", "benchmark.other"}


def test_data_are_what_a_module_names_and_can_find(tree: Path) -> None:
    found = sources("benchmark.page")
    assert found.keys() == CODE | DATA
    assert all(path == tree / place for place, path in found.items())


def test_what_is_no_module_of_ours(tree: Path) -> None:
    for name in ("numpy", "benchmark.nothing"):
        with pytest.raises(ModuleNotFoundError, match=f"{name} is no module of benchmark or methods"):
            modules(name)


@pytest.mark.parametrize("place", sorted(CODE | DATA))
def test_every_byte_counts(tree: Path, place: str) -> None:
    before = digest(sources("benchmark.page"))
    with (tree / place).open("a") as file:
        file.write("\n")
    assert digest(sources("benchmark.page")) != before


@pytest.mark.parametrize("place", ["benchmark/typed.py", "benchmark/other.py", "benchmark/page/notes.txt"])
def test_nothing_else_counts(tree: Path, place: str) -> None:
    before = digest(sources("benchmark.page"))
    (tree / place).write_text("x = 1")
    assert digest(sources("benchmark.page")) == before


def test_names_count_and_not_where_they_are(tmp_path: Path) -> None:
    for folder, name in (("a", "x"), ("b", "x"), ("c", "y")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text("same")
    one, moved, renamed = (digest(below(tmp_path / folder, "data")) for folder in "abc")
    assert one == moved != renamed


def test_nothing_is_imported() -> None:
    before = set(sys.modules)
    assert "methods.training.loop" in modules("methods.simformer.train")
    assert set(sys.modules) == before
