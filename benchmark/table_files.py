"""The tables that come with the software, by name; none of them is read, so that ``--help`` and completion are fast.

Each paper has a folder. A table bears the name of its file, behind the folder's: ``mcis/1`` is ``mcis/table1.yaml``.
Those of the paper that is reproduced here go without: ``1`` is ``simformer/table1.yaml``.
"""

from pathlib import Path

from benchmark.paths import data_folder, is_path

PAPER = "simformer"  # whose tables need no other name than their own
EVERY = "all"  # what stands for every table of that paper but those apart
APART = frozenset({"learning-curve"})  # at most profiles it has trainings of its own
ALIASES = {"course": "learning-curve"}  # what tables were called in published files, archives and scripts -> their name
TOLERANCE = "tolerance.yaml"  # beside the tables: what their claims are held against


def table_files() -> dict[str, Path]:
    """Return the name of every table and its file, those of other papers last."""
    own, others = {}, {}
    for path in sorted(data_folder("papers").glob("*/*.yaml")):
        paper, name = path.parent.name, path.stem.removeprefix("table")
        if paper == PAPER and path.name != TOLERANCE:
            own[name] = path
        elif path.name != TOLERANCE:
            others[f"{paper}/{name}"] = path
    return own | others


def names_of_all() -> tuple[str, ...]:
    """Return the names that ``all`` stands for."""
    return tuple(name for name in sorted(table_files()) if name not in APART and "/" not in name)


def table_names() -> tuple[str, ...]:
    """Return what a command takes for a table beside a path: ``all`` stands behind the names that it stands for."""
    covered = names_of_all()
    return (*covered, EVERY, *sorted(table_files().keys() - set(covered)))


def is_table_path(name: str) -> bool:
    """Return whether a word names a file of the user's: one with the suffix of YAML, or another that is there."""
    return name not in table_files() and is_path(name) and (Path(name).suffix != "" or Path(name).is_file())


def today(name: str) -> str:
    """Return the name of the table that bore another one once; any other name or path as it is."""
    return ALIASES.get(name, name)
