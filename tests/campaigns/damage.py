"""Damage to a finished store: whatever is done to one of its files is detected, or the table stays as it was."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

from benchmark.errors import BenchmarkError
from benchmark.plan import Plan
from benchmark.store import Store
from tests.campaigns.world import make, table

Damage = Callable[[random.Random, Path, list[Path]], None]


def flip(rng: random.Random, path: Path, _: list[Path]) -> None:
    content = bytearray(path.read_bytes())
    if content:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def truncate(rng: random.Random, path: Path, _: list[Path]) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(max(1, len(content)))])


def zero(rng: random.Random, path: Path, _: list[Path]) -> None:
    content = path.read_bytes()
    begin = rng.randrange(max(1, len(content)))
    path.write_bytes(content[:begin] + bytes(len(content) - begin))


def swap(rng: random.Random, path: Path, files: list[Path]) -> None:
    others = [other for other in files if other.name == path.name and other != path] or files
    other = rng.choice(others)
    first, second = path.read_bytes(), other.read_bytes()
    path.write_bytes(second)
    other.write_bytes(first)


def swap_folders(rng: random.Random, path: Path, files: list[Path]) -> None:
    folders = sorted({file.parent for file in files if file.name == "result.json"})
    first, second = rng.sample(folders, 2)
    between = first.with_name("between")
    first.rename(between)
    second.rename(first)
    between.rename(second)


def delete(_: random.Random, path: Path, __: list[Path]) -> None:
    path.unlink()


KINDS: tuple[Damage, ...] = (flip, truncate, zero, swap, swap_folders, delete)


def one(seed: int, plan: Plan, finished: Path, expected: str, folder: Path) -> str:
    """Damage a copy of a finished store by a seed; return what differs, empty for nothing."""
    rng = random.Random(seed)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(finished, folder)
    store = Store(folder)
    if rng.random() < 0.4:  # then the inputs of evaluations are read again
        for cell in plan.cells:
            if cell.stage:
                shutil.rmtree(store.folder(cell.stage.key))
    files = sorted(path for path in (folder / "stages").rglob("*") if path.is_file())
    path, kind = rng.choice(files), rng.choice(KINDS)
    what = f"seed {seed}: {kind.__name__} {path.relative_to(folder)}"
    kind(rng, path, files)
    try:
        if all(cell.stage and store.find(cell.stage) for cell in plan.cells) and table(plan, store) != expected:
            return f"{what}: another table, and no word"
    except BenchmarkError:
        pass
    except Exception as error:
        return f"{what}: table raises {type(error).__name__}: {error}"
    try:
        if not any(make(plan, store) for _ in range(3)):
            return f"{what}: three runs did not complete it"
        if table(plan, store) != expected:
            return f"{what}: another table after a run"
    except Exception as error:
        return f"{what}: run raises {type(error).__name__}: {error}"
    return ""
