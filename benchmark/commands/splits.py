"""``splits``: which classes are novel in each split of each dataset, and whether the files keep their rules."""

import json
from collections.abc import Iterator
from typing import Any

import click

from benchmark import split_files, splits
from benchmark.completion import values as offered
from benchmark.errors import Exit

_COLUMNS = ("dataset", "split", "novel", "base", "ratio", "check")


@click.command("splits")
@click.option(
    "--dataset",
    shell_complete=offered.one_of(offered.datasets, path=True),
    help="Only this dataset: a name, or the path of a dataset YAML.  [default: all]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON with the class ids instead of a table.")
def command(dataset: str | None, as_json: bool) -> None:
    """List the class splits and check their ids, sizes and nesting; exit code 1 when a check fails."""
    names = [dataset] if dataset else list(split_files.datasets())
    rows = [row for name in names for row in _rows(name)]
    click.echo(json.dumps(rows, indent=2) if as_json else _table(rows))
    if any(row["faults"] for row in rows):
        click.get_current_context().exit(Exit.INCOMPLETE)


def _rows(dataset: str) -> Iterator[dict[str, Any]]:
    found = splits.source(dataset)
    for split, faults in splits.faults(found).items():
        ids = sorted(set(found.novel[split]))
        yield {
            "dataset": found.dataset,
            "split": split,
            "novel": len(ids),
            "base": len(found.classes) - len(ids),
            "novel_ratio": len(ids) / len(found.classes),
            "novel_ids": ids,
            "faults": faults,
        }


def _table(rows: list[dict[str, Any]]) -> str:
    cells = [_COLUMNS, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(_COLUMNS))]
    return "\n".join(_line(line, widths) for line in cells)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    ratio = f"{100 * row['novel_ratio']:.1f} %"
    verdict = "; ".join(row["faults"]) or "ok"
    return (row["dataset"], row["split"], str(row["novel"]), str(row["base"]), ratio, verdict)


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    """Words to the left, numbers to the right."""
    placed = (
        cell.rjust(w) if 2 <= i <= 4 else cell.ljust(w) for i, (cell, w) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(placed).rstrip()
