"""What the code looks like in the large: ``python tests/house.py`` counts it, and its test holds the rules."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("benchmark", "methods")

Graph = Mapping[str, frozenset[str]]


@cache
def modules() -> Mapping[str, Path]:
    """Return the dotted name of every module -> its file."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def syntax(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


@cache
def imports() -> Graph:
    """Return module -> the modules that it imports: at its top, lazily, or for types alone."""
    return {module: frozenset(_imported(module)) - {module} for module in modules()}


def _imported(module: str) -> Iterator[str]:
    known = modules()
    for node in ast.walk(syntax(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in known else node.module for name in names if node.module in known)


def circles() -> list[list[str]]:
    """Return the sets of modules that import each other, directly or not."""
    reached = {module: _reached(module) for module in imports()}
    sets = {
        frozenset(other for other in reached[module] if module in reached[other])
        for module in imports()
        if module in reached[module]
    }
    return sorted(sorted(one) for one in sets)


def _reached(module: str) -> set[str]:
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        new = imports()[waiting.pop()] - seen
        seen |= new
        waiting += new
    return seen


@cache
def depth(module: str) -> int:
    """Return how many modules stand on each other up to this one. There must be no circles."""
    return 1 + max(map(depth, imports()[module]), default=0)


def classes() -> int:
    return sum(isinstance(node, ast.ClassDef) for module in modules() for node in ast.walk(syntax(module)))


def lines() -> int:
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in modules().values())


def main() -> None:
    """Print the figures, and every circle."""
    count = len(modules())
    print(f"{count} modules, {lines()} lines, {classes()} classes: {1000 * classes() / lines():.1f} per 1,000 lines")
    print(f"{sum(map(len, imports().values())) / count:.1f} imports per module")
    for circle in circles():
        print("circle:", " ".join(circle))
    if not circles():
        print(f"the import graph is {max(map(depth, imports()))} deep")


if __name__ == "__main__":
    main()
