"""Commands of Slurm: every one gets an answer in time, be it that there is none."""

import os
import subprocess
from typing import NamedTuple

PATIENCE = 20.0  # seconds
_FORMATS = ("SQUEUE_", "SACCT_")  # a user's own habits: other columns, fewer partitions


class Answer(NamedTuple):
    """What a command printed, or in one line why it could not be had."""

    text: str
    error: str = ""


def ask(*command: str, patience: float = PATIENCE) -> Answer:
    """Run a command of Slurm and return its answer; never raises.

    Args:
        command: program and arguments.
        patience: seconds after which a controller that is busy or away counts as silent.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_FORMATS)}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=patience,
            check=False,
        )
    except FileNotFoundError:
        return Answer("", f"{command[0]} is not installed here")
    except subprocess.TimeoutExpired:
        return Answer("", f"{command[0]} did not answer within {patience:.0f} s")
    except OSError as error:
        return Answer("", f"{command[0]} cannot be run: {error.strerror}")
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return Answer(done.stdout, f"{command[0]}: {lines[-1]}")
    return Answer(done.stdout)
