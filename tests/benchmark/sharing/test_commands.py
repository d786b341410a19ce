"""``export``, ``import`` and ``runs`` on the command line, and the other verbs on a store with imported results."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from benchmark.cli import main
from benchmark.errors import Exit
from benchmark.files import write_json
from benchmark.plan import build_plan
from benchmark.store import Store
from tests.benchmark.report.conftest import counts_with, finish

Captured = pytest.CaptureFixture[str]
ALIKE_AT_THE_END = (
    "the recorded environments are the same, but those of the stages before are not recorded on both sides"
)
SELECTION = ("--table", "2", "--profile", "smoke")


def options(store: Path, *more: str) -> list[str]:
    return [*SELECTION, "--store", str(store), *more]


def fill(root: Path, seed: int, novel: float) -> Path:
    """Return a store in which Table 2 is finished for one seed."""
    plan, store = build_plan(["2"], "mini", "smoke", [seed]), Store(root)
    for cell in plan.cells:
        assert cell.stage
        finish(store, cell.stage, seed, counts_with(20, plan.splits[cell.split].novel, novel))
    return root


@pytest.fixture
def bob(tmp_path: Path) -> Path:
    """The store of somebody who has seed 1."""
    return fill(tmp_path / "bob" / "store", 1, 44.0)


@pytest.fixture
def archive(store: Path, tmp_path: Path, capsys: Captured) -> Path:
    """What somebody who has seed 0 exports."""
    path = tmp_path / "anna.zip"
    assert main(["export", *options(store), "--by", "Anna", "--out", str(path)]) == Exit.OK
    capsys.readouterr()
    return path


def test_export_writes_beside_the_results_and_prints_where(store: Path, capsys: Captured) -> None:
    assert main(["export", *options(store)]) == Exit.OK
    path = store.parent / "results" / "mini-smoke" / "mini-smoke.zip"
    found = capsys.readouterr()
    assert found.out == f"{path}\n"
    assert "MB; 12 of 12 cells finished, 12 evaluations; `import " in found.err
    assert zipfile.is_zipfile(path)


@pytest.mark.parametrize(("out", "file"), [("folder", "mini-smoke-official.zip"), ("folder/my.zip", "my.zip")])
def test_out_is_a_folder_or_a_file(store: Path, tmp_path: Path, out: str, file: str, capsys: Captured) -> None:
    preset = ["--preset", "official"] if out == "folder" else []
    fill_official = [cell.stage for cell in build_plan(["2"], "mini", "smoke", [0], preset="official").cells]
    for stage in fill_official:
        if stage and not Store(store).find(stage):
            finish(Store(store), stage, 0, counts_with(20, (), 50.0, 50.0))
    for _ in range(2):  # the second time it is there already
        assert main(["export", *options(store, *preset, "--out", str(tmp_path / out))]) == Exit.OK
        assert capsys.readouterr().out == f"{tmp_path / 'folder' / file}\n"


def test_holes_are_said_and_make_exit_code_1(store: Path, tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "x.zip"
    assert main(["export", *options(store, "--seeds", "0,1", "--out", str(path))]) == Exit.INCOMPLETE
    error = capsys.readouterr().err
    assert "12 of 24 cells finished, 12 evaluations" in error
    assert "12 of 12 cells lack seeds" in error
    assert path.is_file()


def test_nothing_finished_and_nothing_selected(tmp_path: Path, capsys: Captured) -> None:
    out = ["--out", str(tmp_path / "out")]
    assert main(["export", *options(tmp_path / "none", *out)]) == Exit.USAGE
    assert "nothing is finished of the 12 cells selected" in capsys.readouterr().err
    assert main(["export", *options(tmp_path / "none", *out, "--methods", "fully_oracle")]) == Exit.NOTHING
    assert not (tmp_path / "out").exists()


def test_import_says_what_came_in_and_keeps_it(archive: Path, bob: Path, capsys: Captured) -> None:
    assert main(["import", str(archive), "--store", str(bob)]) == Exit.OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == ("mini, profile smoke, preset paper, seed 0; table 2: 12 of 12 cells finished, 12 evaluations")
    assert lines[1].startswith("exported by Anna at 20")
    assert lines[2] == "made by commit unknown"
    assert lines[3] == f"kept as anna: {bob.parent / 'runs' / 'anna.zip'}"
    assert main(["import", str(archive), "--store", str(bob)]) == Exit.OK
    assert "it was there already as anna" in capsys.readouterr().out


def test_another_run_of_that_name_needs_a_word(archive: Path, bob: Path, tmp_path: Path, capsys: Captured) -> None:
    other = tmp_path / "other" / "anna.zip"
    main(["export", *options(bob, "--seeds", "1", "--out", str(other))])
    codes = [
        main(["import", *words, "--store", str(bob)])
        for words in ([str(archive)], [str(other)], [str(other), "--as", "eve"], [str(other), "--replace"])
    ]
    assert codes == [0, 2, 0, 0]
    assert "`--as NAME`" in capsys.readouterr().err


def test_a_report_given_by_mistake(store: Path, bob: Path, tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "report.html"
    main(["report", *options(store, "--pictures", "0", "--out", str(path))])
    capsys.readouterr()
    assert main(["import", str(path), "--store", str(bob)]) == Exit.USAGE
    assert capsys.readouterr().err.startswith(f"error: {path}: this is an HTML page, perhaps a report")
    assert not (bob.parent / "runs").exists()


def test_runs_lists_and_removes(archive: Path, bob: Path, capsys: Captured) -> None:
    where = ["--store", str(bob)]
    assert main(["runs", *where]) == Exit.OK
    assert "`import FILE.zip` adds one" in capsys.readouterr().err
    main(["import", str(archive), *where])
    main(["import", str(archive), "--as", "aaron", *where])
    capsys.readouterr()
    assert main(["runs", *where]) == Exit.OK
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("aaron  Anna  20")
    assert second.startswith("anna   Anna  20")
    assert second.endswith("mini-smoke  seeds 0  tables 2  12 of 12 cells")
    assert main(["runs", *where, "--json"]) == Exit.OK
    found = json.loads(capsys.readouterr().out)[1]
    assert (found["name"], found["by"], found["finished"], found["cells"]) == ("anna", "Anna", 12, 12)
    assert main(["runs", "--remove", "anna", *where]) == Exit.OK
    assert capsys.readouterr().out.startswith("aaron  ")
    assert main(["runs", "--remove", "anna", *where]) == Exit.USAGE


def test_a_run_that_was_damaged_is_listed_as_that(archive: Path, bob: Path, capsys: Captured) -> None:
    main(["import", str(archive), "--store", str(bob)])
    (bob.parent / "runs" / "anna.zip").write_text("text")
    capsys.readouterr()
    assert main(["runs", "--store", str(bob)]) == Exit.INCOMPLETE
    assert "this is no zip file" in capsys.readouterr().out


def merged(archive: Path, store: Path, capsys: Captured, *more: str) -> tuple[int, Any]:
    capsys.readouterr()
    code = main(["import", str(archive), "--merge", *more, "--store", str(store)])
    return code, capsys.readouterr()


def test_merged_seeds_of_two_people_are_one_table(archive: Path, bob: Path, capsys: Captured) -> None:
    code, said = merged(archive, bob, capsys)
    assert (code, said.out.splitlines()[-1]) == (Exit.OK, "evaluations: 12 added, 0 the same, 0 differ")
    assert not (bob.parent / "runs").exists()
    both = ["--profile", "smoke", "--seeds", "0,1", "--store", str(bob)]
    assert main(["table", "2", *both, "--format", "csv"]) == Exit.OK
    assert capsys.readouterr().out.splitlines()[1].startswith("Basic,Split 1,47.0000,4.2426,2,")


def test_merged_results_that_differ_are_listed_with_exit_code_4(
    archive: Path, tmp_path: Path, capsys: Captured
) -> None:
    other = fill(tmp_path / "other" / "store", 0, 44.0)
    code, said = merged(archive, other, capsys)
    assert code == Exit.MISSED
    assert "evaluations: 0 added, 0 the same, 12 differ\n" in said.out
    assert "differ: table 2, Basic, Split 1, seed 0 [" in said.out
    assert "]: overall mIoU 56.0000 here, 50.0000 there\n" in said.out
    assert said.err == (
        "the same keys have other counts; those of this store are kept; --replicates keeps the others beside them\n"
    )


def test_one_line_names_the_reason_of_all_that_differ_for_it(
    store: Path, archive: Path, tmp_path: Path, capsys: Captured
) -> None:
    other = Store(fill(tmp_path / "other" / "store", 0, 44.0))
    keys = list(other.keys())
    for key in keys:
        cpu = "AMD EPYC" if key == keys[0] else "Intel Xeon"
        made = {"arithmetic": {"cpu": cpu}, "device": "cpu", "threads": 1, "packages": {"torch": "2.15.0"}}
        write_json(other.folder(key) / "result.json", other.result(key) | {"provenance": made})
        theirs = made | {"arithmetic": {"cpu": "AMD EPYC"}}
        write_json(Store(store).folder(key) / "result.json", {"summary": {}, "provenance": theirs})
    main(["export", *options(store, "--out", str(archive))])
    _, said = merged(archive, other.root, capsys)
    assert sorted(said.out.splitlines()[-2:]) == [
        f"1 evaluation: {ALIKE_AT_THE_END}",
        "11 evaluations: made differently, which is the likely reason: CPU: Intel Xeon here, AMD EPYC there",
    ]
    assert said.out.count("CPU:") == 1


def test_replicates_are_kept_and_their_spread_is_shown(archive: Path, tmp_path: Path, capsys: Captured) -> None:
    other = fill(tmp_path / "other" / "store", 0, 44.0)
    where = options(other)[2:]
    main(["table", "2", *where, "--format", "csv"])
    before = capsys.readouterr().out
    code, said = merged(archive, other, capsys, "--replicates")
    assert (code, said.err) == (Exit.OK, "")
    assert "evaluations: 0 added, 0 the same, 12 kept as replicates\n" in said.out
    assert merged(archive, other, capsys, "--replicates")[0] == Exit.OK
    assert merged(archive, other, capsys)[0] == Exit.MISSED
    assert main(["table", "2", *where, "--format", "csv"]) == Exit.OK
    assert capsys.readouterr().out == before
    words = (
        "The same seeds in another environment (replicates): 12 values differ by up to 6.00 points: SD of the "
        "differences 0.00, mean -6.00.\n"
    )
    main(["table", "2", *where])
    assert words in capsys.readouterr().out
    main(["compare", *options(other)])
    assert words in capsys.readouterr().out
    main(["compare", *options(other), "--json"])
    (content,) = json.loads(capsys.readouterr().out)
    expected = {"values": 12, "mean": -6.0, "sd": 0.0, "largest": 6.0, "seed_sd": None}
    assert content["replicates"] == pytest.approx(expected, abs=1e-9)
    main(["table", "2", *where, "--format", "csv", "--columns", "ours,replicates"])
    assert capsys.readouterr().out.splitlines()[:2] == [
        "row,column,novel_miou,replicates,replicates_sd,replicates_max,n_replicates,status",
        "Basic,Split 1,44.0000,-6.0000,,6.0000,1,done",
    ]


def test_replicates_stay_here(archive: Path, bob: Path, tmp_path: Path, capsys: Captured) -> None:
    other = fill(tmp_path / "other" / "store", 0, 44.0)
    merged(archive, other, capsys, "--replicates")
    again, page = tmp_path / "again.zip", tmp_path / "report.html"
    assert main(["export", *options(other, "--out", str(again))]) == Exit.OK
    assert capsys.readouterr().err.endswith("\nnote: 12 replicates are not in it.\n")
    assert merged(again, bob, capsys)[0] == Exit.OK
    assert not (bob / "replicates").exists()
    main(["export", *options(bob, "--out", str(again))])
    assert "note:" not in capsys.readouterr().err
    assert main(["report", *options(other, "--pictures", "0", "--out", str(page))]) == Exit.OK
    assert main(["verify", str(page)]) == Exit.OK


def test_a_damaged_replicate_is_named_and_never_a_number(archive: Path, tmp_path: Path, capsys: Captured) -> None:
    other = fill(tmp_path / "other" / "store", 0, 44.0)
    merged(archive, other, capsys, "--replicates")
    path = next((other / "replicates").glob("*/*/counts.npz"))
    counts_with(20, (), 10.0, 10.0).save(path)
    for arguments in (["table", "2", *options(other)[2:]], ["compare", *options(other)]):
        assert main(arguments) == Exit.USAGE
        found = capsys.readouterr()
        assert (found.out, found.err[: found.err.index("Delete")]) == (
            "",
            f"error: {path}: this replicate is damaged: its SHA-256 is not the name of its folder. ",
        )
    shutil.rmtree(path.parent)
    assert merged(archive, other, capsys, "--replicates")[0] == Exit.OK
    main(["table", "2", *options(other)[2:]])
    assert "12 values differ by up to 6.00 points" in capsys.readouterr().out


def test_replicates_are_a_matter_of_merging(archive: Path, bob: Path, capsys: Captured) -> None:
    assert main(["import", str(archive), "--replicates", "--store", str(bob)]) == Exit.USAGE
    assert "add --merge" in capsys.readouterr().err


def test_merging_keeps_no_run(archive: Path, bob: Path, capsys: Captured) -> None:
    assert main(["import", str(archive), "--merge", "--as", "x", "--store", str(bob)]) == Exit.USAGE
    assert "leave out --as and --replace" in capsys.readouterr().err


def test_the_other_verbs_live_with_imported_results(archive: Path, bob: Path, capsys: Captured) -> None:
    merged(archive, bob, capsys)
    keys = [cell.stage.key for cell in build_plan(["2"], "mini", "smoke", [0]).cells if cell.stage][:2]
    assert main(["status", *options(bob, "--attempts")]) == Exit.OK
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == ["2", "12"]
    assert main(["plan", *options(bob)]) == Exit.OK
    assert "nothing left to make" in capsys.readouterr().out
    assert main(["explain", *keys, *options(bob)]) == Exit.OK
    assert "inputs.model.params.novel" in capsys.readouterr().out
    assert main(["logs", keys[0], "--store", str(bob)]) == Exit.INCOMPLETE
    assert f"stage {keys[0][:8]} was imported from archive " in capsys.readouterr().err
    page = bob.parent / "report.html"
    assert main(["report", *options(bob, "--pictures", "0", "--out", str(page))]) == Exit.OK
    assert "imported from" in page.read_text()
    assert main(["verify", str(page)]) == Exit.OK
    again = bob.parent / "again.zip"
    assert main(["export", *options(bob, "--seeds", "0,1", "--out", str(again))]) == Exit.OK


def test_attempts_that_were_made_elsewhere_are_shown(store: Path, bob: Path, tmp_path: Path, capsys: Captured) -> None:
    key = next(Store(store).keys())
    earlier = {"number": 1, "state": "failed", "started": 5.0, "finished": 9.0, "host": "node7", "error": "odd"}
    last = {"number": 2, "state": "done", "started": 1e9, "finished": 1e9 + 2, "host": "node8", "error": ""}
    result = {"started": 1e9, "finished": 1e9 + 2, "attempts": [earlier, last]}
    write_json(Store(store).folder(key) / "result.json", Store(store).result(key) | result)
    main(["export", *options(store, "--out", str(tmp_path / "anna.zip"))])
    merged(tmp_path / "anna.zip", bob, capsys)
    assert main(["status", *options(bob)]) == Exit.OK
    lines = [line for line in capsys.readouterr().out.splitlines() if "attempt" in line]
    assert lines[0] == "  attempt 1, at an unknown time, elsewhere: failed"
    assert lines[1].startswith("  attempt 2, 2001-09-")
    assert lines[1].endswith(", elsewhere: done")


def test_explain_needs_no_plan_for_stages_that_were_made_elsewhere(archive: Path, bob: Path, capsys: Captured) -> None:
    merged(archive, bob, capsys)
    keys = [cell.stage.key for cell in build_plan(["2"], "mini", "smoke", [0]).cells if cell.stage][:2]
    assert main(["explain", *keys, "--table", "3", "--store", str(bob)]) == Exit.OK
    assert "inputs.model.params.novel" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (["--help"], ("pydantic", "numpy")),
        (["export", "--help"], ("pydantic",)),
        (["import", "--help"], ("pydantic",)),
        (["runs", "--help"], ("pydantic",)),
        (["runs"], ()),
        (["import", "anna.zip", "--as", "eve"], ()),
        (["import", "anna.zip", "--merge"], ()),
    ],
)
def test_what_is_loaded(
    archive: Path, bob: Path, arguments: list[str], heavy: tuple[str, ...], capsys: Captured
) -> None:
    main(["import", str(archive), "--store", str(bob)])
    never = ("torch", "pandas", "matplotlib", "mlflow", "scipy", "benchmark.report", *heavy)
    code = (
        f"import sys; from benchmark.cli import main; code = main({arguments!r});"
        f"print([name for name in {never!r} if name in sys.modules], code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=archive.parent,
        env={"BENCHMARK_STORE": str(bob), "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert done.stdout.splitlines()[-1] == "[] 0"
