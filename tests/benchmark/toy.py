"""A method whose stages take milliseconds, for tests of everything around methods."""

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from benchmark import registry
from benchmark.registry import Cell, Method
from benchmark.stage import Stage, StageContext, StageInterrupted

HERE = "tests.benchmark.toy"
TRAIN = f"{HERE}:train"


@dataclass(frozen=True)
class ToySettings:
    """What the toy's stages do."""

    steps: int = 3  # of a training
    pause: float = 0.0
    rate: float = 0.5
    sizes: tuple[int, ...] = (1, 2)
    mode: Literal["fine", "fail", "full_disk", "kill", "exit", "print", "signal"] = "fine"


class Toy:
    """One shared preparation, one training a split and seed, one evaluation."""

    name = "toy"
    title = "Toy"
    summary = "counts to three"
    variants: Mapping[str, str] = {"": "works", "broken": "its training fails"}
    settings: Mapping[str, type] = {"toy": ToySettings}

    def preset(self, name: str, dataset: str, split: str) -> Mapping[str, Any]:
        return {"toy.rate": 0.25} if name == "official" else {}

    def plan(self, cell: Cell) -> Stage:
        settings: ToySettings = cell.settings["toy"]
        data = {"dataset": {"name": cell.dataset.name, "digest": cell.dataset.digest}}
        shared = Stage("prepare", "preparation", f"{HERE}:prepare", 1, data)
        mode = "fail" if cell.variant == "broken" else settings.mode
        params: dict[str, Any] = {
            **data,
            "novel": list(cell.split.novel),
            "seed": cell.seed,
            "steps": settings.steps,
            "mode": mode,
        }
        if settings.rate != 0.5:
            params["rate"] = settings.rate
        params["pause"] = settings.pause
        train = Stage("train", f"training {cell.split.name}", TRAIN, 1, params, {"shared": shared}, cost=2.0)
        name = f"evaluation {cell.split.name}"
        return Stage("evaluate", name, f"{HERE}:evaluate", 1, data, {"model": train}, "evaluation")


class Other(Toy):
    """The toy under another name and section: settings of one are none of the other."""

    name = "other"
    variants: Mapping[str, str] = {"": "works"}

    @dataclass(frozen=True)
    class Settings:
        depth: int = 1

    settings: Mapping[str, type] = {"toy": ToySettings, "other": Settings}


METHODS: dict[str, Method] = {"toy": Toy(), "other": Other()}


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the toys the only methods there are."""
    monkeypatch.setattr(registry, "methods", lambda: METHODS)


def profile(folder: Path, text: str = "") -> str:
    """Write a profile for the toys and return its path."""
    path = folder / "toy.yaml"
    path.write_text(text or "toy: {}\n")
    return str(path)


def table(folder: Path, *, rows: str = "[{label: Toy, method: toy}]", splits: str = "S1 S2", name: str = "t") -> str:
    """Write a table file and return its path."""
    columns = ", ".join(f"{{label: {split}, split: {split}}}" for split in splits.split())
    path = folder / f"table_{name}.yaml"
    path.write_text(f"name: {name}\ntitle: A table\nrows: {rows}\ncolumns: [{columns}]\n")
    return str(path)


def calls() -> list[str]:
    """Return the names of the stages that ran, in order, over all processes."""
    path = Path(os.environ["TOY_CALLS"])
    return path.read_text().split() if path.exists() else []


def note(name: str) -> None:
    with Path(os.environ["TOY_CALLS"]).open("a") as stream:
        stream.write(f"{name}\n")


def prepare(context: StageContext) -> Mapping[str, Any]:
    note("prepare")
    (context.out / "shared.txt").write_text("shared")
    return {"classes": 0}


def train(context: StageContext) -> Mapping[str, Any]:
    note("train")
    assert (context.inputs["shared"] / "shared.txt").read_text() == "shared"
    _act(context.params["mode"])
    checkpoint = context.scratch / "step.json"
    begin = json.loads(checkpoint.read_text()) if checkpoint.exists() else 0
    for step in range(begin, context.params["steps"]):
        if context.stop_requested:
            raise StageInterrupted
        time.sleep(context.params["pause"])
        context.log(step, loss=1 / (step + 1))
        context.progress(step + 1, context.params["steps"])
        temporary = checkpoint.with_suffix(".tmp")
        temporary.write_text(json.dumps(step + 1))
        temporary.replace(checkpoint)
    (context.out / "model.txt").write_text(f"{context.params['seed']} {context.params['steps']}")
    return {"begin": begin}


def _act(mode: str) -> None:
    if mode == "fail":
        raise RuntimeError("the toy is broken")
    if mode == "full_disk":
        raise OSError(28, os.strerror(28))
    if mode == "exit":
        sys.exit("I leave")
    if mode in {"kill", "signal"}:
        os.kill(os.getpid(), 9 if mode == "kill" else 15)
    if mode == "print":
        print("printed by Python")
        os.system("echo printed by a child")


def evaluate(context: StageContext) -> Mapping[str, Any]:
    import numpy as np

    from benchmark.metrics import CountsBuilder

    note("evaluate")
    assert context.inputs["model"].joinpath("model.txt").is_file()
    builder = CountsBuilder(20)
    truth = np.arange(40, dtype=np.uint8).reshape(2, 20) % 20
    builder.add("image", truth, truth)
    builder.build().save(context.out / "counts.npz")
    return {"images": 1}
