"""Writing so that readers never see half a file, and a full or read-only disk is named as such; digests."""

import errno
import hashlib
import json
import os
import secrets
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmark.errors import BenchmarkError

FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
}
REFUSED = FULL | {
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.ENOTDIR: "a file stands where a folder is needed",
    errno.EEXIST: "a file stands where a folder is needed",
    errno.EIO: "the disk, or the way to it, fails",
    errno.ESTALE: "the network file system has lost it",
}


UNREACHABLE = {
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.EIO: "the disk, or the way to it, fails",
    errno.ESTALE: "the network file system has lost it",
    errno.ETIMEDOUT: "the network file system does not answer",
    errno.ENOLCK: "the file system has no locks, which several runs on one store need",
    errno.ENOTSUP: "the file system lacks what is asked of it, as locks",
    errno.ELOOP: "links lead round in a circle",
    errno.ENAMETOOLONG: "the name is too long for the file system",
    errno.EMFILE: "too many files are open (`ulimit -n`)",
}


def unreachable(error: OSError) -> str:
    """Return why a file could not be read or locked, with the way out; empty for an error of another kind."""
    reason = UNREACHABLE.get(error.errno or 0)
    if reason is None:
        return ""
    if error.filename is None or error.errno not in {errno.EACCES, errno.EPERM}:
        return f"cannot read {error.filename or 'a file'}: {reason}. Mend that, or choose another folder."
    place = _closed(Path(os.fsdecode(error.filename)))
    return (
        f"cannot read {os.fsdecode(error.filename)}: {reason}; {place} belongs to {_owner(place)}. "
        f"Let its owner give access (`chmod -R g+rwX`, and `umask 002` for what is made in future), or use another "
        f"folder."
    )


def _closed(path: Path) -> Path:
    """Return the first folder on the way to a file that this user may not pass, or the file itself."""
    for folder in reversed(path.absolute().parents):
        if not os.access(folder, os.X_OK, effective_ids=os.access in os.supports_effective_ids):
            return folder
    return path


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except (OSError, KeyError):
        return "another user"


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a text file as a whole, as ``write_bytes`` does."""
    write_bytes(path, text.encode(), durable=durable)


def write_bytes(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file as a whole: under a temporary name in the same folder, flushed to disk if ``durable``, renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as stream:
            stream.write(content)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: object) -> None:
    """Write JSON as a whole; numbers of numpy and torch become plain ones."""
    write_text(path, json.dumps(value, indent=1, default=_plain) + "\n")


def read_json(path: Path) -> Any:
    """Return the content of a JSON file, ``None`` where there is none or it cannot be parsed."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None


def dated_name(now: float | None = None) -> str:
    """Return a name for what is made ``now`` that is nobody else's: the local time and four random digits."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.localtime(now))}-{secrets.token_hex(2)}"


def canonical_json(value: object) -> str:
    """Return the one JSON text of ``value``: sorted keys, no blanks. Raises TypeError or ValueError, for NaN too."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, 64 hexadecimal digits. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


_SEAL = b"\nSHA-256 of all before:"


def seal_file(path: Path) -> None:
    """Append to a file the digest of its content, and flush it to disk. Raises OSError."""
    digest = bytes.fromhex(sha256(path))
    with path.open("ab") as stream:
        stream.write(_SEAL + digest)
        stream.flush()
        os.fsync(stream.fileno())


def unsealed(path: Path) -> bytes | None:
    """Return the content of a file that ``seal_file`` sealed, empty where it was changed; ``None`` for no file.

    A file without a seal, of an older version, is returned as it is.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    body, seal, digest = content.rpartition(_SEAL)
    if not seal:
        return content
    return body if hashlib.sha256(body).digest() == digest else b""


def sync_tree(folder: Path) -> None:
    """Flush a folder and all it holds to disk."""
    for path in (*folder.rglob("*"), folder):
        if not path.is_symlink() and (path.is_dir() or path.is_file()):
            sync(path)


def sync(path: Path) -> None:
    """Flush one file or folder to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def naming(folder: Path, way_out: str, reasons: Mapping[int, str] = REFUSED) -> Iterator[None]:
    """Turn the errors of a full, read-only or forbidden disk into a BenchmarkError that names path and way out."""
    try:
        yield
    except BenchmarkError:
        raise
    except Exception as error:
        refusal = _refusal(error, reasons)
        if refusal is None:
            raise
        place = refusal.filename or folder
        raise BenchmarkError(f"cannot write {place}: {reasons[refusal.errno or 0]}. {way_out}") from error


def _refusal(error: Exception, reasons: Mapping[int, str]) -> OSError | None:
    """Return the error of the disk that ``error`` is, or that a library put its own one over, as torch does."""
    if isinstance(error, OSError) and error.errno in reasons:
        return error
    cause = error.__cause__ or error.__context__
    return cause if isinstance(cause, OSError) and cause.errno in FULL else None


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no JSON value: {value!r}")
