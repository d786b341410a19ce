"""The command line with the toys as methods and tables that need no plotting, for tests that need a real process."""

import sys
from typing import Any

from benchmark import registry
from benchmark.cli import main
from benchmark.report import publication
from tests.benchmark import toy


def run() -> int:
    registry.methods = lambda: toy.METHODS  # type: ignore[assignment]
    publication.publish = _publish
    return main()


def _publish(plan: Any, table: Any, store: Any, out: Any) -> tuple[str, tuple[Any, ...]]:
    done = sum(bool(cell.stage and store.find(cell.stage)) for cell in plan.of(table.name))
    return f"table {table.name}: {done} done", (out / "table.csv",)


if __name__ == "__main__":
    sys.exit(run())
