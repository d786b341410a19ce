"""Which code made a page: pages of the same code are the same to the last character."""

import hashlib
from functools import cache
from pathlib import Path

_REPORT = Path(__file__).resolve().parents[1]
_SUFFIXES = {".py", ".yaml", ".html", ".svg", ".css", ".js"}


@cache
def maker() -> str:
    """Return the SHA-256 of the files of ``benchmark.report`` and of the metrics."""
    files = [path for path in _REPORT.rglob("*") if path.suffix in _SUFFIXES]
    digest = hashlib.sha256()
    for path in sorted([*files, _REPORT.with_name("metrics.py")]):
        digest.update(f"{path.relative_to(_REPORT.parent).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
