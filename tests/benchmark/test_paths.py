"""What is a path, and what the name of something that comes with the software."""

import pytest

from benchmark.paths import is_path


@pytest.mark.parametrize("name", ["own.yaml", "own.yml", "tables/own", "./3", "a/own.yaml"])
def test_a_suffix_or_a_folder_makes_a_path(name: str) -> None:
    assert is_path(name)


@pytest.mark.parametrize("name", ["3", "mini", "coco-stuff-10k", "own.zip", "yaml", ""])
def test_other_words_are_names(name: str) -> None:
    assert not is_path(name)


def test_files_of_another_kind_have_their_own_suffix() -> None:
    assert is_path("anna.zip", ".zip")
    assert is_path("runs/anna", ".zip")
    assert not is_path("anna", ".zip")
    assert not is_path("own.yaml", ".zip")
