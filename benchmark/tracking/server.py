"""Where MLflow is, and a quiet connection to it: no network but its own, no talk, its tables made only once."""

import logging
import os
import re
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from filelock import FileLock

if TYPE_CHECKING:
    from mlflow import MlflowClient

_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    # By default a server that is down costs minutes a call; what could not be sent is sent later. A request that is
    # repeated unseen could make a run twice: whole updates are repeated, which look first at what has arrived.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",  # a server waits up to 20 s for a lock of SQLite
}
_PREPARE_SECONDS = 120.0
_PLAIN = "".join(chr(code) for code in range(32, 127) if chr(code) not in "%?#")  # of a path, in an address
_REASON_LIMIT = 200  # characters


def tracking_uri(store_root: Path) -> str:
    """Return ``$MLFLOW_TRACKING_URI``, or the SQLite file beside the store."""
    return os.environ.get("MLFLOW_TRACKING_URI") or sqlite_uri(own_database(store_root))


def own_database(store_root: Path) -> Path:
    """Return the SQLite file in the folder ``mlflow`` beside the store."""
    return store_root.resolve().parent / "mlflow" / "mlflow.db"


def sqlite_uri(database: Path) -> str:
    """Return the address of a SQLite file; what has a meaning in an address is quoted."""
    return f"sqlite:///{quote(str(database), safe=_PLAIN)}"


def public(uri: str) -> str:
    """Return the address without user name and password: what may be printed and kept in files."""
    if re.match(r"sqlite\b", uri) or "@" not in uri:
        return uri
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def reason(error: Exception) -> str:
    """Return one line on an error of MLflow; its texts may hold an address with a password, which is taken out."""
    text = re.sub(r"//[^/@\s]*@", "//", str(error))
    what, _, cause = text.partition("(Caused by ")  # of requests: what went wrong stands at the end of a long line
    lines = (cause.removesuffix(")") or what).splitlines()
    return f"{type(error).__name__}: {lines[0][:_REASON_LIMIT] if lines else 'no details'}"


def sqlite_file(uri: str) -> Path | None:
    """Return the database file of a SQLite address, ``None`` for any other."""
    found = re.fullmatch(r"sqlite:///(?P<path>[^?]+)(\?.*)?", uri, re.DOTALL)
    return Path(unquote(found["path"])) if found else None


def over_http(uri: str) -> bool:
    """Return whether an address is that of a server."""
    return urlsplit(uri).scheme in {"http", "https"}


def connect(uri: str) -> "MlflowClient":
    """Return a client of an MLflow whose tables exist; in a SQLite file they are made where they do not.

    Raises whatever MLflow, its database or the network raise.
    """
    database = sqlite_file(uri)
    if database is not None:
        make_database(database)
    return _client(uri)


def make_database(database: Path) -> None:
    """Make MLflow's tables in a SQLite file that does not exist, one process at a time; it takes seconds.

    Raises whatever MLflow or its database raise.
    """
    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{database}.lock", timeout=_PREPARE_SECONDS):  # two first users at once would spoil the tables
        if not database.exists():
            _make_tables(database)


def _make_tables(database: Path) -> None:
    """Make an empty database under a temporary name and move it into place: half of its tables could not be used."""
    draft = database.with_name(f".{database.name}.{uuid.uuid4().hex}.tmp")
    try:
        _client(sqlite_uri(draft))
        draft.replace(database)
    finally:
        for leftover in database.parent.glob(f"{draft.name}*"):
            leftover.unlink()


def _client(uri: str) -> "MlflowClient":
    _hush()
    from mlflow import MlflowClient

    with _without_literal_folder(uri):
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        client.search_experiments(max_results=1)
    return client


@contextmanager
def _without_literal_folder(uri: str) -> Iterator[None]:
    """Remove the empty folders that MLflow makes by the quoted name of the one in which the database is."""
    database, quoted = sqlite_file(uri), Path(uri.removeprefix("sqlite:///")).parent
    new = [folder for folder in (quoted, *quoted.parents) if not folder.exists()] if database else []
    try:
        yield
    finally:
        if database and database.parent != quoted:
            for folder in new:
                with suppress(OSError):
                    folder.rmdir()


def _hush() -> None:
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    # SQLAlchemy 2.1 says so of MLflow's own table definitions. No catch_warnings: this may run beside other threads.
    warnings.filterwarnings("ignore", message="The ``noload`` loader strategy", category=DeprecationWarning)
    for name in ("alembic", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.ERROR)
