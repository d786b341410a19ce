"""The table files hold the printed values, row by row, as the paper prints them."""

import pytest

from benchmark.plan import build_plan
from benchmark.splits import split
from benchmark.table_files import names_of_all
from benchmark.tables import load_table

FOUR = ["Split 1", "Split 2", "Split 3", "Split 4"]
SIX = ["Split 4", "Split 5", "Split 6", "Split 7", "Split 8", "Split 9"]

PRINTED = {
    "1": (
        FOUR,
        {
            "J = 50": "30.7 25.6 31.1 29.2",
            "J = 100": "31.1 26.0 31.5 29.5",
            "J = 150": "31.2 26.3 31.6 29.6",
        },
    ),
    "2": (
        FOUR,
        {
            "Basic": "27.0 23.6 29.1 25.6",
            "Self-Pair": "27.8 24.3 30.0 26.6",
            "Cross-Pair": "31.1 26.0 31.5 29.5",
        },
    ),
    "3": (
        SIX,
        {
            "RETAB*": "25.6 23.0 22.5 21.5 19.9 19.8",
            "SimFormer": "29.5 27.1 26.3 25.1 23.9 23.2",
            "SimFormer*": "31.7 28.3 28.2 25.9 24.3 24.0",
            "FullyOracle": "36.0 35.1 36.0 36.0 36.5 34.7",
        },
    ),
}


@pytest.mark.parametrize("name", ["1", "2", "3"])
def test_every_printed_value(name: str) -> None:
    columns, rows = PRINTED[name]
    table = load_table(name)
    assert [column.label for column in table.columns] == columns
    found: dict[str, list[str]] = {}
    for cell in table.cells():
        found.setdefault(cell.row.label, []).append(f"{cell.printed:.1f}")
    assert found == {label: values.split() for label, values in rows.items()}
    assert table.dataset == "coco-stuff-10k"
    assert table.source == f"supplementary Table {name}"


def test_baselines_print_what_the_other_tables_print_and_stages_nothing() -> None:
    known = {
        (row, column): value
        for columns, rows in PRINTED.values()
        for row in rows
        for column, value in zip(columns, rows[row].split(), strict=True)
    }
    printed = {(cell.row.label, cell.column.label): cell.printed for cell in load_table("baselines").cells()}
    for (row, column), value in printed.items():
        expected = known.get((row, column), known.get(("Cross-Pair", column)) if row == "SimFormer" else None)
        assert value == (None if expected is None else float(expected)), (row, column)
    assert sum(value is not None for value in printed.values()) == 7
    assert all(cell.printed is None for cell in load_table("stages").cells())


@pytest.mark.parametrize("name", names_of_all())
def test_columns_name_their_splits(name: str) -> None:
    for column in load_table(name).columns:
        assert split("coco-stuff-10k", column.label).name == column.split


@pytest.mark.parametrize("name", ["1", "2", "3"])
def test_printed_values_keep_the_orderings_of_the_file(name: str) -> None:
    table = load_table(name)
    printed = {(cell.row.label, cell.column.label): cell.printed or 0.0 for cell in table.cells()}
    assert table.orderings
    for ordering in table.orderings:
        if " > " in ordering:
            above, below = ordering.split(" > ")
            assert all(printed[above, column.label] > printed[below, column.label] for column in table.columns)
        else:
            row, ends = ordering.split(" falls from ")
            first, last = ends.split(" to ")
            assert printed[row, first] > printed[row, last]


def test_one_configuration_in_three_tables_is_one_stage() -> None:
    plan = build_plan(["1", "2", "3"], "mini", "mini", [0], splits=["S4"])
    places = {("1", "J = 100"), ("2", "Cross-Pair"), ("3", "SimFormer")}
    shared = [cell for cell in plan.cells if (cell.table, cell.row) in places]
    assert {cell.printed for cell in shared} == {29.5}
    assert len(shared) == 3
