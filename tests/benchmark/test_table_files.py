"""Names of the tables that ship."""

import shutil
from pathlib import Path

import pytest

from benchmark import table_files as module
from benchmark.errors import BenchmarkError
from benchmark.paths import data_folder
from benchmark.report.publication import file_stem
from benchmark.selection.options import tables_named
from benchmark.table_files import ALIASES, APART, is_table_path, names_of_all, table_files, table_names
from benchmark.tables import load_table


@pytest.fixture
def second_paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the folder of another paper beside the one that ships; return it."""
    shutil.copytree(data_folder("papers"), tmp_path / "papers")
    folder = tmp_path / "papers" / "mcis"
    folder.mkdir()
    text = (data_folder("papers") / "simformer" / "table1.yaml").read_text()
    (folder / "table1.yaml").write_text(text.replace('name: "1"', "name: mcis/1"))
    monkeypatch.setattr(module, "data_folder", lambda _: tmp_path / "papers")
    return folder


def test_files_bear_the_names_of_their_tables() -> None:
    assert list(table_files()) == ["baselines", "learning-curve", "stages", "1", "2", "3"]
    assert {load_table(name).name for name in table_files()} == set(table_files())


def test_all_is_every_table_but_those_apart() -> None:
    assert table_files().keys() >= APART
    assert names_of_all() == ("1", "2", "3", "baselines", "stages")
    assert table_names() == ("1", "2", "3", "baselines", "stages", "all", "learning-curve")


def test_a_second_paper_is_a_folder(second_paper: Path) -> None:
    assert list(table_files())[-1] == "mcis/1"
    assert load_table("mcis/1").name == "mcis/1"
    assert load_table("1").name == "1"
    assert tables_named(["mcis/1,1"]) == ("mcis/1", "1")
    assert "mcis/1" not in names_of_all()
    assert table_names()[-1] == "mcis/1"
    stems = [file_stem(name) for name in table_files()]
    assert stems[-1] == "mcis-table1"
    assert len(set(stems)) == len(stems)
    assert not is_table_path("mcis/1")
    (second_paper / "table1.yaml").rename(second_paper / "table2.yaml")
    with pytest.raises(BenchmarkError, match=r"says table 'mcis/1', its place 'mcis/2'"):
        load_table("mcis/2")


@pytest.mark.usefixtures("second_paper")
@pytest.mark.parametrize(
    ("typed", "meant"), [("mcsi/1", "mcis/1"), ("mcis/2", "mcis/1"), ("learning_curve", "learning-curve")]
)
def test_a_typo_is_told_what_it_is_like(typed: str, meant: str) -> None:
    with pytest.raises(BenchmarkError, match=f"Did you mean '{meant}'"):
        load_table(typed)


def test_old_names_still_say_which_table_is_meant() -> None:
    for old, name in ALIASES.items():
        assert load_table(old) == load_table(name)
        assert tables_named([f"{old},{name}"]) == (name,)
    assert not ALIASES.keys() & table_files().keys()


def test_a_file_of_the_users_needs_no_suffix(tmp_path: Path) -> None:
    path = tmp_path / "mine"
    path.write_text((data_folder("papers") / "simformer" / "table1.yaml").read_text())
    assert load_table(str(path)) == load_table("1")
