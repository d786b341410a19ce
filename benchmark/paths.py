"""Where the data files of the software lie: beside the package in a checkout, inside it when installed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent
PACKAGES = _PACKAGE.parent  # what Python searches for ``benchmark`` and ``methods``
INSTALLED_DATA = _PACKAGE / "data"
_IN_CHECKOUT = {"splits": Path("splits"), "papers": Path("results", "papers")}


def is_path(name: str, *suffixes: str) -> bool:
    """Return whether a word names a file, not a thing that comes with the software: it has a suffix, or a folder.

    Args:
        name: as on the command line.
        suffixes: of such files; without any those of YAML.
    """
    return name.endswith(suffixes or (".yaml", ".yml")) or "/" in name


def data_folder(kind: Literal["splits", "papers"]) -> Path:
    """Return the folder of the class splits or of the papers, each a folder with its tables of printed values."""
    installed = INSTALLED_DATA / kind
    return installed if installed.is_dir() else _PACKAGE.parent / _IN_CHECKOUT[kind]


def folders_beside_package() -> Mapping[Path, Path]:
    """Return the data folders of a checkout by their place relative to the package's parent; none when installed."""
    return {
        place: _PACKAGE.parent / place for kind, place in _IN_CHECKOUT.items() if not (INSTALLED_DATA / kind).is_dir()
    }
