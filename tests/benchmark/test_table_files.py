"""Names of the tables that ship."""

from benchmark.table_files import APART, names_of_all, table_files, table_names
from benchmark.tables import load_table


def test_files_bear_the_names_of_their_tables() -> None:
    assert list(table_files()) == ["baselines", "course", "stages", "1", "2", "3"]
    assert {load_table(name).name for name in table_files()} == set(table_files())


def test_all_is_every_table_but_those_apart() -> None:
    assert table_files().keys() >= APART
    assert names_of_all() == ("1", "2", "3", "baselines", "stages")
    assert table_names() == ("1", "2", "3", "baselines", "stages", "all", "course")
