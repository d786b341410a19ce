import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmark import split_files, splits
from benchmark.commands.splits import command
from benchmark.errors import BenchmarkError
from benchmark.paths import data_folder
from benchmark.split_files import datasets, split_file
from benchmark.splits import FOLDS, GROWING, Source, class_names, faults, novel_count, split

RATIOS = {"S5": 0.30, "S6": 0.35, "S7": 0.40, "S8": 0.45, "S9": 0.50}
COCO_COUNTS = {"S1": 43, "S2": 43, "S3": 43, "S4": 43, "S5": 51, "S6": 59, "S7": 68, "S8": 76, "S9": 85}


def test_every_dataset_has_a_file() -> None:
    assert datasets() == ("ade20k", "coco-stuff-10k", "mini", "msrc21")
    assert data_folder("papers").name == "papers"


@pytest.mark.parametrize("dataset", datasets())
def test_the_files_keep_their_rules(dataset: str) -> None:
    assert not any(faults(splits.source(dataset)).values())
    for one in splits.splits(dataset).values():
        assert set(one.novel) | set(one.base) == set(range(len(class_names(dataset))))
        assert not set(one.novel) & set(one.base)


def test_coco_stuff_has_the_facts_of_the_release() -> None:
    content, known = split_file("coco-stuff-10k"), splits.splits("coco-stuff-10k")
    assert (content.classes[0], content.classes[80], content.classes[170]) == ("person", "banner", "wood")
    assert {name: len(one.novel) for name, one in known.items()} == COCO_COUNTS
    assert known["S9"].novel_ratio == pytest.approx(85 / 171)
    assert len(content.coco_category_id) == 171
    assert len(content.excluded_stems) == 7
    overlaps = [len(set(known[a].novel) & set(known[b].novel)) for a, b in _pairs("S1", "S2", "S3", "S4")]
    assert overlaps == [16, 7, 12, 13, 8, 13]


def test_growing_coco_splits_are_prefixes_of_the_permutation() -> None:
    prefix, known = split_file("coco-stuff-10k").permutation_prefix, splits.splits("coco-stuff-10k")
    assert len(set(prefix)) == 100
    for name in ("S4", *RATIOS):
        size = int(171 * RATIOS[name]) if name in RATIOS else 43
        assert known[name].novel == tuple(sorted(prefix[:size]))


def test_ade20k_has_the_facts_of_the_release() -> None:
    content, known = split_file("ade20k"), splits.splits("ade20k")
    assert len(content.classes) == 150
    assert content.classes[8] == "window"  # without the trailing blank of the source
    assert all(name == name.strip() for name in content.classes)
    assert [len(one.novel) for one in known.values()] == [38] * 4
    overlaps = [len(set(known[a].novel) & set(known[b].novel)) for a, b in _pairs(*known)]
    assert overlaps == [5, 5, 6, 11, 7, 15]
    assert len(content.excluded_stems) == 16


def seeded_splits(classes: Sequence[str], stuff: Sequence[int], seed: int) -> dict[str, list[int]]:
    """Return S1..S9 as the ``rule`` of ``mini`` and ``msrc21`` draws them.

    Classes are ordered by a digest of seed and name, which no library version can change. Stuff, then things, are dealt
    like cards to four folds S1..S4; S5..S9 add to S4 the next of the remaining classes.
    """
    K = len(classes)
    shuffled = sorted(range(K), key=lambda i: hashlib.sha256(f"{seed}/{classes[i]}".encode()).hexdigest())
    deck = [i for i in shuffled if i in stuff] + [i for i in shuffled if i not in stuff]
    folds = {name: deck[hand :: len(FOLDS)][: novel_count(name, K)] for hand, name in enumerate(FOLDS)}
    growing = folds["S4"] + [i for i in shuffled if i not in folds["S4"]]
    drawn = folds | {name: growing[: novel_count(name, K)] for name in GROWING}
    return {name: sorted(ids) for name, ids in drawn.items()}


@pytest.mark.parametrize("dataset", ["mini", "msrc21"])
def test_seeded_splits_are_what_the_seed_gives(dataset: str) -> None:
    content = split_file(dataset)
    assert content.seed is not None
    drawn = seeded_splits(content.classes, content.stuff, content.seed)
    assert {name: list(ids) for name, ids in content.splits.items()} == drawn
    assert drawn != seeded_splits(content.classes, content.stuff, content.seed + 1)


def test_mini_folds_are_disjoint_and_alike() -> None:
    known, stuff = splits.splits("mini"), set(split_file("mini").stuff)
    folds = [set(known[name].novel) for name in splits.FOLDS]
    assert [(len(fold & stuff), len(fold - stuff)) for fold in folds] == [(2, 3)] * 4
    assert set.union(*folds) == set(range(20))
    assert [len(known[name].novel) for name in RATIOS] == [6, 7, 8, 9, 10]


def test_msrc21_sizes_follow_the_ratios() -> None:
    known = splits.splits("msrc21")
    assert [len(known[name].novel) for name in RATIOS] == [int(21 * ratio) for ratio in RATIOS.values()]
    folds = [set(known[name].novel) for name in splits.FOLDS]
    assert len(set.union(*folds)) == sum(len(fold) for fold in folds) == 20


@pytest.mark.parametrize("name", ["S4", "4", "Split 4"])
def test_a_split_has_three_spellings(name: str) -> None:
    assert split("mini", name).name == "S4"


def test_unknown_names_list_what_exists() -> None:
    with pytest.raises(BenchmarkError, match=r"unknown split 'S12' in dataset mini.*S1, S2"):
        split("mini", "S12")
    with pytest.raises(BenchmarkError, match=r"unknown dataset 'mimi'.*Did you mean 'mini'"):
        splits.splits("mimi")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"S1": [0, 1, 2, 3, 99]}, "outside 0..19"),
        ({"S1": [0, 0, 1, 2, 3]}, "occur twice: [0]"),
        ({"S1": [0, 1, 2, 3]}, "4 novel classes, expected 5 of 20"),
        ({"S5": [0, 1, 2, 3, 4, 6]}, "does not contain S4"),
        ({"S10": [0]}, "unknown name"),
        ({"S1": []}, "at least one class must be novel"),
    ],
)
def test_each_fault_is_found(change: dict[str, list[int]], fault: str) -> None:
    found = splits.source("mini")
    broken = found._replace(novel={**found.novel, **change})
    assert fault in "; ".join(faults(broken)[next(iter(change))])


def test_equal_class_names_are_a_fault() -> None:
    found = Source("x", ["a", "b", "a"], {"S1": [0]}, ruled=False)
    assert faults(found) == {"S1": ["class names occur twice: a"]}


def test_the_command_prints_a_table() -> None:
    result = CliRunner().invoke(command, ["--dataset", "mini"])
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0].split() == ["dataset", "split", "novel", "base", "ratio", "check"]
    assert lines[9].split() == ["mini", "S9", "10", "10", "50.0", "%", "ok"]
    assert len(lines) == 10


def test_the_command_prints_json() -> None:
    rows = json.loads(CliRunner().invoke(command, ["--json"]).stdout)
    assert len(rows) == 9 + 4 + 9 + 9
    assert rows[0]["novel"] == len(rows[0]["novel_ids"]) == 38


def test_the_command_fails_when_a_check_fails(splits_folder: Path) -> None:
    mini = splits_folder / "mini.yaml"
    mini.write_text(mini.read_text().replace("  S1: [0, 1, ", "  S1: [0, "))
    result = CliRunner().invoke(command)
    assert result.exit_code == 1
    assert "4 novel classes, expected 5 of 20" in result.stdout
    with pytest.raises(BenchmarkError, match=r"splits of mini are broken: S1: 4 novel"):
        splits.splits("mini")


def test_a_file_of_another_form_is_refused(splits_folder: Path) -> None:
    mini = splits_folder / "mini.yaml"
    mini.write_text(mini.read_text().replace("seed: 0", "sead: 0"))
    with pytest.raises(BenchmarkError, match=r"mini\.yaml.*sead"):
        splits.splits("mini")


def test_a_file_under_another_name_is_refused(splits_folder: Path) -> None:
    (splits_folder / "mini.yaml").rename(splits_folder / "maxi.yaml")
    with pytest.raises(BenchmarkError, match="file name and content must agree"):
        splits.splits("maxi")


@pytest.fixture
def splits_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the split of the mini world that a test may spoil."""
    text = (data_folder("splits") / "mini.yaml").read_text()
    (tmp_path / "mini.yaml").write_text(text)
    monkeypatch.setattr(split_files, "data_folder", lambda _: tmp_path)
    split_file.cache_clear()
    yield tmp_path
    split_file.cache_clear()


def _pairs(*names: str) -> list[tuple[str, str]]:
    return [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
