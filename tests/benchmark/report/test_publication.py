"""What is published beside a table, and what happens where it cannot be written."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import BenchmarkError
from benchmark.metrics import EVALUATOR_VERSION
from benchmark.report.publication import publish, publish_plot
from benchmark.report.tables import render

MakeRun = Callable[..., Any]

NAMES = [
    "table2-cells.tex",
    "table2-claims.csv",
    "table2.csv",
    "table2.html",
    "table2.md",
    "table2.pdf",
    "table2.png",
    "table2.tex",
    "table2.json",
]


@pytest.fixture
def run(make_run: MakeRun) -> Any:
    return make_run("2", {("Basic", "Split 1"): [40.0, 42.0, 44.0], ("Basic", "Split 2"): [40.0, None, None]})


def test_all_forms_and_the_text(run: Any, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    text, files = publish(run.plan, run.table, run.store, out)
    assert [path.name for path in files] == NAMES
    assert sorted(path.name for path in out.iterdir()) == sorted(NAMES)
    assert all(path.stat().st_size > 100 for path in files)
    assert text == render(run.results, "text")


def test_provenance_says_where_each_number_comes_from(run: Any, tmp_path: Path) -> None:
    publish(run.plan, run.table, run.store, tmp_path)
    content = json.loads((tmp_path / "table2.json").read_text())
    assert content["dataset"] == "mini"
    assert content["dataset_digest"] == "d" * 64
    assert (content["profile"], content["preset"], content["seeds"]) == ("mini", "paper", [0, 1, 2])
    assert content["evaluator_version"] == EVALUATOR_VERSION
    assert set(content["splits"]) == {"S1", "S2", "S3", "S4"}
    assert len(set(content["splits"].values())) == 4
    assert content["git_commits"] == [f"{seed:040d}" for seed in (0, 1, 2)]
    assert content["packages"] == [{"torch": "2.11.0"}]
    assert not content["comparable_with_printed_values"]
    first = content["cells"][0]
    assert first["novel_miou"] == pytest.approx(42.0)
    assert first["seeds"]["2"]["novel"] == pytest.approx(44.0)
    assert first["stages"] == {str(seed): run.stage("Basic", "Split 1", seed).key for seed in (0, 1, 2)}
    assert len(content["cells"]) == 12
    assert content["orderings"][0] == "Cross-Pair > Self-Pair: cannot be judged (Self-Pair not run)"
    assert len(content["orderings"]) == 2


def test_a_second_time_replaces_and_keeps_what_is_not_ours(run: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "table2.csv").write_text("old")
    publish(run.plan, run.table, run.store, tmp_path / ".")
    assert (tmp_path / "table2.csv").read_text().startswith("row,column")
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert not list(tmp_path.glob(".drafts*"))


def test_a_full_disk_is_named_and_leaves_the_old_files(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(run.plan, run.table, run.store, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("table2.*")}

    def full(results: Any, stem: Path) -> list[Path]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(stem))

    monkeypatch.setattr("benchmark.report.publication.plot", full)
    with pytest.raises(BenchmarkError, match=r"the disk is full\. .* choose another folder with --out"):
        publish(run.plan, run.table, run.store, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("table2.*")} == before
    assert not list(tmp_path.glob(".drafts*"))


def test_a_folder_that_cannot_be_made_is_named(run: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchmarkError, match=r"cannot write .*file.*--out"):
        publish(run.plan, run.table, run.store, tmp_path / "file" / "results")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_forbidden_folder_is_named(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with pytest.raises(BenchmarkError, match="permission is denied"):
        publish(run.plan, run.table, run.store, folder)


def test_a_table_without_a_selected_cell_writes_nothing(run: Any, tmp_path: Path) -> None:
    plan = type(run.plan)(**(vars(run.plan) | {"cells": ()}))
    assert publish(plan, run.table, run.store, tmp_path / "out") == ("", ())
    assert not (tmp_path / "out").exists()


def test_plot_alone(run: Any, tmp_path: Path) -> None:
    assert [path.name for path in publish_plot(run.results, tmp_path)] == ["table2.pdf", "table2.png"]
    assert len(list(tmp_path.glob("table2.*"))) == 2
