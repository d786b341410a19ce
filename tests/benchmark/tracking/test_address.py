"""Where a server listens, and who may call it."""

import socket
from fnmatch import fnmatch

import pytest

from benchmark.errors import BenchmarkError
from benchmark.tracking.address import Address, allowed_hosts, free_address


def allowed(address: Address, host: str, *more: str) -> bool:
    """Return what MLflow makes of it: a pattern is one that has a ``*``."""
    patterns = allowed_hosts(address, more).split(",")
    return any(fnmatch(host, pattern) if "*" in pattern else host == pattern for pattern in patterns)


LOCAL = Address("127.0.0.1", 5000, loopback=True)
EVERYWHERE = Address("0.0.0.0", 5000, loopback=False)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.1:5000", "localhost:80", "[::1]:5000"])
def test_the_loopback_answers_to_its_names(host: str) -> None:
    assert allowed(LOCAL, host)
    assert allowed(EVERYWHERE, host)


def test_compute_nodes_call_a_machine_by_its_names_and_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "login1.cluster")
    monkeypatch.setattr(socket, "getfqdn", lambda: "login1.cluster.example.org")
    monkeypatch.setattr(socket, "gethostbyname_ex", lambda _: ("login1.cluster", ["head"], ["141.5.1.2"]))
    names = ("login1", "login1.cluster", "login1.cluster.example.org", "head")
    for host in (*names, "141.5.1.2", "10.1.2.3", "172.20.1.1"):
        assert allowed(EVERYWHERE, f"{host}:5000")
        assert not allowed(LOCAL, f"{host}:5000")
    assert not allowed(EVERYWHERE, "elsewhere.example.org:5000")
    assert allowed(EVERYWHERE, "login1-ib0:5000", "login1-ib*")
    assert allowed(LOCAL, "tunnel:5000", "tunnel")


def test_a_machine_without_name_service_still_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: str) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "gethostname", lambda: "laptop")
    monkeypatch.setattr(socket, "gethostbyname_ex", unknown)
    assert allowed(EVERYWHERE, "laptop:5000")


@pytest.mark.parametrize(
    ("host", "url", "here"),
    [
        ("127.0.0.1", "http://127.0.0.1:5000", "127.0.0.1"),
        ("10.0.0.7", "http://10.0.0.7:5000", "10.0.0.7"),
        ("0.0.0.0", "http://login1:5000", "127.0.0.1"),
        ("::", "http://login1:5000", "::1"),
        ("::1", "http://[::1]:5000", "::1"),
    ],
)
def test_the_address_that_clients_use(monkeypatch: pytest.MonkeyPatch, host: str, url: str, here: str) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "login1")
    address = Address(host, 5000, loopback=False)
    assert (address.url, address.here) == (url, here)


def test_a_free_port_is_found_and_a_taken_one_refused() -> None:
    found = free_address("127.0.0.1", 0)
    assert found.port > 0
    assert found.loopback
    assert not free_address("0.0.0.0", 0).loopback
    taken = f"port {found.port} of 127.0.0.1: Address already in use.*--port"
    with socket.create_server((found.host, found.port)), pytest.raises(BenchmarkError, match=taken):
        free_address(*found[:2])
    assert free_address(*found[:2]) == found


def test_a_host_that_is_none() -> None:
    with pytest.raises(BenchmarkError, match="--host no such host"):
        free_address("no such host", 0)
    with pytest.raises(BenchmarkError, match=r"of 192\.0\.2\.1"):  # of some other machine
        free_address("192.0.2.1", 0)
