import ast
import errno
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_type_hints

import click
import pytest

from benchmark import cli, registry
from benchmark.cli import GROUPS, VERBS, main
from benchmark.commands.data import NAMES
from benchmark.commands.methods import settings_of
from benchmark.commands.table import CONVENTIONS, FORMATS
from benchmark.datasets.catalog import published
from benchmark.errors import BenchmarkError
from benchmark.execute.inline import Inline
from benchmark.execute.session import make_stages
from benchmark.metrics import Convention
from benchmark.plan import build_plan
from benchmark.report.tables import FORMS
from benchmark.selection.options import RETRAIN_NETWORKS, Selection, selection_options, tables_named
from benchmark.store import Store
from methods.settings import RetrainSettings
from tests.benchmark import toy

INSTALLED_METHODS = registry.methods

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    toy.install(monkeypatch)
    monkeypatch.setenv("TOY_CALLS", str(tmp_path / "calls"))


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    return ["--table", toy.table(tmp_path), "--profile", toy.profile(tmp_path), "--store", str(tmp_path / "store")]


def run_json(arguments: list[str], capsys: Captured) -> Any:
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_imports_click_alone(arguments: list[str]) -> None:
    heavy = ("pydantic", "yaml", "rich", "numpy", "torch", "benchmark.plan", "benchmark.commands", "filelock")
    code = (
        f"import sys; from benchmark.cli import main; code = main({arguments!r});"
        f"print([name for name in {heavy!r} if name in sys.modules], code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[] 0"


def test_verbs_are_listed_with_what_they_do(capsys: Captured) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for name, verb in VERBS.items():
        assert f"  {name} " in text
        assert verb.summary in text


def test_groups_of_verbs_stand_below_a_heading_each_with_one_column(capsys: Captured) -> None:
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len({verb for verbs in GROUPS.values() for verb in verbs}) == sum(map(len, GROUPS.values()))
    for heading, verbs in GROUPS.items():
        first = lines.index(f"{heading}:") + 1
        assert [line.split()[0] for line in lines[first : first + len(verbs)]] == list(verbs)
        assert lines[first + len(verbs)] == ""
    assert len({line.index(verb.summary) for verb in VERBS.values() for line in lines if verb.summary in line}) == 1


def imported_verbs(name: str) -> set[str]:
    """Return the verbs whose modules the module of a verb imports, wherever in it."""
    modules = {verb.module: other for other, verb in VERBS.items() if other != name}
    tree = ast.parse(Path(import_module(VERBS[name].module).__file__ or "").read_text(encoding="utf-8"))
    found = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    names = [
        f"{node.module}.{one.name}" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for one in node.names
    ]
    plain = [one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names]
    return {modules[module] for module in (*found, *names, *plain) if module in modules}


@pytest.mark.parametrize("name", VERBS)
def test_no_verb_imports_another(name: str) -> None:
    assert not imported_verbs(name)


def test_choices_that_are_written_out_for_speed_are_those_there_are() -> None:
    assert tuple(FORMS) == FORMATS
    assert get_args(Convention) == CONVENTIONS
    assert tuple(NAMES.split("|")) == published()
    assert get_args(get_type_hints(RetrainSettings)["network"]) == RETRAIN_NETWORKS


def test_usage_names_the_program_as_it_was_called(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    for called, shown in {
        "/usr/bin/weakshot-benchmark": "weakshot-benchmark",
        "weakshot-benchmark.exe": "weakshot-benchmark",
        "/x/benchmark/__main__.py": "python -m benchmark",
    }.items():
        monkeypatch.setattr(sys, "argv", [called])
        assert main(["data", "prepare", "--help"]) == 0
        assert capsys.readouterr().out.startswith(f"Usage: {shown} data prepare ")
        assert main(["plan", "--tabel", "3"]) == 2
        assert f"Try '{shown} plan -" in capsys.readouterr().err
        assert main(["plan", "--dataset", "ade20k", "--data-root", str(Path.cwd())]) == 2
        assert f"`{shown} data prepare ade20k" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["run", "plan", "status", "compare", "explain", "methods"])
def test_each_verb_loads_and_has_help(name: str, capsys: Captured) -> None:
    assert main([name, "--help"]) == 0
    assert "Usage: python -m benchmark" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pln"], "unknown command 'pln'. Did you mean 'plan'"),
        (["plan", "--tabel", "3"], "No such option"),
        (["plan", "--seeds", "0,a"], "'a': a seed is a whole number"),
        (["plan", "--seeds", "-1"], "a seed is a whole number"),
        (["plan", "--seeds", "0,4294967296"], "'4294967296': a seed is a whole number from 0 to 4294967295"),
        (["plan", "--splits", ","], "names nothing"),
        (["plan", "--table", ""], "'' names no table; write 1, 2, 3, baselines, stages, all, learning-curve or"),
        (["table", ","], "',' names no table"),
        (["plan", "--set", "points=50"], "is not section.key=value"),
        (["plan", "--set", "toy.steps"], "is not section.key=value"),
        (["plan", "--set", "toy.steps=[1"], "--set toy.steps=[1:1: not valid YAML"),
        (["plan", "--preset", "papre"], "papre"),
        (["plan", "--table", "7"], "unknown table '7'"),
        (["plan", "--dataset", "mimi"], "Did you mean 'mini'"),
        (["plan", "--profile", "papre"], "Did you mean 'paper'"),
        (["explain", "abc", "abcd"], "at least 4"),
    ],
)
def test_mistakes_of_the_user_exit_with_2(arguments: list[str], message: str, capsys: Captured) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


def test_a_bug_leaves_a_crash_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("an odd bug")

    monkeypatch.setattr(cli.LazyGroup, "get_command", broken)
    (tmp_path / "own").mkdir()  # beside the store that the environment names
    assert main(["plan", "--seeds", "3"]) == 3
    line = capsys.readouterr().err
    assert line.startswith("bug: ZeroDivisionError: an odd bug; details in ")
    assert line.count("\n") == 1
    log = Path(line.rpartition(" in ")[2].strip())
    assert log.parent == tmp_path / "own"
    assert "plan --seeds 3" in log.read_text()
    assert "Traceback" in log.read_text()
    assert re.fullmatch(r"crash-\w{15}-[0-9a-f]{16}\.log", log.name)
    assert log.stat().st_mode & 0o777 == 0o600
    log.unlink()
    (tmp_path / "own").rmdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert main(["plan"]) == 3
    assert list(tmp_path.glob("crash-*.log"))


@pytest.mark.parametrize("store", [["--store", "mine/store"], ["--store=mine/store"]])
def test_a_crash_log_lies_beside_the_store_that_was_named(
    tmp_path: Path, store: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli.LazyGroup, "get_command", broken)
    monkeypatch.chdir(tmp_path)
    for folder in ("mine", "own"):  # the second is beside the store that the environment names
        (tmp_path / folder).mkdir()
    assert main(["run", *store, "--table", "3"]) == 3
    assert Path(capsys.readouterr().err.rpartition(" in ")[2].strip()).parent == tmp_path / "mine"
    assert not list((tmp_path / "own").iterdir())


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (click.Abort(), 130), (BrokenPipeError(), 0)])
def test_ends_that_are_no_bugs(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(cli.LazyGroup, "get_command", broken)
    monkeypatch.setattr(os, "dup2", lambda *_: None)
    assert main(["plan"]) == code
    assert capfd.readouterr().err in {"", "interrupted\n"}


def test_a_closed_pipe_is_quiet() -> None:
    command = f"{sys.executable} -m benchmark splits --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize(
    ("output", "code", "message"), [("/dev/full", 2, "the disk is full. Free space"), ("&-", 0, "")]
)
def test_an_output_that_takes_nothing(output: str, code: int, message: str) -> None:
    command = f"{sys.executable} -m benchmark splits --help >{output}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_plan_as_json(options: list[str], capsys: Captured, tmp_path: Path) -> None:
    plan = run_json(["plan", *options], capsys)
    assert [(cell["row"], cell["split"], cell["seed"]) for cell in plan["cells"]] == [
        ("Toy", "S1", 0),
        ("Toy", "S2", 0),
    ]
    assert {stage["kind"] for stage in plan["stages"]} == {"prepare", "train", "evaluate"}
    assert set(plan["stages"][0]) == {"key", "kind", "name", "params", "inputs", "cached", "cost"}
    assert not any(stage["cached"] for stage in plan["stages"])
    assert not (tmp_path / "store").exists()
    make(options, tmp_path)
    plan = run_json(["plan", *options], capsys)
    assert all(stage["cached"] for stage in plan["stages"])
    assert main(["plan", *options]) == 0
    assert "nothing left to make" in capsys.readouterr().out


def make(options: list[str], folder: Path, **settings: Any) -> None:
    overrides = ({f"toy.{name}": value for name, value in settings.items()},)
    planned = build_plan([options[1]], "mini", options[3], (0,), overrides=overrides)
    store = Store(folder / "store")
    make_stages(planned, planned.pending(store), store, Inline(), [])


def test_plan_for_people(options: list[str], capsys: Captured) -> None:
    assert main(["plan", *options, "--workers", "2", "--seeds", "0,1"]) == 0
    text = capsys.readouterr().out
    assert "Toy    4 cells,   0 done  S1 S2" in text
    assert "9 stages to make: about 13 s of CPU time, 7.0 s with 2 workers" in text


def test_a_plan_of_one_cell_says_so(options: list[str], capsys: Captured, tmp_path: Path) -> None:
    toy.table(tmp_path, rows="[{label: A, method: toy}]", splits="S1")
    assert main(["plan", *options, "--workers", "1"]) == 0
    text = capsys.readouterr().out
    assert "  A    1 cell,    0 done  S1\n" in text
    assert ", seed 0\n" in text
    assert "with 1 worker\n" in text


def test_status_counts_cells_and_shows_every_attempt(options: list[str], capsys: Captured, tmp_path: Path) -> None:
    empty = run_json(["status", *options], capsys)
    assert empty["tables"] == [{"table": "t", "cells": dict.fromkeys(empty["tables"][0]["cells"], 0) | {"missing": 2}}]
    rows = "[{label: A, method: toy}, {label: B, method: toy, variant: broken}, {label: C, method: x, optional: true}]"
    toy.table(tmp_path, rows=rows, splits="S1")
    for _ in range(2):
        make(options, tmp_path)
    found = run_json(["status", *options], capsys)
    cells = {state: count for state, count in found["tables"][0]["cells"].items() if count}
    assert cells == {"done": 1, "failed": 1, "not available": 1}
    stage, blocked = found["stages"]
    assert (blocked["state"], blocked["detail"]) == ("blocked", f"needs {stage['key'][:8]}")
    assert [one["number"] for one in stage["attempts"]] == [1, 2]
    assert "the toy is broken" in Path(stage["log"]).read_text()
    assert main(["status", *options]) == 0
    text = capsys.readouterr().out
    assert f"log: {stage['log']}" in text
    assert text.count("failed: RuntimeError: the toy is broken") == 2


def test_status_of_an_attempt_whose_process_died(options: list[str], capsys: Captured, tmp_path: Path) -> None:
    toy.table(tmp_path, rows="[{label: B, method: toy, variant: broken}]", splits="S1")
    make(options, tmp_path)
    (record,) = (tmp_path / "store").glob("work/*/attempts/1/attempt.json")
    record.write_text(record.read_text().replace('"failed"', '"running"'))
    assert run_json(["status", *options], capsys)["tables"][0]["cells"]["interrupted"] == 1
    key = record.parents[2].name
    with Store(tmp_path / "store").lock(key):
        assert run_json(["status", *options], capsys)["tables"][0]["cells"]["running"] == 1


def test_status_and_explain_keep_showing_what_failed_before_it_succeeded(
    options: list[str], capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(toy, "_act", lambda _: 1 / 0)
        make(options, tmp_path)
    make(options, tmp_path)
    found = run_json(["status", *options, "--splits", "S1"], capsys)
    assert found["tables"][0]["cells"]["done"] == 1
    (stage,) = found["stages"]
    assert (stage["state"], [one["state"] for one in stage["attempts"]]) == ("done", ["failed", "done"])
    assert "ZeroDivisionError" in Path(stage["log"]).read_text()
    assert main(["status", *options, "--splits", "S1"]) == 0
    text = capsys.readouterr().out
    assert "failed: ZeroDivisionError: division by zero" in text
    assert f"log: {stage['log']}" in text
    a, b = key_of("train", options, capsys), key_of("evaluate", options, capsys)
    assert main(["explain", a, b, *options]) == 0
    assert capsys.readouterr().out.count("failed: ZeroDivisionError") == 1
    assert [one["state"] for one in run_json(["explain", a, b, *options], capsys)["attempts"][a]] == ["failed", "done"]


def key_of(kind: str, options: list[str], capsys: Captured, *more: str) -> str:
    plan = run_json(["plan", *options, "--splits", "S1", *more], capsys)
    return str(next(stage["key"] for stage in plan["stages"] if stage["kind"] == kind))


def test_explain_says_what_differs_along_the_inputs(options: list[str], capsys: Captured, tmp_path: Path) -> None:
    make(options, tmp_path)
    make(options, tmp_path, steps=5, rate=0.125)
    a = key_of("evaluate", options, capsys)
    b = key_of("evaluate", options, capsys, "--set", "toy.steps=5", "--set", "toy.rate=0.125")
    assert main(["explain", a[:12], b[:12], *options]) == 0
    lines = capsys.readouterr().out.splitlines()[2:]
    assert lines == ["inputs.model.params.steps: 3 -> 5", "inputs.model.params.rate: absent -> 0.125"]
    found = run_json(["explain", a[:8], b[:8], *options], capsys)
    assert found["differences"][0] == {"path": "inputs.model.params.steps", "a": "3", "b": "5"}
    assert run_json(["explain", a, a, *options], capsys)["same"]
    assert main(["explain", a, a, *options]) == 0
    assert "the same stage" in capsys.readouterr().out


def test_explain_knows_stages_that_are_only_planned(options: list[str], capsys: Captured) -> None:
    a, b = key_of("evaluate", options, capsys), key_of("train", options, capsys)
    found = run_json(["explain", a[:10], b[:10], *options], capsys)
    paths = {one["path"] for one in found["differences"]}
    assert {"function", "access", "inputs.model", "inputs.shared", "params.novel"} <= paths
    assert main(["explain", a[:10], "ffff", *options]) == 2
    assert "or the plan" in capsys.readouterr().err


def test_methods_show_variants_settings_and_where_they_come_from(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {method["name"]: method for method in run_json(["methods"], capsys)}
    assert found["toy"]["variants"] == {"": "works", "broken": "its training fails"}
    steps = found["toy"]["settings"]["toy"][0]
    assert steps == {"name": "steps", "type": "int", "default": 3, "doc": "of a training"}
    assert found["toy"]["settings"]["toy"][3]["default"] == [1, 2]
    assert main(["methods", "--settings"]) == 0
    assert "toy.steps = 3  # of a training" in capsys.readouterr().out
    monkeypatch.undo()
    own = {method["name"]: method for method in run_json(["methods"], capsys)}
    assert own["simformer"]["distribution"] == "weak-shot-segmentation-benchmark"


def test_comments_of_inherited_settings_are_shown_too() -> None:
    @dataclass(frozen=True)
    class Faster(toy.ToySettings):
        steps: int = 1
        speed: float = 2.0  # in steps a second

    docs = {field["name"]: field["doc"] for field in settings_of(Faster)}
    assert (docs["steps"], docs["speed"]) == ("of a training", "in steps a second")


def test_a_method_that_cannot_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    def broken() -> None:
        raise BenchmarkError("method 'x' cannot be loaded")

    monkeypatch.setattr("benchmark.registry.methods", broken)
    monkeypatch.setattr("benchmark.commands.methods.entry_points", lambda **_: 1 / 0)  # a point that does not load
    assert main(["methods"]) == 2
    assert capsys.readouterr().err == "error: method 'x' cannot be loaded\n"


def test_names_of_tables() -> None:
    assert tables_named(["all"]) == ("1", "2", "3", "baselines", "stages")
    assert tables_named(["3,1", "3", "own.yaml"]) == ("3", "1", "own.yaml")


def selected(*arguments: str) -> Selection:
    found: list[Selection] = []

    @click.command()
    @click.argument("table")
    @selection_options(table="none")
    def command(selection: Selection, table: str) -> None:
        found.append(selection.with_tables([table]))

    command.main([*arguments], standalone_mode=False)
    return found[0]


def test_the_selection_of_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCHMARK_STORE")
    plain = selected("2,3")
    assert (plain.tables, plain.dataset, plain.profile, plain.seeds) == (("2", "3"), "mini", "mini", (0,))
    assert (plain.splits, plain.methods, dict(plain.overrides)) == (None, None, {})
    assert plain.store == Store(Path(".benchmark", "store"))
    assert plain.results_folder() == Path(".benchmark", "results", "mini-mini")
    monkeypatch.setenv("BENCHMARK_STORE", str(tmp_path / "s"))
    own = tmp_path / "dataset.yaml"
    own.write_text("{name: data, title: Data, classes: [a, b], images: i, masks: m, lists: {train: t, test: t}}")
    full = selected(
        *("all", "--seeds", "2,0,2", "--splits", "S4, S9", "--methods", "toy", "--preset", "official"),
        *("--set", "toy.rate=1e-3", "--set", "toy.sizes=[1, 2]", "--profile", "a/own.yaml", "--dataset", str(own)),
    )
    assert (full.seeds, full.splits, full.methods) == ((2, 0), ("S4", "S9"), ("toy",))
    assert full.overrides == {"toy.rate": 1e-3, "toy.sizes": [1, 2]}
    assert full.results_folder() == tmp_path / "results" / "data-own-official-set-0d604e"
    assert selected("1", "--out", "x").results_folder() == Path("x")


def test_the_network_for_retraining_is_short_for_a_setting() -> None:
    expected = {"retrain.network": "largefov"}
    assert selected("1", "--retrain-net", "largefov").overrides == expected
    assert selected("1", "--retrain-net", "largefov", "--set", "retrain.network=largefov").overrides == expected
    both = selected("1", "--retrain-net", "maskformer", "--set", "toy.rate=0.5").overrides
    assert both == {"toy.rate": 0.5, "retrain.network": "maskformer"}
    with pytest.raises(BenchmarkError, match=r"--retrain-net maskformer contradicts --set retrain.network=largefov"):
        selected("1", "--retrain-net", "maskformer", "--set", "retrain.network=largefov")
    with pytest.raises(click.BadParameter, match="largefov"):
        selected("1", "--retrain-net", "deeplab")


def test_the_network_for_retraining_reaches_the_plan(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.undo()  # the methods themselves
    arguments = ["plan", "--table", "3", "--profile", "smoke", "--methods", "simformer", "--splits", "S4"]
    found = [run_json([*arguments, *more], capsys) for more in ([], ["--retrain-net", "largefov"])]
    names = [{stage["name"] for stage in plan["stages"] if stage["kind"] == "retrain"} for plan in found]
    assert ["LargeFOV" in name for one in names for name in one] == [False, True]


def test_without_entry_points_the_way_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.registry.plugins", lambda *_: {})
    with pytest.raises(BenchmarkError, match=r"no method is installed: .* -m pip install -e \.` in "):
        INSTALLED_METHODS.__wrapped__()


def test_a_folder_of_the_users_own_does_not_stand_in_the_way(tmp_path: Path) -> None:
    for name in ("methods", "splits", "results"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('of the user')")
    (tmp_path / "benchmark").mkdir()
    command = [sys.executable, "-m", "benchmark", "run", "--table", "1", "--splits", "S9", "--profile", "smoke"]
    done = subprocess.run(
        [*command, "--dry-run", "--store", "store"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "of the user" not in done.stderr
    assert done.returncode in {0, 5}, done.stderr


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ENOLCK, errno.ESTALE])
def test_a_store_that_cannot_be_read_is_no_bug(
    code: int, options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    path = tmp_path / "store" / "result.json"

    def fails(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr("benchmark.store.Store.find", fails)
    assert main(["status", *options]) == 2
    said = capsys.readouterr().err
    assert f"error: cannot read {path}" in said
    assert "another folder" in said


def chosen(*arguments: str) -> Selection:
    @click.command()
    @selection_options()
    def show(selection: Selection) -> Selection:
        return selection

    selection: Selection = show.main([*arguments], standalone_mode=False)
    return selection


def test_other_settings_have_a_folder_of_their_own(tmp_path: Path) -> None:
    store = ("--store", str(tmp_path / "store"))
    plain, same = chosen(*store), chosen(*store, "--seeds", "0,1")
    one, other = chosen(*store, "--set", "toy.steps=4"), chosen(*store, "--set", "toy.steps=5")
    folders = [selection.results_folder() for selection in (plain, one, other)]
    assert plain.results_folder() == same.results_folder() == tmp_path / "results" / "mini-mini"
    assert len(set(folders)) == 3


def test_a_table_file_of_ones_own_says_which_data_it_is_about(tmp_path: Path) -> None:
    def table(name: str, **more: str) -> str:
        path = Path(toy.table(tmp_path, name=name))
        path.write_text(path.read_text() + "".join(f"{key}: {value}\n" for key, value in more.items()))
        return str(path)

    plain, voc, coco = table("a"), table("b", dataset="voc2012"), table("c", dataset="coco-stuff-10k")
    printed = table("d", dataset="voc2012", paper="{Toy: [1.0, 2.0]}")
    assert chosen("--table", plain).dataset == "mini"
    assert chosen("--table", voc).dataset == "voc2012"
    assert chosen("--table", voc, "--dataset", "voc2012").dataset == "voc2012"
    assert chosen("--table", printed, "--dataset", "mini").dataset == "mini"
    with pytest.raises(BenchmarkError, match=r"is about dataset voc2012, and --dataset says mini"):
        chosen("--table", voc, "--dataset", "mini")
    with pytest.raises(BenchmarkError, match=r"several datasets .*voc2012.*coco-stuff-10k"):
        chosen("--table", f"{voc},{coco}")
