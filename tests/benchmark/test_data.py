"""``data``: what its commands print, and their exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from benchmark.cli import main
from benchmark.datasets.preparation.recipes import RECIPES
from benchmark.selection.progress import _lines_now_and_then
from tests.benchmark.datasets.preparation.support import World, write_world

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = write_world(tmp_path)
    monkeypatch.setitem(RECIPES, "ade20k", world.recipe)
    return world


def prepare(world: World, *options: str) -> int:
    where = ["--from", str(world.source), "--to", str(world.target), "--workers", "0"]
    return main(["data", "prepare", "ade20k", *where, *options])


def verify(world: World, *options: str) -> int:
    return main(["data", "verify", "ade20k", "--data-root", str(world.target), "--workers", "0", *options])


def test_prepare_prints_what_there_is_and_how_to_use_it(world: World, capsys: Captured) -> None:
    assert prepare(world) == 0
    said = capsys.readouterr()
    assert "images      3 train, 2 test\n" in said.out
    assert "left out    1 image without a labelled pixel: ADE_train_00000003\n" in said.out
    assert f"manifest    {world.target / 'manifest.json'}\n" in said.out
    assert f"--dataset ade20k --data-root {world.target}" in said.err
    assert "BENCHMARK_DATA_ADE20K=" in said.err


def test_prepare_as_json_is_the_manifest_without_its_files(world: World, capsys: Captured) -> None:
    assert prepare(world, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["images"], printed["partial"]) == ({"train": 3, "test": 2}, "")
    assert printed["classes"][0].keys() == {"name", "images", "pixels"}
    assert "files" not in printed


def test_a_part_is_refused_or_marked(world: World, capsys: Captured) -> None:
    world.image(2).unlink()
    assert prepare(world) == 2
    assert "ADE_train_00000002" in capsys.readouterr().err
    assert prepare(world, "--partial") == 0
    assert "PARTIAL: 4 of 5 images" in capsys.readouterr().out
    assert verify(world) == 0
    (world.target / "manifest.json").unlink()
    assert verify(world) == 1
    assert verify(world, "--partial") == 0


def test_verify_says_what_is_wrong_and_exits_with_1(world: World, capsys: Captured) -> None:
    prepare(world)
    assert verify(world) == 0
    assert "ade20k: sound" in capsys.readouterr().err
    (world.target / "masks" / "ADE_val_00000001.png").write_bytes(b"")
    assert verify(world) == 1
    said = capsys.readouterr()
    assert "ADE_val_00000001.png: cannot be decoded" in said.err
    assert "ade20k: 1 fault\n" in said.err
    assert not said.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prepare", "ade", "--from", "x"], "unknown dataset to prepare 'ade'. Did you mean 'ade20k'"),
        (["prepare", "ade20k", "--from", "gone.zip"], "gone.zip: no such file or folder"),
        (["prepare", "ade20k"], "Missing option '--from'"),
        (["verify", "mini"], "mini is drawn, not read"),
        (["verify", "voc2012"], "BENCHMARK_DATA_VOC2012=DIR"),
        (["show", "mini", "--split", "S44"], "unknown split 'S44'"),
        (["show", "mini", "--images", "0"], "0 images make no page"),
        (["show", "mini", "--part", "val", "--images", "x"], "unknown val image 'x'"),
    ],
)
def test_mistakes_exit_with_2(arguments: list[str], message: str, capsys: Captured) -> None:
    assert main(["data", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_prepare_has_a_place_of_its_own(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["data", "prepare", "ade20k", "--from", str(world.source), "--workers", "0", "-q"]) == 0
    assert (tmp_path / ".benchmark" / "data" / "ade20k" / "dataset.yaml").is_file()


def test_show_draws_a_page(world: World, capsys: Captured, tmp_path: Path) -> None:
    prepare(world)
    capsys.readouterr()
    where = ["--data-root", str(world.target), "--out", str(tmp_path / "pictures")]
    assert main(["data", "show", "ade20k", *where, "--split", "S2", "--part", "test", "--images", "2"]) == 0
    paths = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert [path.name for path in paths] == ["pictures-dataset-test-S2.pdf", "pictures-dataset-test-S2.png"]
    with Image.open(paths[1]) as page:
        assert page.width > 600


def test_show_finds_nothing_where_no_image_has_a_novel_class(world: World, capsys: Captured, tmp_path: Path) -> None:
    for number in (1, 2):
        Image.new("L", (12, 8), 1).save(world.mask(number, "validation"))  # wall, which is base in S1
    prepare(world)
    assert main(["data", "show", "ade20k", "--data-root", str(world.target), "--part", "test", "--split", "S1"]) == 5
    assert "no test image shows a novel class of S1" in capsys.readouterr().err


def test_voc_is_shown_without_splits_and_says_so_elsewhere(shared: Path, capsys: Captured, tmp_path: Path) -> None:
    source, target = shared / "data" / "VOCdevkit", tmp_path / "voc"
    there = ["--from", str(source), "--to", str(target), "--workers", "0", "--partial", "-q"]
    assert main(["data", "prepare", "voc2012", *there]) == 0
    assert main(["data", "verify", "voc2012", "--data-root", str(target), "--workers", "0"]) == 0
    capsys.readouterr()
    show = ["data", "show", "voc2012", "--data-root", str(target), "--part", "test", "--out", str(tmp_path)]
    assert main(show) == 0
    assert "pictures-dataset-test.png" in capsys.readouterr().out
    assert main([*show, "--split", "S1"]) == 2
    assert "has no splits" in capsys.readouterr().err
    assert main(["plan", "--dataset", "voc2012", "--data-root", str(target)]) == 2
    assert "no weak-shot splits of voc2012. Write your own under `splits`" in capsys.readouterr().err
    description = target / "dataset.yaml"
    description.write_text(description.read_text() + "splits: {S1: [cat, dog]}\n")
    assert main(["plan", "--dataset", str(description), "--table", "2"]) == 0
    assert main(["data", "verify", "voc2012", "--data-root", str(target), "--workers", "0"]) == 0


def test_a_full_or_read_only_disk_exits_with_2(world: World, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, **_: object) -> None:
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert prepare(world) == 2
    assert "the file system is read-only" in capsys.readouterr().err


def test_progress_is_told_now_and_then(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    lines = _lines_now_and_then("preparing x")
    for done in range(1, 61):
        clock[0] = float(done)
        lines(done, 60)
    assert capsys.readouterr().err.splitlines() == [f"preparing x: {done}/60" for done in (20, 40, 60)]


def test_help_of_the_group_loads_no_heavy_library() -> None:
    code = (
        "import sys; from benchmark.cli import main; main(['data', 'prepare', '--help']);"
        "print([name for name in ('torch', 'numpy', 'rich', 'h5py', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
