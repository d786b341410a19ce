"""MLflow's tracking server over the database beside a store: started, watched, ended with all its processes."""

import http.client
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from benchmark.errors import BenchmarkError
from benchmark.tracking import artifacts
from benchmark.tracking.address import Address, allowed_hosts, free_address
from benchmark.tracking.server import make_database, reason, sqlite_uri

FAREWELL = 10.0  # seconds that the server has to answer its last requests
_POLL = 0.1
_WAY_OUT = "Free space or change permissions, or choose another store with --store."
_UVICORN = "--no-access-log --log-level warning --timeout-keep-alive 75 --timeout-graceful-shutdown 5"
_ENVIRONMENT = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # processes of 200 MB that nothing here uses
    "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "40",  # with fewer connections than threads, bursts of jobs time out
}


class Server:
    """A server that was started, and its processes: a group of their own, which a Ctrl-C in the terminal misses."""

    def __init__(self, address: Address, command: list[str], log: Path) -> None:
        self.address, self.log = address, log
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                command,
                env=inherited | _ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, timeout: float) -> None:
        """Wait so many seconds. Raises BenchmarkError where the server has ended."""
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(timeout)
            raise BenchmarkError(f"MLflow's server ended with exit code {code}{self._last_words()}")

    def answers(self) -> bool:
        """Return, after a moment, whether the server is up. Raises BenchmarkError where it has ended."""
        self.wait(_POLL)
        connection = http.client.HTTPConnection(self.address.here, self.address.port, timeout=2)
        with closing(connection), suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/health")
            return connection.getresponse().status == http.client.OK
        return False

    def stop(self) -> None:
        """End the server and all that it has started."""
        end = time.monotonic() + FAREWELL
        self._signal(signal.SIGTERM)
        while self._signal(0) and time.monotonic() < end:
            time.sleep(_POLL)
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: int) -> bool:
        """Send the processes a signal; return whether there are any."""
        self._process.poll()
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return False
        return True

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f": {lines[-1]} (from {self.log})" if lines else "."


@contextmanager
def serving(database: Path, host: str, port: int, more_hosts: Iterable[str] = ()) -> Iterator[Server]:
    """Start a server over a SQLite file, and end it with the context.

    Args:
        database: is made, with its tables, where it does not exist. Files of runs go to ``artifacts`` beside it.
        host: address to listen on.
        port: 0 takes a free one.
        more_hosts: names of this machine that it does not know itself.

    Raises:
        BenchmarkError: the file cannot be written or is being served, or the address is taken.
    """
    prepare(database)
    lock = FileLock(f"{database}.server")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise BenchmarkError(f"{database} is being served already; use that server, or end it first.") from None
    try:
        address = free_address(host, port)
        log = database.with_name("server.log")
        server = Server(address, _command(database, address, allowed_hosts(address, more_hosts)), log)
        try:
            yield server
        finally:
            server.stop()
    finally:
        lock.release()


def prepare(database: Path) -> None:
    """Make MLflow's tables where they do not exist. Raises BenchmarkError for a file that cannot be written."""
    try:
        make_database(database)
        artifacts.folder(database).mkdir(exist_ok=True)
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("BEGIN IMMEDIATE")
    except Exception as error:  # whatever MLflow, its database or the disk raise
        raise BenchmarkError(f"cannot write MLflow's database {database}: {reason(error)}. {_WAY_OUT}") from error


def _command(database: Path, address: Address, hosts: str) -> list[str]:
    uri = sqlite_uri(database)
    options = {
        "--backend-store-uri": uri,
        "--registry-store-uri": uri,
        "--default-artifact-root": f"{artifacts.PROXIED}:/",
        "--artifacts-destination": artifacts.folder(database).as_uri(),
        "--host": address.host,
        "--port": str(address.port),
        "--allowed-hosts": hosts,
        "--workers": "1",  # more are not faster over SQLite
        "--uvicorn-opts": _UVICORN,
    }
    return [
        *(sys.executable, "-m", "mlflow", "server", "--serve-artifacts"),
        *(f"{name}={value}" for name, value in options.items()),
    ]
