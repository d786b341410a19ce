import pytest

from benchmark.errors import BenchmarkError
from benchmark.orderings import Ordering, Pair

ROWS, COLUMNS = ("Basic", "Cross-Pair"), ("Split 1", "Split 4")


def test_two_rows_are_compared_column_by_column() -> None:
    found = Ordering.parse("Cross-Pair > Basic", ROWS, COLUMNS)
    assert found.pairs == tuple(Pair(column, ("Cross-Pair", column), ("Basic", column)) for column in COLUMNS)


def test_a_fall_compares_two_columns_of_one_row() -> None:
    found = Ordering.parse("Basic falls from Split 1 to Split 4", ROWS, COLUMNS)
    assert found.pairs == (Pair("Split 1 to Split 4", ("Basic", "Split 1"), ("Basic", "Split 4")),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Cross-Pair beats Basic", "ordering 'Cross-Pair beats Basic' is neither"),
        ("Cross-Pair > Basik", "unknown row 'Basik' in ordering 'Cross-Pair > Basik'. Did you mean 'Basic'"),
        ("Basic falls from Split 1 to Split 5", "unknown column 'Split 5'"),
        ("Basik falls from Split 1 to Split 4", "unknown row 'Basik'"),
    ],
)
def test_wrong_orderings_are_refused(text: str, message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        Ordering.parse(text, ROWS, COLUMNS)
