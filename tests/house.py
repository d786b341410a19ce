"""What the code looks like in the large: ``python tests/house.py`` counts it, and its test holds the rules."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("benchmark", "methods")

Graph = Mapping[str, frozenset[str]]  # module -> the modules that it imports

# Lowest first: a module imports from its own layer and from those below.
LAYERS: Mapping[str, tuple[str, ...]] = {
    "words, files, numbers": (
        *(
            "arithmetic",
            "build_hook",
            "comma_lists",
            "errors",
            "files",
            "metrics",
            "old_spellings",
            "orderings",
            "paths",
            "plugins",
        ),
        *(
            "program",
            "provenance",
            "randomness",
            "ranks",
            "settings",
            "sources",
            "split_files",
            "table_files",
            "tables",
        ),
        *("validation", "wording", "yaml12"),
    ),
    "data": ("datasets", "splits"),
    "stages and plans": (
        "config",
        "hidden_pixels",
        "integrity",
        "labels",
        "makespan",
        "plan",
        "registry",
        "relocated",
        "stage",
        "store",
    ),
    "work": ("execute", "tracking"),
    "what work costs, and its results elsewhere": ("costs", "sharing"),
    "reports": ("completion", "report", "reproduction"),
    "selections": ("selection",),
    "verbs": ("commands",),
    "command line": ("cli", "__main__"),
}
BELOW_METHODS = "stages and plans"  # the highest layer that methods stand on; nothing in benchmark stands on them


@cache
def modules(root: Path = ROOT) -> Mapping[str, Path]:
    """Return the dotted name of every module -> its file."""
    named = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            named[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return named


@cache
def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(root: Path = ROOT) -> Graph:
    """Return module -> the modules that it imports: at its top, lazily, or for types alone."""
    known = modules(root)
    return {module: frozenset(_imported(path, known)) - {module} for module, path in known.items()}


def _imported(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield from [imported for imported in (name, node.module) if imported in known][:1]


def circles(graph: Graph) -> list[list[str]]:
    """Return the sets of modules that import each other, directly or not."""
    reached = {module: _reached(graph, module) for module in graph}
    sets = {
        frozenset(other for other in reached[module] if module in reached[other])
        for module in graph
        if module in reached[module]
    }
    return sorted(sorted(circle) for circle in sets)


def _reached(graph: Graph, module: str) -> set[str]:
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        new = graph[waiting.pop()] - seen
        seen |= new
        waiting += new
    return seen


def depth(graph: Graph) -> int:
    """Return how many modules stand on each other at most. There must be no circles."""

    @cache
    def of(module: str) -> int:
        return 1 + max(map(of, graph[module]), default=0)

    return max(map(of, graph))


def layer(module: str) -> int | None:
    """Return the place of a module of ``benchmark`` in ``LAYERS``, the lowest for the package itself."""
    name = module.removeprefix("benchmark").removeprefix(".")
    if not name:
        return 0
    for place, rooms in enumerate(LAYERS.values()):
        if name.partition(".")[0] in rooms:
            return place
    return None


def upward(graph: Graph) -> list[str]:
    """Return the imports that lead up, ``a -> b``, and every module that has no layer."""
    faults = [f"{module}: in no layer" for module in graph if not _is_method(module) and layer(module) is None]
    for module, imported in sorted(graph.items()):
        faults += [f"{module} -> {other}" for other in sorted(imported) if _leads_up(module, other)]
    return faults


def _leads_up(module: str, other: str) -> bool:
    if _is_method(other):
        return not _is_method(module)
    highest = list(LAYERS).index(BELOW_METHODS) if _is_method(module) else layer(module)
    reached = layer(other)
    return highest is not None and reached is not None and reached > highest


def _is_method(module: str) -> bool:
    return module.partition(".")[0] == "methods"


def classes() -> int:
    return sum(isinstance(node, ast.ClassDef) for path in modules().values() for node in ast.walk(syntax(path)))


def lines() -> int:
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in modules().values())


def main() -> None:
    """Print the figures, every circle and every import that leads up."""
    graph = imports()
    per_thousand = 1000 * classes() / lines()
    print(f"{len(graph)} modules, {lines()} lines, {classes()} classes: {per_thousand:.1f} per 1,000 lines")
    print(f"{sum(map(len, graph.values())) / len(graph):.1f} imports per module")
    for circle in circles(graph):
        print("circle:", " ".join(circle))
    for fault in upward(graph):
        print("upward:", fault)
    if not circles(graph):
        print(f"the import graph is {depth(graph)} deep")


if __name__ == "__main__":
    main()
