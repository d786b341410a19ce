"""Which code made a page: pages of the same code are the same to the last character."""

import hashlib
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[2]
_PARTS = ("report", "sharing", "metrics.py")
_SUFFIXES = {".py", ".yaml", ".html", ".svg", ".css", ".js"}


@cache
def maker() -> str:
    """Return the SHA-256 of the files of ``benchmark.report`` and ``benchmark.sharing``, and of the metrics."""
    files = [path for part in _PARTS for path in (_PACKAGE / part, *(_PACKAGE / part).rglob("*"))]
    digest = hashlib.sha256()
    for path in sorted(path for path in files if path.suffix in _SUFFIXES):
        digest.update(f"{path.relative_to(_PACKAGE).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
