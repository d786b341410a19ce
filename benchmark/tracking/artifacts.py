"""Where the files of runs go, in a database that is written to directly and through its server in turn."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from benchmark.tracking.server import over_http, sqlite_file

PROXIED = "mlflow-artifacts"  # scheme of what a server takes and keeps itself


def folder(database: Path) -> Path:
    """Return the folder, beside a SQLite file, of the files of its runs; ``mlflow-server`` keeps them there too."""
    return database.resolve().parent / "artifacts"


def of_experiment(uri: str, name: str) -> str | None:
    """Return where the files of a new experiment go: beside a SQLite file; ``None`` leaves it to the server."""
    database = sqlite_file(uri)
    return None if database is None else (folder(database) / _safe(name)).as_uri()


def of_run(location: str, experiment: str, uri: str) -> str:
    """Return where this process sends the files of a run.

    That is where MLflow has them, said in words that serve here: who writes to the database knows no server that takes
    files, and who talks to its server need not have the folder beside the database.

    Args:
        location: the run's artifact URI as MLflow has it.
        experiment: name of the run's experiment.
        uri: MLflow's tracking URI.
    """
    scheme, _, path, *_ = urlsplit(location)
    database = sqlite_file(uri)
    if database is not None and scheme == PROXIED:
        return (folder(database) / path.lstrip("/")).as_uri()
    _, beside_a_database, within = path.rpartition(f"/mlflow/artifacts/{_safe(experiment)}/")
    if over_http(uri) and scheme == "file" and beside_a_database:
        return f"{PROXIED}:/{_safe(experiment)}/{within}"
    return location


def _safe(name: str) -> str:
    return re.sub(r"[^\w\-.]", "_", name)
