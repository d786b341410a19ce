"""Arrows between modules run down: no circles, no import from a higher layer, not too many modules on each other."""

from pathlib import Path

from tests import house

DEEPEST = 15


def test_no_modules_import_each_other() -> None:
    assert house.circles(house.imports()) == []


def test_imports_lead_down() -> None:
    assert house.upward(house.imports()) == []


def test_few_modules_stand_on_each_other() -> None:
    assert house.depth(house.imports()) <= DEEPEST


def test_every_room_of_a_layer_is_there() -> None:
    known = {module.split(".")[1] for module in house.modules() if module.startswith("benchmark.")}
    rooms = [room for layer in house.LAYERS.values() for room in layer]
    assert sorted(rooms) == sorted(known)


def planted(root: Path, **texts: str) -> house.Graph:
    """Return the imports of a tree that has such modules, ``__`` in a name standing for a dot."""
    for name, text in texts.items():
        file = root.joinpath(*name.split("__")).with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return house.imports(root)


def test_circles_of_lazy_and_type_checking_imports_are_found(tmp_path: Path) -> None:
    graph = planted(
        tmp_path,
        benchmark__files="def f():\n    import benchmark.errors\n",
        benchmark__errors="if TYPE_CHECKING:\n    from benchmark.paths import is_path\n",
        benchmark__paths="from benchmark import files\n",
        benchmark__wording="from benchmark import files\n",
    )
    assert house.circles(graph) == [["benchmark.errors", "benchmark.files", "benchmark.paths"]]


def test_imports_that_lead_up_are_found(tmp_path: Path) -> None:
    graph = planted(
        tmp_path,
        benchmark__commands__plan="import benchmark.plan\n",
        benchmark__novelty="",
        benchmark__plan="def f():\n    from benchmark.commands import plan\n    import methods.cam\n",
        benchmark__stage="",
        methods__cam="from benchmark.stage import Stage\nfrom methods import wsss\n",
        methods__wsss="if TYPE_CHECKING:\n    from benchmark.commands.plan import command\n",
    )
    assert house.upward(graph) == [
        "benchmark.novelty: in no layer",
        "benchmark.plan -> benchmark.commands.plan",
        "benchmark.plan -> methods.cam",
        "methods.wsss -> benchmark.commands.plan",
    ]


def test_depth_is_that_of_the_longest_chain(tmp_path: Path) -> None:
    graph = planted(
        tmp_path,
        benchmark__errors="",
        benchmark__files="import benchmark.errors\n",
        benchmark__stage="import benchmark.errors\nimport benchmark.files\n",
    )
    assert house.depth(graph) == 3
