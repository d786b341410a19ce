"""Datasets found by name."""

import os
from pathlib import Path

from benchmark import splits
from benchmark.datasets.base import Dataset, DatasetInfo
from benchmark.errors import BenchmarkError, unknown


def load_dataset(name: str, root: Path | None = None) -> Dataset:
    """Return a dataset: a known name, or the path of a YAML in the common layout.

    The folder it lies in is ``root``, else the environment variable ``BENCHMARK_DATA_<NAME>``, as in
    ``BENCHMARK_DATA_MSRC21``.
    Raises BenchmarkError for an unknown name, a missing folder and for files that do not fit together.
    """
    if name not in splits.datasets():
        return _load_own(name, root)
    if name == "mini":
        return _load_mini(root)
    folder = _root(name, root)
    if name == "msrc21":
        from benchmark.datasets.msrc21 import open_msrc21

        return open_msrc21(folder)
    return _load_prepared(name, folder)


def describe(name: str, root: Path | None = None) -> DatasetInfo:
    """Return what a plan needs to know of a dataset. Reads its files for the digest; draws and decodes no image."""
    return load_dataset(name, root).info


def root_variable(name: str) -> str:
    """Return the environment variable that says where a dataset lies."""
    return f"BENCHMARK_DATA_{name.upper().replace('-', '_')}"


def _load_mini(root: Path | None) -> Dataset:
    from benchmark.datasets.mini import MiniDataset

    if root is not None:
        raise BenchmarkError(f"dataset mini is drawn, not read; it has no root, found {root}. Leave --data-root out.")
    return MiniDataset()


def _load_own(name: str, root: Path | None) -> Dataset:
    if Path(name).suffix not in {".yaml", ".yml"}:
        raise unknown("dataset", name, [*splits.datasets(), "PATH.yaml (one of your own)"])
    from benchmark.datasets.folder import open_folder

    return open_folder(Path(name), root)


def _load_prepared(name: str, folder: Path) -> Dataset:
    """Open a known dataset that was converted to the common layout, described by ``dataset.yaml`` in its folder."""
    from benchmark.datasets.folder import open_folder

    if not (folder / "dataset.yaml").is_file():
        raise BenchmarkError(
            f"{folder}: holds no dataset.yaml. Convert {name} to the common layout there: images, masks of class ids "
            f"and lists, described as in benchmark/datasets/folder.py."
        )
    dataset = open_folder(folder / "dataset.yaml")
    if dataset.layout.name != name or dataset.layout.classes != splits.class_names(name):
        raise BenchmarkError(
            f"{folder / 'dataset.yaml'}: describes {dataset.layout.name!r} with {len(dataset.layout.classes)} classes; "
            f"expected {name!r} with the classes of splits/{name}.yaml in their order."
        )
    return dataset


def _root(name: str, root: Path | None) -> Path:
    variable = root_variable(name)
    folder = root or (Path(os.environ[variable]) if os.environ.get(variable) else None)
    ways = f"Give the folder it lies in with --data-root DIR or {variable}=DIR."
    if folder is None:
        raise BenchmarkError(f"dataset {name} is not part of the software and its place is not known. {ways}")
    if not folder.is_dir():
        raise BenchmarkError(f"dataset {name}: {folder} is no folder. {ways}")
    return folder
