"""The verb ``mlflow-server``: what it refuses, and that nothing of it stays behind."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from benchmark.cli import main
from benchmark.errors import BenchmarkError
from benchmark.store import Store
from benchmark.tracking import serving
from benchmark.tracking.address import Address, free_address
from benchmark.tracking.server import own_database
from benchmark.tracking.serving import Server
from tests.benchmark.processes import alive
from tests.benchmark.tracking.support import wait_for

STUBBORN = """
import http.server, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(sys.argv[1], "w").write(str(child.pid))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
"""


def refused(store: Store, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["mlflow-server", "--store", str(store.root), *(options or ("--port", "0"))]) == 2
    captured = capsys.readouterr()
    assert not captured.out
    return captured.err.partition("error: ")[2]


def test_port_that_is_taken(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert refused(store, capsys, "--port", port).startswith(f"cannot listen on port {port} of 127.0.0.1")


def test_file_where_a_folder_is_needed(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    folder = own_database(store.root).parent
    shutil.rmtree(folder)
    folder.touch()
    error = refused(store, capsys)
    assert error.startswith(f"cannot write MLflow's database {own_database(store.root)}: FileExistsError")
    assert "choose another store with --store" in error


def test_database_that_cannot_be_written(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    database = own_database(store.root)
    database.write_text("no database " * 1000)
    error = refused(store, capsys)
    assert error.startswith(f"cannot write MLflow's database {database}: DatabaseError: file is not a database")


def test_database_that_is_being_served(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    with FileLock(f"{own_database(store.root)}.server"):
        assert "is being served already" in refused(store, capsys)


def test_server_that_does_not_start(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_command", lambda *_: [sys.executable, "-c", "import sys; sys.exit('out of date')"])
    log = own_database(store.root).with_name("server.log")
    assert refused(store, capsys) == f"MLflow's server ended with exit code 1: out of date (from {log})\n"


def test_processes_that_do_not_want_to_end_are_killed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "child"

    def stubborn(_: Path, address: Address, hosts: str) -> list[str]:
        return [sys.executable, "-c", STUBBORN, str(told), str(address.port)]

    monkeypatch.setattr(serving, "_command", stubborn)
    monkeypatch.setattr(serving, "FAREWELL", 0.3)
    with serving.serving(own_database(store.root), "127.0.0.1", 0) as server:
        while not server.answers():
            pass
        assert alive(int(told.read_text()))
    wait_for(lambda: not alive(int(told.read_text())))  # a process that is nobody's child any more ends when it can
    free_address(*server.address[:2])


def test_what_the_shell_says_of_mlflow_is_not_meant_for_this_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_STATIC_PREFIX", "/elsewhere")
    code = "import os, sys; sys.exit(' '.join(sorted(name for name in os.environ if name.startswith('MLFLOW_'))))"
    server = Server(Address("127.0.0.1", 1, loopback=True), [sys.executable, "-c", code], tmp_path / "log")
    ours = "MLFLOW_DISABLE_TELEMETRY MLFLOW_SERVER_ENABLE_JOB_EXECUTION MLFLOW_SQLALCHEMYSTORE_POOL_SIZE"
    with pytest.raises(BenchmarkError, match=rf"exit code 1: {ours} \("):
        server.wait(30.0)


def test_help_loads_no_mlflow() -> None:
    code = "import sys, benchmark.commands.mlflow_server; sys.exit('mlflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
