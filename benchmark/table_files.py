"""The tables that come with the software, by name; none of them is read, so that ``--help`` and completion are fast."""

from pathlib import Path

from benchmark.paths import data_folder

EVERY = "all"  # what stands for every table but those apart
APART = frozenset({"course"})  # at most profiles it has trainings of its own


def table_files() -> dict[str, Path]:
    """Return the name of every table and its file: ``1`` is in ``table1.yaml``."""
    return {path.stem.removeprefix("table"): path for path in sorted(data_folder("paper").glob("*.yaml"))}


def names_of_all() -> tuple[str, ...]:
    """Return the names that ``all`` stands for."""
    return tuple(name for name in sorted(table_files()) if name not in APART)


def table_names() -> tuple[str, ...]:
    """Return what a command takes for a table beside a path: ``all`` stands behind the names that it stands for."""
    return (*names_of_all(), EVERY, *sorted(APART & table_files().keys()))
