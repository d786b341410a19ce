"""Files that settings name by their path: found and hashed when a plan is made. Nothing here imports torch."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from benchmark.errors import BenchmarkError
from benchmark.files import sha256


class GivenFile(NamedTuple):
    """An absolute path, and the SHA-256 of the content, so that another content gets another key."""

    path: str
    sha256: str


def given_file(setting: str, value: str, way_out: str) -> GivenFile:
    """Return the file that a setting names. Raises BenchmarkError where it cannot be read."""
    path = Path(value).expanduser().absolute()
    try:
        state = path.stat()
        return GivenFile(str(path), _remembered(path, state.st_size, state.st_mtime_ns))
    except (OSError, ValueError) as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise BenchmarkError(f"{setting} = {value!r}: {reason} ({path}). {way_out}") from error


def check_content(path: Path, expected: str) -> None:
    """Raise BenchmarkError where a file is not what it was when the plan was made."""
    try:
        found = sha256(path)
    except OSError as error:
        raise BenchmarkError(f"{path} cannot be read any more: {error}. Put it back, or plan without it.") from error
    if found != expected:
        raise BenchmarkError(
            f"{path} has SHA-256 {found[:12]}, but the stage was planned for {expected[:12]}: the file changed in "
            f"between. Run again to plan for the file as it is now."
        )


@lru_cache(maxsize=64)
def _remembered(path: Path, size: int, modified: int) -> str:  # noqa: ARG001 - a file that changed is read again
    return sha256(path)
