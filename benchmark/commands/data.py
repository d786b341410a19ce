"""``data``: published datasets brought into the common layout, checked, and shown."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark.completion import values as offered
from benchmark.errors import BenchmarkError, Exit, unknown
from benchmark.paths import is_path
from benchmark.selection.options import parse_choice, store_option
from benchmark.selection.progress import progress_bar, quiet_option
from benchmark.wording import gathered, plural

if TYPE_CHECKING:
    from benchmark.datasets.base import Split
    from benchmark.datasets.manifest import Manifest
    from benchmark.report.pictures.page_plan import Choice

NAMES = "coco-stuff-10k|ade20k|voc2012|msrc21"
RARE = 5  # class names listed


def _published(_: click.Context) -> list[str]:
    return NAMES.split("|")


root_option = click.option("--data-root", type=click.Path(path_type=Path), help="Folder in which the dataset lies.")
workers_option = click.option(
    "--workers", type=click.IntRange(min=0), help="Processes; 0 works in this one.  [default: one a core]"
)
partial_option = click.option(
    "--partial", is_flag=True, help="Accept a part of the dataset; title, manifest and every result say so."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON, without its files.")


@click.group("data")
def command() -> None:
    """Prepare, verify and show published datasets.

    They are not part of this software. `prepare` converts what was downloaded; afterwards --data-root DIR, or
    BENCHMARK_DATA_<NAME>=DIR, says to every other command where a dataset lies.
    """


@command.command("prepare")
@click.argument("name", metavar=NAMES, shell_complete=offered.one_of(_published))
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    required=True,
    help="Published archive (.zip, .tar), or the folder it unpacks to.",
)
@click.option(
    "--to", "target", type=click.Path(path_type=Path), help="Folder to fill.  [default: .benchmark/data/NAME]"
)
@workers_option
@partial_option
@quiet_option
@json_option
def prepare_command(
    name: str, source: Path, target: Path | None, workers: int | None, partial: bool, quiet: bool, as_json: bool
) -> None:
    """Convert a published dataset to images, masks of class ids and lists.

    Images are linked or copied as they are. What an earlier run left intact is kept: an interrupted one goes on. Until
    all is there and sound, the folder is no dataset.
    """
    from benchmark.datasets.preparation import prepare
    from benchmark.datasets.preparation.recipes import RECIPES

    if name not in RECIPES:
        raise unknown("dataset to prepare", name, RECIPES)
    folder = target or Path(".benchmark", "data", name)
    with progress_bar(f"preparing {name}", quiet=quiet) as observe:
        made = prepare(RECIPES[name], source, folder, workers=_workers(workers), partial=partial, observe=observe)
    _print(made, folder / "manifest.json", as_json=as_json)
    from benchmark.datasets.catalog import root_variable

    click.echo(f"use it with --dataset {name} --data-root {folder}, or {root_variable(name)}={folder}", err=True)


@command.command("verify")
@click.argument("name", metavar=f"{NAMES}|PATH.yaml", shell_complete=offered.one_of(_published, path=True))
@root_option
@workers_option
@partial_option
@quiet_option
@json_option
def verify_command(
    name: str, data_root: Path | None, workers: int | None, partial: bool, quiet: bool, as_json: bool
) -> int:
    """Read every file of a dataset and hold it against lists, manifest and what is published.

    A sound dataset without a manifest gets one. Exit code 1 if anything is wrong.
    """
    from benchmark.datasets.catalog import layout_of
    from benchmark.datasets.preparation import verify

    layout = layout_of(name, data_root)
    with progress_bar(f"verifying {layout.name}", quiet=quiet) as observe:
        verdict = verify(layout, workers=_workers(workers), partial=partial, observe=observe)
    if verdict.manifest:
        _print(verdict.manifest, layout.manifest if verdict.written else None, as_json=as_json)
    for remark in verdict.remarks:
        click.echo(f"note: {remark}", err=True)
    if verdict.faults:
        click.echo("\n".join(gathered(verdict.faults)), err=True)
        click.echo(f"{layout.name}: {plural(len(verdict.faults), 'fault')}", err=True)
        return Exit.INCOMPLETE
    click.echo(f"{layout.name}: sound", err=True)
    return Exit.OK


@command.command("show")
@click.argument("name", metavar=f"mini|{NAMES}|PATH.yaml", shell_complete=offered.one_of(offered.datasets, path=True))
@root_option
@click.option(
    "--split",
    "split_name",
    shell_complete=offered.one_of(offered.splits_of("name")),
    help="Base and novel classes of this split.  [default: the first there is]",
)
@click.option(
    "--part", type=click.Choice(["train", "val", "test"]), default="train", show_default=True, help="Of the dataset."
)
@click.option(
    "--images",
    callback=parse_choice,
    default="6",
    show_default=True,
    metavar="N|ID,...",
    help="How many, spread evenly, that show a novel class; or ids.",
)
@store_option
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the pictures.  [default: results/DATASET beside the store]",
)
def show_command(
    name: str,
    data_root: Path | None,
    split_name: str | None,
    part: Any,
    images: "Choice",
    store: Path,
    out: Path | None,
) -> int:
    """Draw images with their masks and the base and novel classes of a split as PNG and PDF, and print their paths.

    Exit code 5 if no image of the part shows a novel class.
    """
    from benchmark.datasets import load_dataset
    from benchmark.report.pictures.pages import dataset_page
    from benchmark.report.publication import publish_pictures

    dataset = load_dataset(name, data_root)
    split = _split(name, split_name, dataset.info.classes)
    page = dataset_page(dataset, split, images, part)
    if not page.shown:
        click.echo(f"{dataset.info.name}: no {part} image shows a novel class of {split.name}.", err=True)
        return Exit.NOTHING
    for path in publish_pictures(page, out or store.parent / "results" / dataset.info.name):
        click.echo(path)
    return Exit.OK


def _split(name: str, split_name: str | None, classes: tuple[str, ...]) -> "Split":
    """Return the split asked for, else the first; without any, one that makes no class novel."""
    from benchmark.datasets.base import Split
    from benchmark.split_files import datasets
    from benchmark.splits import split, splits

    known = splits(name) if name in datasets() or is_path(name) else {}
    if known:
        return split(name, split_name or next(iter(known)))
    if split_name is not None:
        raise BenchmarkError(f"dataset {name} has no splits, so none is called {split_name!r}. Leave --split out.")
    return Split(name, "", (), tuple(range(len(classes))))


def _workers(asked: int | None) -> int:
    from benchmark.execute.machine import available_cores

    return available_cores() if asked is None else asked


def _print(made: "Manifest", written: Path | None, *, as_json: bool) -> None:
    if as_json:
        from dataclasses import asdict

        content = asdict(made) | {"classes": [one._asdict() for one in made.classes]}
        content.pop("files")
        click.echo(json.dumps(content, indent=1))
        return
    for name, text in _lines(made):
        click.echo(f"{name:<12}{text}")
    if written:
        click.echo(f"{'manifest':<12}{written}")


def _lines(made: "Manifest") -> Iterator[tuple[str, str]]:
    """Yield what a dataset holds, in words."""
    parts = ", ".join(f"{count} {part}" for part, count in made.images.items())
    yield "images", parts + (f"; PARTIAL: {made.partial}" if made.partial else "")
    if made.origin:
        yield "from", made.origin
    yield "sizes", " to ".join(dict.fromkeys(f"{w} x {h}" for w, h in (made.smallest, made.largest)))
    modes = ", ".join(f"{count} {mode}" for mode, count in made.modes.items())
    yield "files", f"{modes}{_named('with an EXIF orientation, which is ignored', made.turned)}"
    seen = sorted((one for one in made.classes if one.pixels), key=lambda one: -one.pixels)
    shares = ", ".join(f"{one.name} {100 * one.pixels / made.pixels:.1f} %" for one in seen[:RARE])
    absent = [one.name for one in made.classes if not one.pixels]
    yield "classes", f"{len(seen)} of {len(made.classes)} occur, most in pixels: {shares}{_named('absent', absent)}"
    void = 100 * made.void / (made.void + made.pixels)
    yield "unlabelled", f"{void:.1f} % of the pixels{_named('images without any label', made.unlabelled)}"
    if made.excluded:
        yield (
            "left out",
            f"{plural(len(made.excluded), 'image')} without a labelled pixel: {', '.join(made.excluded[:RARE])}",
        )
    yield "digest", made.digest


def _named(what: str, names: tuple[str, ...] | list[str]) -> str:
    shown = "; ".join(names[:RARE]) + ("; ..." if len(names) > RARE else "")  # names of classes have commas
    return f"; {len(names)} {what}: {shown}" if names else ""
