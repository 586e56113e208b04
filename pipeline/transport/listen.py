"""Listening sockets: `host:port` as the Collector reads it, and errors as it words them."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pipeline.errors import StartError

_WORDS: Final = {
    errno.EADDRINUSE: "address already in use",
    errno.EADDRNOTAVAIL: "cannot assign requested address",
    errno.EACCES: "permission denied",
}
"""Go's words for what goes wrong at bind; others are the system's."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: a host and a port, resolved."""

    host: str
    """An IP address; `::` listens on every address of both families."""
    port: int
    family: socket.AddressFamily

    def __str__(self) -> str:
        host = f"[{self.host}]" if self.family == socket.AF_INET6 else self.host
        return f"{host}:{self.port}"


def split_endpoint(endpoint: str) -> tuple[str, int]:
    """Host (may be empty) and port of `host:port`, `[v6]:port` or `:port`.

    Raises:
        ValueError: no such form; the message says what is missing.
    """
    host, colon, port = endpoint.rpartition(":")
    if not colon:
        raise ValueError(f'"{endpoint}" has no port; write host:port, for example localhost:4317')
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f'"{endpoint}" has too many colons; write an IPv6 address in brackets')
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f'"{endpoint}" has no valid port; a port is a number from 0 to 65535')
    return host, int(port)


def resolve(endpoint: str, network: str = "tcp") -> Address:
    """The one address to listen on, as Go's `net.Listen` chooses: IPv4 if a name has both, all where no host is given.

    Args:
        endpoint: `host:port`.
        network: `tcp`, `tcp4` or `tcp6`.

    Raises:
        StartError: the name is unknown.
    """
    host, port = split_endpoint(endpoint)
    if not host:
        dual = network != "tcp4" and socket.has_dualstack_ipv6()
        return Address("::", port, socket.AF_INET6) if dual else Address("0.0.0.0", port, socket.AF_INET)
    families = {"tcp4": socket.AF_INET, "tcp6": socket.AF_INET6}
    try:
        found = socket.getaddrinfo(host, port, families.get(network, socket.AF_UNSPEC), socket.SOCK_STREAM)
    except OSError:
        raise StartError(f"listen {network}: lookup {host}: no such host") from None
    family, _, _, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    return Address(str(address[0]), port, family)


class SharedPorts:
    """The addresses that the workers of one parent listen on together; off in a process alone.

    A port that is shared can be shared with anybody, so that an address that no worker has yet is first tried alone: a
    port in use by another program stays an error at start.

    Attributes:
        addresses: what this worker, or one before it, listens on.
    """

    def __init__(self) -> None:
        """Share nothing."""
        self.addresses: set[str] = set()
        self.is_on = False

    def share(self, addresses: Iterable[str]) -> None:
        """Share ports from now on; other workers listen on these `addresses` already."""
        self.is_on = True
        self.addresses |= {*addresses}

    def bind(self, address: Address) -> socket.socket:
        """As `bind` below."""
        if not address.port:
            raise StartError(f"listen tcp {address}: workers cannot share port 0; name a port")
        if str(address) not in self.addresses:
            _bind(address, shared=False).close()
        listener = _bind(address, shared=True)
        self.addresses.add(str(address))
        return listener


SHARED_PORTS: Final = SharedPorts()


def bind(address: Address) -> socket.socket:
    """A listening, non-blocking TCP socket, shared with the other workers where there are some.

    Raises:
        StartError: the port is taken, or the address is not ours.
    """
    return SHARED_PORTS.bind(address) if SHARED_PORTS.is_on else _bind(address, shared=False)


def _bind(address: Address, *, shared: bool) -> socket.socket:
    listener = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if address.family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address.host != "::"))
        listener.bind((address.host, address.port))
        # Bound without listening, two sockets may share an address; the second to listen would fail later, unexplained.
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise StartError(f"listen tcp {address}: bind: {_reason(error)}") from None
    listener.setblocking(False)
    return listener


def _reason(error: OSError) -> str:
    return _WORDS.get(error.errno or 0) or os.strerror(error.errno or 0).lower()


def bound_endpoint(listener: socket.socket) -> str:
    """`host:port` of a bound socket, with the port that the system chose for port 0."""
    host, port = listener.getsockname()[:2]
    return str(Address(host, port, listener.family))
