"""``python -m tests.campaigns``: many crash and damage schedules; exit code 1 if any makes a difference."""

import argparse
import multiprocessing
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmark.plan import Plan
from benchmark.store import Store
from tests.campaigns import crashes, damage
from tests.campaigns.world import make, plan_in, silence, table


def prepared(folder: Path) -> tuple[Plan, str, int]:
    """Return the plan, the table of an undisturbed run, whose store is ``finished``, and how many calls it makes."""
    plan, finished = plan_in(folder), Store(folder / "finished")
    with silence():
        assert make(plan, finished)
    calls = crashes.disturbed(plan, Store(folder / "counted"), 0, crashes.kill, torn=False)
    return plan, table(plan, finished), calls


def crash(seed: int, plan: Plan, expected: str, calls: int, folder: Path) -> str:
    return crashes.one(seed, plan, expected, calls, folder / multiprocessing.current_process().name / "crash")


def harm(seed: int, plan: Plan, expected: str, folder: Path) -> str:
    own = folder / multiprocessing.current_process().name / "damage"
    with silence():
        return damage.one(seed, plan, folder / "finished", expected, own)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crashes", type=int, default=10_000)
    parser.add_argument("--damages", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first schedule; the others follow")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    asked = parser.parse_args()
    memory = Path("/dev/shm")
    failed = 0
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as place:
        folder = Path(place)
        plan, expected, calls = prepared(folder)
        kinds = (
            ("crash", asked.crashes, partial(crash, plan=plan, expected=expected, calls=calls, folder=folder)),
            ("damage", asked.damages, partial(harm, plan=plan, expected=expected, folder=folder)),
        )
        for name, number, work in kinds:
            began, differences = time.monotonic(), []
            with multiprocessing.get_context("fork").Pool(asked.processes) as pool:
                for done, said in enumerate(pool.imap(work, range(asked.seed, asked.seed + number), 16), start=1):
                    if said:
                        differences.append(said)
                        print(said, flush=True)
                    if done % 1000 == 0:
                        print(f"{name}: {done} of {number}", file=sys.stderr, flush=True)
            seconds = time.monotonic() - began
            print(f"{number} {name} schedules in {seconds:.0f} s: {len(differences)} with a difference", flush=True)
            failed += len(differences)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
