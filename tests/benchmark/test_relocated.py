"""Stage functions: all that plans name are there, and one that moves keeps its keys."""

import importlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmark import relocated
from benchmark.datasets.catalog import as_published
from benchmark.errors import BenchmarkError
from benchmark.execute.cluster.code import freeze
from benchmark.execute.inline import Inline
from benchmark.execute.session import make_stages
from benchmark.plan import Plan, build_plan
from benchmark.relocated import RELOCATED, load_function
from benchmark.stage import closure
from benchmark.store import Store
from benchmark.table_files import table_files
from tests.benchmark import toy

ROOT = Path(__file__).parents[2]
OLD, NEW = "tests.benchmark.gone:train", "tests.benchmark.toy:train"
LOAD = "benchmark.relocated:load_function"
SIZES = (("mini", "mini"), ("smoke", "mini"), ("paper", "coco-stuff-10k"), ("paper", "ade20k"))


def functions_of(plan: Plan) -> set[str]:
    """Return all that its stages name; a stage may name none for ``maps``."""
    return {name for stage in plan.stages for name in (stage.function, stage.maps) if name}


@pytest.mark.parametrize("preset", ["paper", "official"])
@pytest.mark.parametrize(("profile", "dataset"), SIZES)
def test_every_stage_function_of_the_shipped_tables_is_there(profile: str, dataset: str, preset: str) -> None:
    info = None if dataset == "mini" else as_published(dataset)
    found = functions_of(build_plan(sorted(table_files()), dataset, profile, (0,), preset=preset, info=info))
    assert {"methods.evaluation:predict_images", "methods.assessment:assess", "methods.evaluation:evaluate"} <= found
    assert all(callable(load_function(function)) for function in found)


@pytest.mark.parametrize(
    ("function", "overrides"),
    [
        ("methods.foreign:adopt", {"oracle.checkpoint": "given.pth"}),
        ("methods.largefov.train:train_largefov", {"retrain.network": "largefov"}),
        ("methods.rib.propagation:merge_masks", {"retab.initial": "rib", "pretrain.iterations": 0}),
    ],
)
def test_so_are_those_that_settings_ask_for(
    function: str, overrides: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("given.pth").touch()
    found = functions_of(build_plan(["3", "baselines"], "mini", "mini", (0,), overrides=[overrides]))
    assert function in found
    assert all(callable(load_function(function)) for function in found)


def mistakes(table: Mapping[str, str]) -> Iterator[str]:
    """Say what is wrong with a table of relocations."""
    for old, new in table.items():
        if new in table:
            yield f"{old} leads to {new}, which has moved itself: let it lead to {table[new]}"
        elif found_at(new) is None:
            yield f"{old} leads to {new}, where nothing is"
        elif found_at(old) not in {None, found_at(new)}:
            yield f"{old} is a function of its own beside {new}: which of them made a result?"


def found_at(place: str) -> Any:
    """Return what ``package.module:name`` names, whatever has moved."""
    module, _, name = place.partition(":")
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None


def test_relocations_are_unambiguous_and_lead_to_the_end_at_once() -> None:
    assert list(mistakes(RELOCATED)) == []


@pytest.mark.parametrize(
    ("table", "mistake"),
    [
        ({OLD: NEW}, ""),
        ({"tests.benchmark.toy:absent": NEW, "tests.benchmark.test_relocated:load_function": LOAD}, ""),
        ({NEW: "tests.benchmark.toy:evaluate"}, "a function of its own"),
        ({OLD: "tests.benchmark.gone:between", "tests.benchmark.gone:between": NEW}, "has moved itself"),
        ({OLD: "tests.benchmark.toy:absent"}, "where nothing is"),
    ],
)
def test_mistakes_in_relocations_are_found(table: Mapping[str, str], mistake: str) -> None:
    found = list(mistakes(table))
    assert len(found) == bool(mistake)
    assert mistake in "".join(found)


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Return a plan whose trainings are by a function that was at another place."""
    toy.install(monkeypatch)
    monkeypatch.setenv("TOY_CALLS", str(tmp_path / "calls"))
    monkeypatch.setattr(toy, "TRAIN", OLD)
    return build_plan([toy.table(tmp_path, splits="S1")], "mini", toy.profile(tmp_path), (0,))


def make(plan: Plan, store: Store) -> list[str]:
    ends = make_stages(plan, plan.pending(store), store, Inline(), []).outcomes.values()
    return [end.message for end in ends if end.state == "failed"]


def test_a_function_that_moved_makes_its_stages_under_their_old_name(
    planned: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, keys = Store(tmp_path / "store"), [stage.key for stage in planned.stages]
    monkeypatch.setattr(relocated, "RELOCATED", {OLD: NEW})
    again = build_plan([toy.table(tmp_path, splits="S1")], "mini", toy.profile(tmp_path), (0,))
    assert [stage.key for stage in again.stages] == keys
    assert make(again, store) == []
    assert toy.calls() == ["prepare", "train", "evaluate"]
    (training,) = [stage for stage in closure([again.stages[-1]]) if stage.kind == "train"]
    described = json.loads((store.folder(training.key) / "stage.json").read_text())
    assert described["function"] == training.function == OLD


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, rf"{OLD} cannot be imported: ModuleNotFoundError: .* Install or mend the package"),
        ({OLD: "tests.nowhere:train"}, rf"{OLD} moved to tests\.nowhere:train, .*Mend benchmark\.relocated\.RELOCATED"),
        ({OLD: "tests.benchmark.toy:absent"}, rf"{OLD} moved to .*: AttributeError: .*'absent'"),
    ],
)
def test_a_function_that_is_not_there_is_named(
    table: Mapping[str, str], message: str, planned: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relocated, "RELOCATED", table)
    with pytest.raises(BenchmarkError, match=message):
        load_function(OLD)
    (said,) = make(planned, Store(tmp_path / "store"))
    assert said.startswith(f"stage function {OLD} ")


def test_frozen_code_has_the_package_of_the_new_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("old_home", "new_home"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("def made(context): return {}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(relocated, "RELOCATED", {"old_home:made": "new_home:made"})
    frozen = freeze(Store(tmp_path / "store"), ["old_home:made"])
    assert (frozen.folder / "new_home" / "__init__.py").is_file()
    assert not (frozen.folder / "old_home").exists()


def test_functions_are_found_by_name() -> None:
    assert load_function(NEW) is toy.train


def test_nothing_else_imports_by_name() -> None:
    """Whatever turns the name of a stage function into the function asks the table; these import something else."""
    sources = [path for folder in ("benchmark", "methods") for path in (ROOT / folder).rglob("*.py")]
    found = {path.relative_to(ROOT).as_posix() for path in sources if "import_module(" in path.read_text()}
    assert found - {"benchmark/cli.py", "methods/wsss/crf.py"} == {"benchmark/relocated.py"}
