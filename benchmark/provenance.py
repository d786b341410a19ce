"""Where and with what a result was computed."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from benchmark import arithmetic
from benchmark.files import read_json

PACKAGES = ("weak-shot-segmentation-benchmark", "torch", "torchvision", "numpy", "scipy", "pillow", "mlflow")
FROZEN = "code.json"  # beside the packages of a frozen copy: the revision that was copied
_SOURCE = Path(__file__).resolve()
BUILT = "revision.json"  # in the package of a wheel: the revision that it was built from


class Revision(NamedTuple):
    """State of the checkout that the code ran from, or was built from; both ``None`` where nobody knows."""

    commit: str | None
    dirty: bool | None


def provenance(device: str, dataset_digest: str | None) -> dict[str, Any]:
    """Return what ``result.json`` keeps beside the numbers: code, versions, machine, data."""
    revision = source_revision()
    return {
        "git_commit": revision.commit,
        "git_dirty": revision.dirty,
        "python": platform.python_version(),
        "packages": package_versions(),
        "platform": platform.platform(),
        "device": device,
        "threads": threads(),
        "arithmetic": arithmetic.facts(),
        "dataset_digest": dataset_digest,
    }


def origin(made: Mapping[str, Any]) -> str:
    """Return from which archive a result was imported, as in ``archive 1f3a5b7c9d0e of Anna``; empty if it was not."""
    imports = made.get("imported")
    last = imports[-1] if isinstance(imports, list) and imports else None
    if not isinstance(last, Mapping):  # what an archive from anywhere says of its own results may be anything
        return ""
    return f"archive {str(last.get('archive'))[:12]}" + (f" of {last['by']}" if last.get("by") else "")


@cache
def source_revision() -> Revision:
    """Return commit and cleanliness of the repository that tracks this file, or that this copy of it was frozen from.

    Asked once a process, when its code is loaded already: what is on disk later is not what ran.
    """
    for record in (_SOURCE.parents[1] / FROZEN, _SOURCE.with_name(BUILT)):
        known = read_json(record)
        if isinstance(known, dict):
            return Revision(known.get("commit"), known.get("dirty"))
    if _git("ls-files", "--error-unmatch", _SOURCE.name) is None:
        return Revision(None, None)  # a repository around a virtual environment says nothing about this code
    commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    return Revision(commit, None if changes is None else bool(changes))


@cache
def package_versions() -> dict[str, str | None]:
    """Return the versions of the packages that can change a number."""
    return {name: _version(name) for name in PACKAGES}


def threads() -> int:
    """Return how many threads torch uses, or the number asked of OpenMP where torch is not loaded."""
    torch = sys.modules.get("torch")
    return int(torch.get_num_threads()) if torch else int(os.environ.get("OMP_NUM_THREADS", "0"))


def without_commit() -> str:
    """Say that results will not name the code that made them; empty where they will."""
    if source_revision().commit:
        return ""
    return (
        f"results will not name the commit of the code that makes them: {_SOURCE.parents[1]} is neither a git checkout "
        f"nor built from one, or git is not installed."
    )


def _git(*arguments: str) -> str | None:
    # The checkout may be another user's, as in a container. What its configuration could run, its code could as well.
    command = ["git", "-c", "safe.directory=*", *arguments]
    try:
        done = subprocess.run(command, cwd=_SOURCE.parent, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
