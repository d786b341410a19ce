from pathlib import Path

import pytest

from benchmark.errors import BenchmarkError
from benchmark.tables import Row, Table, load_table, swept

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
    assert cells[1].overrides == {"row 'One'": {"toy.rate": 1e-3}, "column 'B'": {"toy.steps": 2}}
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
        ("[1.5, null]", "[1.5]", ["1 value for row 'One'; the table has 2 columns"]),
        ("  One: [1.5, null]", "  On: [1, 2]", ["'On'", "Did you mean 'One'"]),
        ("label: Two", "label: One", ["two rows are called 'One'"]),
        ("label: B", "label: A", ["two columns are called 'A'"]),
        ("method: toy, variant", "variant", ["rows.1.method: missing"]),
        ("split: S2, set: {toy.steps: 2}", "slpit: S2", ["columns.1.slpit: unknown key", "columns.1.split: missing"]),
        ("title: A table", "title: A table\nplot: {kind: pie}", ["plot.kind"]),
        (
            "title: A table",
            "title: A table\nplot: {kind: curve, nominal: [1]}",
            ["1 nominal position; the table has 2 columns"],
        ),
        ("title: A table", "title: A table\nplot: {kind: curve, x: steps}", ["x is 'steps', but", "is set by 'A';"]),
        ("title: A table", "title: A table\nplot: {kind: lines, x: novel_ratio}", ["is set by 'One', 'Two';"]),
        ("title: A table", "title: A table\nreported: C", ["unknown column 'C' in reported. Known: A, B"]),
        ("title: A table", "title: A table\norderings: [One > Tow]", ["unknown row 'Tow' in ordering 'One > Tow'"]),
        ("title: A table", "title: A table\norderings: [One beats Two]", ["'One beats Two' is neither 'A > B'"]),
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


STEPS = """
name: own
title: Step by step
columns: [{label: A, split: S1}]
rows:
  - {label: first, method: toy, curve: Toy, step: begin}
  - {label: second, method: toy, curve: Toy, step: end}
plot:
  kind: steps
  scored:
    training images: [begin]
    test images: [end]
"""


def test_steps_stand_in_the_order_of_what_is_scored(tmp_path: Path) -> None:
    table = load_table(write(tmp_path, STEPS))
    assert table.plot.steps == ("begin", "end")
    assert list(table.plot.scored) == ["training images", "test images"]
    assert Table.model_validate_json(table.model_dump_json()) == table


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (", curve: Toy, step: begin", "", "row 'first' has no curve, which a plot of steps needs; no row is at"),
        (", step: begin", "", "row 'first' has no step, which a plot of steps needs"),
        (
            "step: begin",
            "step: begn",
            "unknown step 'begn' in row 'first'; plot.scored names them. Did you mean 'begin'",
        ),
        ("step: begin", "step: end", "two rows are step 'end' of curve 'Toy'; no row is at the steps 'begin' of"),
        ("[begin]", "[begin, middle]", "no row is at the steps 'middle' of plot.scored"),
        ("[begin]", "[]", "plot.scored names no step of 'training images'"),
        ("[begin]", "[begin, end]", "plot.scored names step 'end' twice"),
        ("kind: steps", "kind: steps\n  x: points", "plot has x, label or nominal, but along the axis of kind steps"),
        ("kind: steps", "kind: row_bars", "plot.scored belongs to kind steps, not to kind row_bars"),
    ],
)
def test_faults_of_steps_are_named(tmp_path: Path, before: str, after: str, message: str) -> None:
    assert before in STEPS
    with pytest.raises(BenchmarkError) as error:
        load_table(write(tmp_path, STEPS.replace(before, after, 1)))
    assert message in str(error.value)


def test_rows_of_steps_may_be_bars_as_well(tmp_path: Path) -> None:
    bars = STEPS[: STEPS.index("plot:")] + "plot: {kind: row_bars}\n"
    assert load_table(write(tmp_path, bars)).plot.along_rows


def test_unknown_tables(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"unknown table '4'.*Known: 1, 2, 3, all"):
        load_table("4")
    with pytest.raises(BenchmarkError, match="No such file"):
        load_table(str(tmp_path / "none.yaml"))
    with pytest.raises(BenchmarkError, match=r"a table maps .*; found \[1\]"):
        load_table(write(tmp_path, "- 1\n"))
    with pytest.raises(BenchmarkError, match=r"own.yaml: a table maps .*; found an empty file"):
        load_table(write(tmp_path, ""))


def test_what_a_table_checks_itself_names_its_values_alone(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"the table has 2 columns\.$"):
        load_table(write(tmp_path, TABLE.replace("[1.5, null]", "[1.5]")))


def test_a_setting_gives_a_row_its_place() -> None:
    row = Row(label="a", method="toy", set={"toy.steps": 3, "toy.name": "x", "other.name": 1})
    assert (swept(row, "steps"), swept(row, "name"), swept(row, "rate")) == (3.0, None, None)


def test_a_label_is_one_visible_line(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    head = 'name: own\ncolumns: [{label: a, split: split1}]\nrows: [{label: b, method: simformer}]\ntitle: "x\\n'
    path.write_text(head + '\\\\input{y}"\n')
    with pytest.raises(BenchmarkError, match="one line without control"):
        load_table(str(path))
