"""A run that is killed, or refused by its disk, at one of its calls: the next run completes it to the same bytes."""

import errno
import os
import random
import shutil
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmark.errors import BenchmarkError
from benchmark.plan import Plan
from benchmark.store import Store
from tests.campaigns.world import make, silence, table

CALLS = frozenset({"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.utime"})
REFUSALS = (errno.ENOSPC, errno.EIO, errno.EDQUOT)
_KILLED = 77


def writes(event: str, values: tuple[Any, ...]) -> bool:
    """Return whether an audit event is a call that changes files."""
    if event == "open":
        flags = values[2] if len(values) > 2 and isinstance(values[2], int) else 0
        return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    return event in CALLS


def disturbed(plan: Plan, store: Store, at: int, disturb: Callable[[], None], torn: bool) -> int:
    """Run in a child that is disturbed at its call number ``at``; return how many calls it made, or -1 if killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        with os.fdopen(reading, "rb") as answers:
            said = answers.read()
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            return int(said)
        return -1 if os.WIFEXITED(status) and os.WEXITSTATUS(status) == _KILLED else -2
    try:
        os.close(reading)
        os.write(writing, str(_in_child(plan, store, at, disturb, torn)).encode())
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def _in_child(plan: Plan, store: Store, at: int, disturb: Callable[[], None], torn: bool) -> int:
    count, root = 0, str(store.root)

    def hook(event: str, values: tuple[Any, ...]) -> None:
        nonlocal count
        if writes(event, values) and str(values[0]).startswith(root):
            count += 1
            if count == at and not torn:
                disturb()

    if torn:  # what was not flushed is lost: a file is cut where the machine stops before its n-th flush is done
        flush = os.fsync

        def half(descriptor: int) -> None:
            nonlocal count
            count += 1
            if count == at:
                opened = Path(f"/proc/self/fd/{descriptor}")
                if opened.is_file():
                    os.truncate(opened.readlink(), opened.stat().st_size // 2)
                disturb()
            flush(descriptor)

        os.fsync = half  # type: ignore[assignment]
    else:
        sys.addaudithook(hook)
    with silence(), suppress(BenchmarkError):
        make(plan, store)
    return count


def kill() -> None:
    os._exit(_KILLED)


def refuse(code: int) -> Callable[[], None]:
    def raise_it() -> None:
        raise OSError(code, os.strerror(code))

    return raise_it


def one(seed: int, plan: Plan, expected: str, calls: int, folder: Path) -> str:
    """Disturb a run once or twice by a seed, then complete it; return what differs, empty for nothing."""
    rng = random.Random(seed)
    shutil.rmtree(folder, ignore_errors=True)
    store = Store(folder)
    said = []
    for _ in range(rng.choice((1, 1, 2))):
        at, way = rng.randrange(1, calls + 1), rng.choice(("kill", "kill", "torn", "refuse"))
        disturb = refuse(rng.choice(REFUSALS)) if way == "refuse" else kill
        end = disturbed(plan, store, at, disturb, way == "torn")
        said.append(f"{way} at {at}")
        if end == -2:
            return f"seed {seed}: {', '.join(said)}: the run ended with an error that is none of its own"
    what = f"seed {seed}: {', '.join(said)}"
    try:
        with silence():
            complete = any(make(plan, store) for _ in range(2))
        if not complete:
            return f"{what}: two runs did not complete it"
        if table(plan, store) != expected:
            return f"{what}: another table"
    except Exception as error:
        return f"{what}: {type(error).__name__}: {error}"
    left = sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.name.startswith(".") or path.suffix == ".tmp" or path.parent.name == "work"
    )
    return f"{what}: left behind {left[:3]}" if left else ""
