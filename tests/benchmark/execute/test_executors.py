"""Executors are found by name: what is installed, what its options are, and who is told of which mistake."""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from benchmark.errors import BenchmarkError
from benchmark.execute.campaigns import told
from benchmark.execute.executors import executors
from benchmark.execute.stage_status import StageStatus
from benchmark.execute.this_machine import LOCAL
from benchmark.selection.executors import executor_options

VERBS = Path(__file__).parents[3] / "benchmark" / "commands"
Install = Callable[..., None]


class Toy:
    """An executor that is configured to be its own options."""

    instead = "a toy has no use for it"

    def __init__(self, name: str, *options: Any) -> None:
        self.name, self.options, self.summary = name, options, f"what {name} does"

    def configured(self, values: Any) -> Any:
        return (self.name, values)

    def campaigns(self, store: Any) -> None:
        return None


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Let these be all executors that packages provide."""

    def of(*plugins: Any) -> None:
        dist = SimpleNamespace(name="a-package")
        points = [SimpleNamespace(name="x", value="x:Y", dist=dist, load=_loading(one)) for one in plugins]
        monkeypatch.setattr("benchmark.plugins.entry_points", lambda group: points)
        executors.cache_clear()

    yield of
    executors.cache_clear()


def _loading(plugin: Any) -> Callable[[], Any]:
    def load() -> Any:
        if isinstance(plugin, Exception):
            raise plugin
        return plugin

    return load


def chosen(*arguments: str) -> Any:
    """Return what a command with the options of all executors is given."""

    @click.command()
    @executor_options
    def command(executor: Any) -> Any:
        return executor

    return command.main([*arguments], standalone_mode=False)


def test_the_default_comes_first() -> None:
    assert list(executors()) == ["local", "inline", "slurm"]


def test_each_executor_gets_its_own_options_alone(install: Install) -> None:
    shared = click.option("--gear", type=int, default=1)
    install(Toy("b", shared, click.option("--bell", is_flag=True)), Toy("local", shared))
    assert chosen() == ("local", {"gear": 1})
    assert chosen("--executor", "b", "--gear", "2", "--bell") == ("b", {"gear": 2, "bell": True})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--bell",), "--horn and --bell belong to --executor b; a toy has no use for it."),
        (("--executor", "b", "--gear", "1"), "--gear belongs to --executor local; a toy has no use for it."),
    ],
)
def test_whose_option_was_given_is_said(install: Install, arguments: tuple[str, ...], message: str) -> None:
    options = click.option("--horn"), click.option("--bell", is_flag=True)
    install(Toy("local", click.option("--gear", type=int, default=1)), Toy("b", *options))
    with pytest.raises(click.UsageError) as caught:
        chosen(*arguments)
    assert caught.value.message == message


def test_options_of_this_machine_are_refused_on_a_cluster() -> None:
    with pytest.raises(click.UsageError) as caught:
        chosen("--executor", "slurm", "--cluster", "x.yaml", "--workers", "2")
    assert caught.value.message == (
        "--workers, --processes and --gpus belong to --executor local; on a cluster its file says it."
    )


def test_an_unknown_executor_is_told_with_those_like_it() -> None:
    with pytest.raises(click.BadParameter) as caught:
        chosen("--executor", "slrum")
    assert caught.value.message == "'slrum' is not one of 'local', 'inline', 'slurm'. Did you mean 'slurm'?"


@pytest.mark.parametrize(
    ("plugins", "message"),
    [
        (
            (LOCAL, ImportError("no x")),
            "executor 'x' ('x:Y' of package a-package) cannot be loaded: ImportError: no x.",
        ),
        ((LOCAL, Toy("b"), Toy("b")), "two installed packages provide an executor named 'b'"),
        ((Toy("b"),), "names no executor 'local', so it is older than this code; install it again"),
        (
            (LOCAL, Toy("b", click.option("--workers"))),
            "the executors 'local' and 'b' both have an option --workers; uninstall the package of one of them.",
        ),
    ],
)
def test_packages_that_do_not_fit_are_named(install: Install, plugins: Any, message: str) -> None:
    install(*plugins)
    with pytest.raises(BenchmarkError) as caught:
        chosen()
    assert message in str(caught.value)


def test_of_a_stage_with_two_jobs_the_one_at_work_counts() -> None:
    lost, queued = StageStatus("lost", "1"), StageStatus("queued", "2")
    answers: list[Any] = [SimpleNamespace(status={"a": lost}.get), SimpleNamespace(status={"a": queued}.get)]
    assert told(answers)("a") == queued
    assert told(answers[:1])("a") == lost
    assert told(answers)("b") is None


@pytest.mark.parametrize("verb", ["run", "status", "logs", "cancel", "retry"])
def test_the_verbs_import_no_executor_by_name(verb: str) -> None:
    assert_no_executor_is_imported(VERBS / f"{verb}.py")


@pytest.mark.parametrize("module", ["executors", "targets", "last_run", "options"])
def test_what_the_verbs_choose_with_imports_no_executor_by_name(module: str) -> None:
    assert_no_executor_is_imported(VERBS.parent / "selection" / f"{module}.py")


def assert_no_executor_is_imported(path: Path) -> None:
    tree = ast.parse(path.read_text())
    imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    rooms = ("cluster", "inline", "local", "this_machine", "attended")
    assert imported
    assert not [name for name in imported if name.startswith(tuple(f"benchmark.execute.{room}" for room in rooms))]


def test_help_shows_the_options_of_all_executors_and_loads_no_work() -> None:
    code = (
        "import sys; from benchmark.cli import main; main(['run', '--help']);"
        "print([name for name in ('torch', 'submitit', 'mlflow', 'pandas', 'rich', 'filelock') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[-1] == "[]"
    assert all(any(line.startswith(f"  {flag} ") for line in lines) for flag in ("--workers", "--gpus", "--cluster"))
