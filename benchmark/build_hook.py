"""What a build adds to the package: the commit that it was built from, which an installed wheel cannot ask git for.

Run by Hatchling, which alone is there then, and never imported by the package.
"""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

REVISION = Path("benchmark", "revision.json")


class RevisionHook(BuildHookInterface[Any]):
    """Writes the revision of the checkout into wheels and source distributions; one of the latter has it already."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the file, but for an editable installation, whose checkout goes on changing."""
        root = Path(self.root)
        if version == "editable" or (root / REVISION).exists():
            return
        commit = _git(root, "rev-parse", "HEAD")
        if commit and _git(root, "ls-files", "pyproject.toml"):
            dirty = bool(_git(root, "status", "--porcelain", "--untracked-files=no"))
            self._folder = tempfile.TemporaryDirectory()
            file = Path(self._folder.name, REVISION.name)
            file.write_text(json.dumps({"commit": commit, "dirty": dirty}) + "\n", encoding="utf-8")
            build_data["force_include"][str(file)] = REVISION.as_posix()

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        if hasattr(self, "_folder"):
            self._folder.cleanup()


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-c", "safe.directory=*", *arguments]
    try:
        return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
