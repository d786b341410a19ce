"""The files that a module rests on: what it imports of this software, directly or not, and the data beside that.

Imports are read from the text of the modules and not run, so that nothing is loaded, and those inside functions are
found although no call has come to them. Those under ``if TYPE_CHECKING`` never run, so they do not count: a function
that is handed an object needs no import of its class, and whoever makes the object has one. An import whose name is
computed is not found.
"""

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from benchmark.paths import INSTALLED_DATA

OURS = ("benchmark", "methods")  # packages of this software; all others are libraries
_RELATIVE = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*")  # the name of a file or folder below another
_CODE = {".py", ".pyc"}


def modules(name: str) -> dict[str, Path]:
    """Return the file of a module, and of every other that running all of it would import: name -> file.

    A module brings the packages that it is in. Raises ModuleNotFoundError for a name that is none of this software.
    """
    found: dict[str, Path] = {}
    todo = [name]
    while todo:
        one = todo.pop()
        file = None if one in found else _file(one)
        if file:
            found[one] = file
            todo += [one.rpartition(".")[0], *_imported(one, file)]
    if not found:
        raise ModuleNotFoundError(f"{name} is no module of {' or '.join(OURS)}", name=name)
    return found


def sources(name: str) -> dict[str, Path]:
    """Return the files of ``modules`` and the data that they name: place below the packages' folder -> file.

    Data are what lies beside a module, or beside a package that it is in, and is called, or lies in a folder that is
    called, by a text in the module. Places do not tell where the software is installed.
    """
    files = set(modules(name).values())
    return {_place(file): file for file in files | {one for file in files for one in _data(file)}}


def below(folder: Path, place: str) -> dict[str, Path]:
    """Return the files of a folder that has another place in a checkout than in an installation, under one name."""
    return {f"{place}/{file.relative_to(folder).as_posix()}": file for file in _files(folder)}


def digest(files: Mapping[str, Path]) -> str:
    """Return the SHA-256 of files and of their places."""
    total = hashlib.sha256()
    for place in sorted(files):
        total.update(f"{place}\0".encode())
        total.update(hashlib.sha256(files[place].read_bytes()).digest())
    return total.hexdigest()


@cache
def _roots(package: str) -> tuple[Path, ...]:
    """Return the folders of a top-level package, none where it is not installed."""
    spec = find_spec(package)
    return tuple(Path(folder).resolve() for folder in (spec.submodule_search_locations or ())) if spec else ()


def _place(file: Path) -> str:
    return next(
        f"{package}/{file.relative_to(root).as_posix()}"
        for package in OURS
        for root in _roots(package)
        if file.is_relative_to(root)
    )


def _file(name: str) -> Path | None:
    """Return the file of a module, ``None`` for whatever else may be imported."""
    package, *rest = name.split(".")
    for root in _roots(package) if package in OURS else ():
        path = root.joinpath(*rest)
        for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
            if file.is_file():
                return file
    return None


def _imported(name: str, file: Path) -> Iterator[str]:
    """Yield the names that a module may import; of ``from a import b`` also ``a.b``, which may be a module."""
    package = name if file.stem == "__init__" else name.rpartition(".")[0]
    for node in _statements(ast.parse(file.read_bytes(), str(file))):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: 1 - node.level or None] if node.level else []
            origin = ".".join([*above, *filter(None, [node.module])])
            yield from (origin, *(f"{origin}.{one.name}" for one in node.names))


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the statements of a module, however deep, but for those that only type checkers see."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            todo += node.orelse
        else:
            todo += [one for one in ast.iter_child_nodes(node) if not isinstance(one, ast.expr)]


def _data(file: Path) -> Iterator[Path]:
    """Yield the data files that a module names; one that does not ask where it is itself reads none."""
    text = file.read_bytes()
    if b"__file__" not in text:
        return
    nodes = ast.walk(ast.parse(text, str(file)))
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    names = [one for one in texts if _RELATIVE.fullmatch(one)]
    for folder in file.parents[: len(Path(_place(file)).parts) - 1]:
        yield from _named(folder, names)


def _named(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    """Yield the files of those names and the files in folders of those names, but no modules."""
    for path in (folder / name for name in names):
        if path.is_file() and path.suffix not in _CODE:
            yield path
        elif path.is_dir() and path != INSTALLED_DATA and not (path / "__init__.py").exists():
            yield from _files(path)


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, but for hidden and compiled ones."""
    for file in folder.rglob("*"):
        parts = file.relative_to(folder).parts
        if file.is_file() and file.suffix not in _CODE and not any(part.startswith(".") for part in parts):
            yield file
