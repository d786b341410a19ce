"""Commands that stand in for Slurm's on the search path: they note how they were called and answer as a test says."""

import os
import shlex
import stat
from pathlib import Path

import pytest

COMMANDS = ("squeue", "sacct", "scontrol", "scancel", "sbatch", "srun", "sinfo")


class FakeSlurm:
    """A folder of commands before all others, also before a Slurm of this machine; they fail until a test says more."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder / "bin"
        self._folder.mkdir()
        self._calls = folder / "calls-of-slurm"
        monkeypatch.setenv("PATH", f"{self._folder}{os.pathsep}{os.environ['PATH']}")
        for command in COMMANDS:
            self.answers(command, error=f"{command}: error: no test has prepared an answer\n", code=1)

    def answers(self, command: str, text: str = "", *, error: str = "", code: int = 0, after: float = 0) -> None:
        """Let a command print a text, or fail, from now on."""
        self.script(
            command,
            f"sleep {after}" if after else ":",
            f"printf '%s' {shlex.quote(text)}",
            f"printf '%s' {shlex.quote(error)} >&2",
            f"exit {code}",
        )

    def uninstall(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Leave no command at all on the search path."""
        monkeypatch.setenv("PATH", str(self._folder / "empty"))

    def script(self, command: str, *lines: str) -> None:
        """Let a command do what these lines of bash say."""
        path = self._folder / command
        note = f'echo "{command} $*" >>{shlex.quote(str(self._calls))}'
        draft = path.with_suffix(".new")
        draft.write_text("\n".join(["#!/bin/bash", note, *lines, ""]))
        draft.chmod(draft.stat().st_mode | stat.S_IXUSR)
        draft.replace(path)

    def calls(self, command: str = "") -> list[str]:
        """Return how commands, or one of them, were called, in order."""
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        return [line for line in lines if line.startswith(command)]
