"""What an archive holds, and what it does not."""

import hashlib
import json
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.errors import BenchmarkError
from benchmark.execute.inline import Inline
from benchmark.execute.session import make_stages
from benchmark.plan import build_plan
from benchmark.report.claims.judge import judge
from benchmark.report.tables import render
from benchmark.sharing import archive as module
from benchmark.sharing.archive import export
from benchmark.sharing.runs import opened
from benchmark.store import Store
from tests.benchmark import toy
from tests.benchmark.sharing.conftest import files_of


def test_a_run_that_was_passed_on_fills_the_same_table(run: Any, archive: Path) -> None:
    run.fail(run.stage("Self-Pair", "Split 2").key)
    export(run.plan, run.store, archive)
    with opened([str(archive)], run.store) as (shared,):
        before, after = judge(run.plan, run.table, run.store), judge(shared.plan, run.table, shared.store)
        assert after == before
        assert render(after, "csv") == render(before, "csv")
        assert "failed" in render(after, "csv")


def test_anybody_can_read_and_check_its_files(run: Any, archive: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(archive) as content:
        content.extractall(folder)
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count(": OK")) == (0, 7)
    described = json.loads((folder / "run.json").read_text())
    assert (described["format"], described["by"], described["run"]["seeds"]) == (1, "Anna", [0, 1])
    stage = run.stage("Basic", "Split 1")
    with np.load(folder / "counts" / f"{stage.key}.npz") as counts:
        assert counts["intersection"].shape == (1, 20)
    text = (folder / "README.txt").read_text()
    for words in ("sha256sum -c SHA256SUMS", "benchmark import FILE.zip", "5 of 24 cells finished", "by Anna"):
        assert words in text


def test_counts_are_those_of_the_store_byte_by_byte(run: Any, archive: Path) -> None:
    files = files_of(archive)
    for name in (name for name in files if name.startswith("counts/")):
        assert files[name] == (run.store.folder(Path(name).stem) / "counts.npz").read_bytes()


def test_the_same_content_gives_the_same_bytes(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        @staticmethod
        def now(zone: tzinfo) -> datetime:
            return datetime(2026, 1, 2, tzinfo=zone)

    monkeypatch.setattr(module, "datetime", Clock)
    digests = set()
    for name in ("a.zip", "b.zip"):
        export(run.plan, run.store, tmp_path / name)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == sorted(archive.namelist())
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.fixture
def made_by_anna(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The archive of a run that a machine and a user of odd names have made, with a setting that is a path."""
    monkeypatch.setenv("TOY_CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("USER", "anna-the-user")
    monkeypatch.setattr("socket.gethostname", lambda: "annas-machine")
    toy.install(monkeypatch)
    folder = tmp_path / "home-of-anna"
    folder.mkdir()
    plan, store = build_plan([toy.table(folder)], "mini", toy.profile(folder), (0,)), Store(folder / "store")
    profile = replace(plan.profile, sections={"toy": {"files": ["/home-of-anna/weights.pth"]}})
    plan = replace(plan, overrides={"toy.file": r"C:\Users\anna\more.pth", "toy.rate": "1/2"}, profile=profile)
    make_stages(plan, plan.pending(store), store, Inline(), [])
    assert store.attempts(plan.stages[0].key)[0]["host"] == "annas-machine"
    export(plan, store, tmp_path / "toy.zip")
    return tmp_path / "toy.zip"


def test_it_does_not_say_where_and_by_whom(made_by_anna: Path, tmp_path: Path) -> None:
    text = b"\n".join(files_of(made_by_anna).values()).decode(errors="replace")
    for word in ('"weights.pth"', '"more.pth"', '"1/2"'):  # settings are there
        assert word in text
    for word in ("anna", str(tmp_path), str(Path.home()), '"pid"', '"host"', '"node"', '"job"'):
        assert word not in text


def test_nothing_finished_is_nothing_to_pass_on(make_run: Callable[..., Any], tmp_path: Path) -> None:
    run = make_run("2", {}, seeds=(0,))
    with pytest.raises(BenchmarkError, match=r"nothing is finished of the 12 cells .*`run` with the same options"):
        export(run.plan, run.store, tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


def test_damaged_counts_are_not_passed_on(run: Any, tmp_path: Path) -> None:
    path = run.store.folder(run.stage("Basic", "Split 1").key) / "counts.npz"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(BenchmarkError, match="the file of counts is damaged"):
        export(run.plan, run.store, tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[31mred", "x" * 201])
def test_names_that_could_be_anything_on_a_terminal(run: Any, tmp_path: Path, name: str) -> None:
    with pytest.raises(BenchmarkError, match="take one line"):
        export(run.plan, run.store, tmp_path / "x.zip", name)


def test_a_place_that_cannot_be_written_is_named(run: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchmarkError, match=r"file stands where a folder is needed.*another --out"):
        export(run.plan, run.store, tmp_path / "file" / "x.zip")
