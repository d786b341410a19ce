"""Whatever the environment or a user's files ask of matplotlib, figures look the same and labels are as written."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from benchmark.report.plots import theme
from benchmark.report.publication import publish

Captured = pytest.CaptureFixture[str]


def drawn(label: str, stem: Path) -> bytes:
    with theme.drawing():
        figure = Figure()
        figure.subplots().set_title(label)
        return theme.save(figure, stem, 50)[0].read_bytes()


def test_settings_of_the_user_change_nothing(tmp_path: Path) -> None:
    plain = drawn("a", tmp_path / "plain")
    with mpl.rc_context({"text.usetex": True, "font.size": 30, "axes.facecolor": "red", "savefig.bbox": "tight"}):
        assert drawn("a", tmp_path / "own") == plain
        assert mpl.rcParams["font.size"] == 30


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "nonsense", "TkAgg"])
def test_the_backend_of_the_environment_does_not_matter(tmp_path: Path, backend: str) -> None:
    code = (
        "import os; from pathlib import Path; from benchmark.report.plots import theme\n"
        "with theme.drawing():\n"
        "    from matplotlib.figure import Figure; theme.save(Figure(), Path('f'), 50)\n"
        "print(os.environ['MPLBACKEND'])"
    )
    environment = {**os.environ, "MPLBACKEND": backend}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == backend
    assert (tmp_path / "f.png").stat().st_size > 100


@pytest.mark.parametrize("label", [r"Ours ($\lambda_{1$)", "$x$ and $y$", "50 % \\of", "$"])
def test_dollars_are_characters(tmp_path: Path, label: str) -> None:
    assert drawn(label, tmp_path / "f")


def test_characters_that_no_font_has_are_said_once(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(theme, "_MORE_FONTS", ())
    assert drawn("中文字", tmp_path / "f")
    assert capsys.readouterr().err.count("no installed font") == 1
    assert drawn("Größe", tmp_path / "f")
    assert capsys.readouterr().err == ""


def test_a_plot_that_fails_costs_a_warning_and_no_table(
    make_run: Callable[..., Any], tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run("2", {("Basic", "Split 1"): [40.0]}, seeds=(0,))
    half = tmp_path / "half"

    def fails(_: object, stem: Path) -> None:
        half.write_text(str(stem))
        stem.with_name(f"{stem.name}.png").write_bytes(b"half")
        raise ValueError("of matplotlib")

    monkeypatch.setattr("benchmark.report.publication.plot", fails)
    _, files = publish(run.plan, run.table, run.store, tmp_path / "out")
    names = [path.name for path in files]
    assert "table2.csv" in names
    assert "table2.png" not in names
    assert "warning: table 2 is written without its plot: ValueError: of matplotlib" in capsys.readouterr().err
