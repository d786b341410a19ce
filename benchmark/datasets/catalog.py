"""Datasets found by name."""

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.datasets.base import Dataset, DatasetInfo
from benchmark.errors import BenchmarkError, unknown
from benchmark.paths import is_path
from benchmark.program import program

if TYPE_CHECKING:
    from benchmark.datasets.layout import Layout


def load_dataset(name: str, root: Path | None = None) -> Dataset:
    """Return a dataset: a known name, or the path of a YAML in the common layout.

    The folder it lies in is ``root``, else the environment variable ``BENCHMARK_DATA_<NAME>``, as in
    ``BENCHMARK_DATA_MSRC21``.
    Raises BenchmarkError for an unknown name, a missing folder and for files that do not fit together.
    """
    if name == "mini":
        return _load_mini(root)
    from benchmark.datasets.files import FileDataset

    return FileDataset(layout_of(name, root))


def layout_of(name: str, root: Path | None = None) -> "Layout":
    """Return where the files of a dataset lie, unchecked, under the conditions of ``load_dataset``; mini has none."""
    if name in published():
        return _published_layout(name, _root(name, root))
    if name == "mini":
        raise BenchmarkError("dataset mini is drawn, not read: it has no files. Name another one.")
    if not is_path(name):
        raise unknown("dataset", name, ["mini", *published(), "PATH.yaml (one of your own)"])
    from benchmark.datasets.folder import folder_layout

    layout = _counted(folder_layout(Path(name), root))
    return dataclasses.replace(layout, parts_apart=layout.name not in published())


def published() -> tuple[str, ...]:
    """Return the names of the published datasets: ``data prepare`` converts them."""
    from benchmark.datasets.preparation.recipes import RECIPES

    return tuple(RECIPES)


def describe(name: str, root: Path | None = None) -> DatasetInfo:
    """Return what a plan needs to know of a dataset. Reads its files for the digest; draws and decodes no image."""
    return load_dataset(name, root).info


def as_published(name: str) -> DatasetInfo:
    """Return what is known of a published dataset without its files: no digest, but how many images it has.

    All images that are left out as published are training images.
    """
    from benchmark.datasets.preparation.recipes import RECIPES

    recipe = RECIPES[name]
    train = recipe.published["train"] - len(recipe.excluded)
    return DatasetInfo(name, recipe.title, recipe.classes, "", train, recipe.published["test"])


def as_listed(name: str, root: Path | None = None) -> DatasetInfo | None:
    """Return what a plan needs but the digest, without a look at images; ``None`` for mini, which is known at once.

    Raises BenchmarkError for a YAML, or lists, that cannot be read.
    """
    if name == "mini":
        return None
    if name in published():
        return as_published(name)
    layout = layout_of(name, root)
    train, test = len(layout.parts["train"]), len(layout.parts["test"])
    return DatasetInfo(layout.name, layout.title, layout.classes, "", train, test)


def is_absent(name: str, root: Path | None = None) -> bool:
    """Return whether nobody has said where a published dataset lies."""
    return name in published() and root is None and not os.environ.get(root_variable(name))


def root_variable(name: str) -> str:
    """Return the environment variable that says where a dataset lies."""
    return f"BENCHMARK_DATA_{name.upper().replace('-', '_')}"


def _load_mini(root: Path | None) -> Dataset:
    from benchmark.datasets.mini import MiniDataset

    if root is not None:
        raise BenchmarkError(f"dataset mini is drawn, not read; it has no root, found {root}. Leave --data-root out.")
    return MiniDataset()


def _published_layout(name: str, folder: Path) -> "Layout":
    """Return the layout of a published dataset: its ``dataset.yaml``, or for MSRC-v2 the folders it comes in."""
    from benchmark.datasets.folder import DESCRIPTION, folder_layout
    from benchmark.datasets.preparation.recipes import RECIPES

    recipe, path = RECIPES[name], folder / DESCRIPTION
    if path.is_file():
        layout = folder_layout(path)
    elif name == "msrc21":
        from benchmark.datasets.msrc21 import msrc21_layout

        layout = msrc21_layout(folder)
    else:
        raise BenchmarkError(
            f"{folder}: holds no {DESCRIPTION}. Make it from the published files: "
            f"`{program()} data prepare {name} --from ARCHIVE_OR_FOLDER --to DIR`."
        )
    if layout.name != name or layout.classes != recipe.classes:
        raise BenchmarkError(
            f"{path}: describes {layout.name!r} with {len(layout.classes)} classes; "
            f"expected {name!r} with its {len(recipe.classes)} published classes in their order."
        )
    return _counted(layout)


def _counted(layout: "Layout") -> "Layout":
    """Return the layout with a remark if it bears the name of a published dataset and has not all of its images."""
    from benchmark.datasets.preparation.recipes import RECIPES

    recipe = RECIPES.get(layout.name)
    return dataclasses.replace(layout, partial=recipe.lack(len(layout.ids()))) if recipe else layout


def _root(name: str, root: Path | None) -> Path:
    variable = root_variable(name)
    folder = root or (Path(os.environ[variable]) if os.environ.get(variable) else None)
    ways = f"Give the folder it lies in with --data-root DIR or {variable}=DIR."
    if folder is None:
        raise BenchmarkError(f"dataset {name} is not part of the software and its place is not known. {ways}")
    if not folder.is_dir():
        raise BenchmarkError(f"dataset {name}: {folder} is no folder. {ways}")
    return folder
