"""``checkpoint`` and ``--from-checkpoint``: a file of weights as the command line sees it."""

import json
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmark import registry
from benchmark.cli import main
from benchmark.errors import BenchmarkError
from tests.benchmark import toy

Captured = pytest.CaptureFixture[str]


class Reader(toy.Toy):
    """A method that also reads weights."""

    def __init__(self, name: str) -> None:
        self.name = name

    def describe_checkpoint(self, path: Path) -> Mapping[str, Any]:
        if not path.exists():
            raise BenchmarkError(f"{path}: there is no such file.")
        return {"format": "stone", "author": "", "bytes": 12345, "classes": None}


def install(monkeypatch: pytest.MonkeyPatch, *methods: registry.Method) -> None:
    monkeypatch.setattr(registry, "methods", lambda: {method.name: method for method in methods})


def test_a_file_is_described_by_the_methods_that_read_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    path = tmp_path / "w"
    path.touch()
    install(monkeypatch, toy.Toy(), Reader("a"))
    assert main(["checkpoint", str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == ["format    stone", "bytes     12,345"]
    assert main(["checkpoint", str(path), "--json"]) == 0
    described = {"format": "stone", "author": "", "bytes": 12345, "classes": None}
    assert json.loads(capsys.readouterr().out) == {"a": described}
    install(monkeypatch, Reader("a"), Reader("b"))
    assert main(["checkpoint", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[::3] == ["a:", "b:"]


def test_files_that_cannot_be_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    install(monkeypatch, Reader("a"))
    assert main(["checkpoint", str(tmp_path / "absent")]) == 2
    assert "there is no such file" in capsys.readouterr().err
    install(monkeypatch, toy.Toy())
    assert main(["checkpoint", str(tmp_path / "absent")]) == 2
    assert "no installed method reads files of weights" in capsys.readouterr().err


def test_the_methods_themselves_describe_and_refuse(tmp_path: Path, capsys: Captured) -> None:
    class Bait:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'canary'}",)

    path = tmp_path / "w.pkl"
    torch.save({"model": {"a": torch.zeros(2, 3)}}, path)
    assert main(["checkpoint", str(path), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out).values()
    assert (found["format"], found["tensors"], found["numbers"]) == ("torch.save", 1, 6)
    assert found["fits"].startswith("nothing here")
    path.write_bytes(pickle.dumps({"model": Bait()}))
    assert main(["checkpoint", str(path)]) == 2
    assert "posix.system" in capsys.readouterr().err
    assert not (tmp_path / "canary").exists()


PLAN = ("plan", "--table", "3", "--profile", "smoke", "--methods", "fully_oracle", "--splits", "S4", "--json")


def test_from_checkpoint_reaches_the_plan(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "model_final.pkl"
    path.write_bytes(b"weights")
    for option in (["--from-checkpoint", str(path)], ["--set", f"oracle.checkpoint={path}"]):
        assert main([*PLAN, *option]) == 0
        assert [stage["kind"] for stage in json.loads(capsys.readouterr().out)["stages"]] == ["adopt", "evaluate"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--from-checkpoint", "a", "--set", "oracle.checkpoint=b"],
            "--from-checkpoint a contradicts --set oracle.check",
        ),
        (["--from-checkpoint", "absent"], "oracle.checkpoint = 'absent': there is no such file"),
        (["--from-checkpoint", "a", "--methods", "simformer"], "unknown setting 'oracle.checkpoint'"),
    ],
)
def test_a_checkpoint_that_cannot_be_taken(options: list[str], message: str, capsys: Captured) -> None:
    assert main([*PLAN, *options]) == 2
    assert message in capsys.readouterr().err
