from pathlib import Path

import pytest

from benchmark.errors import BenchmarkError
from benchmark.tables import load_table

TABLE = """
name: own
title: A table
columns:
  - {label: A, split: S1}
  - {label: B, split: S2, set: {toy.steps: 2}}
rows:
  - {label: One, method: toy, set: {toy.rate: 1e-3}}
  - {label: Two, method: toy, variant: broken}
paper:
  One: [1.5, null]
"""


def write(folder: Path, text: str) -> str:
    path = folder / "own.yaml"
    path.write_text(text)
    return str(path)


def test_cells_are_rows_times_columns_with_printed_values(tmp_path: Path) -> None:
    cells = list(load_table(write(tmp_path, TABLE)).cells())
    assert [(cell.row.label, cell.column.label, cell.printed) for cell in cells] == [
        ("One", "A", 1.5),
        ("One", "B", None),
        ("Two", "A", None),
        ("Two", "B", None),
    ]
    assert cells[1].overrides == ({"toy.rate": 1e-3}, {"toy.steps": 2})
    assert cells[3].row.variant == "broken"


@pytest.mark.parametrize(("name", "cells"), [("1", 12), ("2", 12), ("3", 24)])
def test_the_papers_tables_load(name: str, cells: int) -> None:
    table = load_table(name)
    assert table.name == name
    assert len(list(table.cells())) == cells
    assert all(cell.printed is not None for cell in table.cells())


@pytest.mark.parametrize(
    ("before", "after", "messages"),
    [
        ("name: own", "nmae: own", ["nmae: unknown key. Did you mean name?", "name: missing"]),
        ("name: own", "name: 3", ["name: Input should be a valid string, found 3"]),
        ("[1.5, null]", "[1.5]", ["1 values for row 'One', but there are 2 columns"]),
        ("  One: [1.5, null]", "  On: [1, 2]", ["'On'", "Did you mean 'One'"]),
        ("label: Two", "label: One", ["two rows are called 'One'"]),
        ("label: B", "label: A", ["two columns are called 'A'"]),
        ("method: toy, variant", "variant", ["rows.1.method: missing"]),
        ("split: S2, set: {toy.steps: 2}", "slpit: S2", ["columns.1.slpit: unknown key", "columns.1.split: missing"]),
        ("title: A table", "title: A table\nplot: {kind: pie}", ["plot.kind"]),
        ("title: A table", "title: A table\nplot: {kind: curve, nominal: [1]}", ["1 nominal positions"]),
    ],
)
def test_errors_name_file_path_and_value(tmp_path: Path, before: str, after: str, messages: list[str]) -> None:
    assert before in TABLE
    path = write(tmp_path, TABLE.replace(before, after, 1))
    with pytest.raises(BenchmarkError) as error:
        load_table(path)
    assert path in str(error.value)
    for message in messages:
        assert message in str(error.value)


def test_unknown_tables(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"unknown table '4'.*Known: 1, 2, 3, all"):
        load_table("4")
    with pytest.raises(BenchmarkError, match="No such file"):
        load_table(str(tmp_path / "none.yaml"))
    with pytest.raises(BenchmarkError, match="a table maps"):
        load_table(write(tmp_path, "- 1\n"))
