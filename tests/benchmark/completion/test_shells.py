"""Completion as bash, zsh and fish ask for it, and in these shells themselves where they are installed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.cli import VERBS, main
from benchmark.errors import Exit
from benchmark.program import COMPLETE

ROOT = Path(__file__).parents[3]
HEAVY = {"torch", "torchvision", "mlflow", "pandas", "matplotlib"}
Captured = pytest.CaptureFixture[str]
Ask = Callable[[str], list[str]]


def question(shell: str, line: str) -> dict[str, str]:
    """Return the variables by which a shell asks what may stand at the end of a line."""
    words = line.replace("=", " = " if shell == "bash" else "=").split(" ")  # bash takes words apart there
    at = words[-1] if shell == "fish" else str(len(words) - 1)
    return {COMPLETE: f"{shell}_complete", "COMP_WORDS": " ".join(words), "COMP_CWORD": at}


def answers(shell: str, output: str) -> list[str]:
    """Return ``kind,value`` of each answer, the helps left out."""
    lines = [line for line in output.splitlines() if line]
    if shell == "zsh":
        return [f"{kind},{value}" for kind, value in zip(lines[::3], lines[1::3], strict=True)]
    return [line.partition("\t")[0] for line in lines]


@pytest.fixture(params=["bash", "zsh", "fish"])
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ask(shell: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> Ask:
    def asked(line: str) -> list[str]:
        for name, value in question(shell, line).items():
            monkeypatch.setenv(name, value)
        assert main([]) == 0
        output = capsys.readouterr()
        assert output.err == ""
        return answers(shell, output.out)

    return asked


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x pl", ["plan", "plot"]),
        ("x mlf", ["mlflow-server"]),
        ("x data ", ["prepare", "show", "verify"]),
        ("x run --exec", ["--executor"]),
        ("x run --executor ", ["local", "inline", "slurm"]),
        ("x run --preset o", ["official"]),
        ("x plan --profile s", ["smoke"]),
        ("x run --dataset m", ["mini", "msrc21"]),
        ("x run --table 1,b", ["1,baselines"]),
        ("x table sta", ["stages"]),
        ("x plot l", ["learning-curve"]),
        ("x run --methods simformer,r", ["simformer,retab", "simformer,rib"]),
        ("x run --splits S4,S1,S", [f"S4,S1,S{number}" for number in (2, 3, 5, 6, 7, 8, 9)]),
        ("x table 3 --format la", ["latex"]),
        ("x data prepare a", ["ade20k"]),
        ("x data show mini --split S1", ["S1"]),
        ("x splits --dataset coco", ["coco-stuff-10k"]),
        ("x plan --gpu A1", ["A100"]),
        ("x measure --b", ["--breakdown"]),
        ("x measure --breakdown --tr", ["--trace"]),
        ("x measure --input --im", ["--images"]),
        ("x run --dataset nothing --splits ", []),
        ("x pln --", []),
    ],
)
def test_what_may_stand_at_the_cursor(ask: Ask, line: str, expected: list[str]) -> None:
    assert ask(line) == [f"plain,{value}" for value in expected]


def test_every_verb_is_offered_and_no_old_one(ask: Ask) -> None:
    assert ask("x ") == [f"plain,{name}" for name in VERBS]


@pytest.mark.parametrize("line", ["x run --table ./", "x run --dataset own", "x run --cluster own", "x verify own"])
def test_files_are_left_to_the_shell(ask: Ask, line: str) -> None:
    assert ask(line) == [f"file,{line.rpartition(' ')[2]}"]


def test_a_value_behind_a_sign_completes_the_word_that_the_shell_sees(ask: Ask, shell: str) -> None:
    before = "" if shell == "bash" else "--table="
    assert ask("x run --table=1,b") == [f"plain,{before}1,baselines"]


def test_another_instruction_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    for wrong in ("tcsh_source", "bash_sauce", "1"):
        monkeypatch.setenv(COMPLETE, wrong)
        assert main(["plan"]) == Exit.USAGE
        output = capsys.readouterr()
        assert f"unknown instruction '{wrong}' in ${COMPLETE}" in output.err
        assert "bash_source" in output.err
        assert output.out == ""


@pytest.mark.parametrize("line", ["x p", "x run --methods ", "x measure --input --", "x report --table "])
def test_nothing_heavy_is_loaded(line: str) -> None:
    code = f"import sys; from benchmark.cli import main; main([]); print(sys.modules.keys() & {HEAVY})"
    command = [sys.executable, "-c", code]
    environment = {**os.environ, **question("bash", line)}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) > 1
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a console script and this Python before all others, in a folder that holds no other file."""
    for name, text in {
        "weakshot-benchmark": f"#!{sys.executable}\nfrom benchmark.cli import main\nraise SystemExit(main())\n",
        "python": f'#!/bin/sh\nexec "{sys.executable}" "$@"\n',
    }.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)


def completed(shell: str, script: str) -> list[str]:
    """Return the lines that a script prints in a shell."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    command = {"bash": ["bash", "--norc", "-c"], "fish": ["fish", "--no-config", "-c"]}[shell]
    done = subprocess.run([*command, script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.usefixtures("console")
@pytest.mark.parametrize(
    ("program", "words", "function"),
    [
        ("weakshot-benchmark", "weakshot-benchmark", "_weakshot_benchmark_completion"),
        ("python -m benchmark", "python -m benchmark", "_weakshot_benchmark_completion_of_python"),
        ("python -m benchmark", "./python -m benchmark", "_weakshot_benchmark_completion_of_python"),
    ],
)
def test_bash_sources_its_script_and_completes(program: str, words: str, function: str) -> None:
    name, _, _ = program.partition(" ")
    lines = completed(
        "bash",
        f'eval "$({COMPLETE}=bash_source {program})"; complete -p {name}\n'
        f"COMP_WORDS=({words} run --table 1,b) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n"
        f"{function} {words.partition(' ')[0]}; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
    )
    assert lines[0].endswith(f"-F {function} {name}")
    assert lines[1:] == ["1,baselines"]


@pytest.mark.usefixtures("console")
def test_bash_completes_nothing_of_other_modules() -> None:
    lines = completed(
        "bash",
        f'eval "$({COMPLETE}=bash_source python -m benchmark)"\n'
        "COMP_WORDS=(python -m pip ins) COMP_CWORD=3\n"
        "_weakshot_benchmark_completion_of_python python; echo ${#COMPREPLY[@]}",
    )
    assert lines == ["0"]


@pytest.mark.usefixtures("console")
@pytest.mark.parametrize("program", ["weakshot-benchmark", "python -m benchmark"])
def test_fish_sources_its_script_and_completes_words_with_commas(program: str) -> None:
    lines = completed(
        "fish",
        f"{COMPLETE}=fish_source {program} | source\n"
        f'complete -C "{program} run --table 1,b"; complete -C "{program} mlf"',
    )
    assert lines == ["1,baselines", f"mlflow-server\t{VERBS['mlflow-server'].summary}"]


@pytest.mark.usefixtures("console")
@pytest.mark.parametrize("program", ["weakshot-benchmark", "python -m benchmark"])
def test_the_scripts_are_ones_that_the_shells_can_read(shell: str, program: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    environment = {**os.environ, COMPLETE: f"{shell}_source"}
    made = subprocess.run(program.split(), env=environment, capture_output=True, text=True, check=True)
    (tmp_path / "script").write_text(made.stdout)
    assert made.stdout
    subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)
