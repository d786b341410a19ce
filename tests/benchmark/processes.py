"""What the system says of processes, for tests that kill some."""

from pathlib import Path


def alive(pid: int) -> bool:
    state = _status(pid)
    return state is not None and state[0] != "Z"


def family(pid: int) -> set[int]:
    """Return a process and all that it has started, and they."""
    found, new = set(), {pid}
    while new:
        found |= new
        new = {child for child in map(int, _numbers()) if parent(child) in new} - found
    return found


def _numbers() -> list[str]:
    return [folder.name for folder in Path("/proc").iterdir() if folder.name.isdigit()]


def parent(pid: int) -> int | None:
    status = _status(pid)
    return None if status is None else int(status[1])


def _status(pid: int) -> list[str] | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
