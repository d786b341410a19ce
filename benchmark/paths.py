"""Where the data files of the software lie: beside the package in a checkout, inside it when installed."""

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent
_IN_CHECKOUT = {"splits": Path("splits"), "paper": Path("results", "paper")}


def data_folder(kind: Literal["splits", "paper"]) -> Path:
    """Return the folder of the class splits or of the paper's printed values."""
    installed = _PACKAGE / "data" / kind
    return installed if installed.is_dir() else _PACKAGE.parent / _IN_CHECKOUT[kind]
