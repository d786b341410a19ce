"""Where a server listens, and by which names others may call it."""

import ipaddress
import socket
from collections.abc import Iterable
from typing import NamedTuple

from benchmark.errors import BenchmarkError

_LOOPBACK = ("localhost", "127.0.0.1", "[[]::1]")  # the last in the words of MLflow's patterns
_PRIVATE = ("10.*", "192.168.*", *(f"172.{number}.*" for number in range(16, 32)))  # as MLflow has it by default
_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - all addresses of this machine


class Address(NamedTuple):
    """What a server listens on: ``host`` as the user wrote it, and a port that was free a moment ago."""

    host: str
    port: int
    loopback: bool

    @property
    def here(self) -> str:
        """The host by which this machine reaches the server."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104

    @property
    def url(self) -> str:
        """What clients set as ``MLFLOW_TRACKING_URI``: a name of this machine where it listens on all addresses."""
        host = socket.gethostname() if self.host in _WILDCARDS else self.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def free_address(host: str, port: int) -> Address:
    """Return where a server can listen; port 0 takes any. Raises BenchmarkError where it cannot."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise BenchmarkError(f"--host {host} is no address: {error.strerror}.") from error
    for family, kind, protocol, _, place in found:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((place[0], port, *place[2:]))
            except OSError as error:
                reason = f"cannot listen on port {port} of {host}: {error.strerror}"
                raise BenchmarkError(f"{reason}. Choose another --port (0 takes a free one) or --host.") from error
            port = probe.getsockname()[1]
    return Address(host, port, all(ipaddress.ip_address(place[0]).is_loopback for *_, place in found))


def allowed_hosts(address: Address, more: Iterable[str] = ()) -> str:
    """Return what MLflow's ``--allowed-hosts`` takes: the ``Host`` headers it answers. Those of others it refuses.

    On the loopback these are its names; beyond it all names and addresses of this machine, and private networks.

    Args:
        address: where the server listens.
        more: names that the user adds; ``*`` stands for anything.
    """
    names = [*_LOOPBACK, *more]
    if not address.loopback:
        names += [address.host, *_own_names(), *_PRIVATE]
    return ",".join(dict.fromkeys(pattern for name in names for pattern in (name, f"{name}:*")))


def _own_names() -> list[str]:
    name = socket.gethostname()
    try:
        canonical, aliases, addresses = socket.gethostbyname_ex(name)
    except OSError:  # not in the name service, as on a laptop: others cannot use the name either
        return [name]
    return [name, name.partition(".")[0], socket.getfqdn(), canonical, *aliases, *addresses]
