from __future__ import annotations

import socket

import pytest

from pipeline.errors import StartError
from pipeline.transport.listen import Address, SharedPorts, bind, bound_endpoint, resolve, split_endpoint


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("localhost:4317", ("localhost", 4317)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("[::1]:65535", ("::1", 65535)),
        (":0", ("", 0)),
    ],
)
def test_split_endpoint(endpoint: str, expected: tuple[str, int]) -> None:
    assert split_endpoint(endpoint) == expected


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ("localhost", "has no port; write host:port"),
        ("", "has no port"),
        ("::1:4317", "write an IPv6 address in brackets"),
        ("localhost:http", "has no valid port"),
        ("localhost:65536", "has no valid port"),
        ("localhost:-1", "has no valid port"),
        ("localhost:", "has no valid port"),
    ],
)
def test_no_endpoint(endpoint: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split_endpoint(endpoint)


@pytest.mark.parametrize(
    ("endpoint", "network", "address", "text"),
    [
        ("localhost:1", "tcp", Address("127.0.0.1", 1, socket.AF_INET), "127.0.0.1:1"),
        ("localhost:1", "tcp4", Address("127.0.0.1", 1, socket.AF_INET), "127.0.0.1:1"),
        ("[::1]:1", "tcp6", Address("::1", 1, socket.AF_INET6), "[::1]:1"),
        (":1", "tcp", Address("::", 1, socket.AF_INET6), "[::]:1"),
        (":1", "tcp4", Address("0.0.0.0", 1, socket.AF_INET), "0.0.0.0:1"),
        ("0.0.0.0:1", "tcp", Address("0.0.0.0", 1, socket.AF_INET), "0.0.0.0:1"),
    ],
)
def test_resolve(endpoint: str, network: str, address: Address, text: str) -> None:
    if address.host == "::" and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    assert resolve(endpoint, network) == address
    assert str(address) == text


def test_an_unknown_name() -> None:
    with pytest.raises(StartError, match=r"lookup no-such-host\.invalid: no such host"):
        resolve("no-such-host.invalid:1")


def test_bind() -> None:
    with bind(resolve("127.0.0.1:0")) as first:
        endpoint = bound_endpoint(first)
        assert not endpoint.endswith(":0")
        with pytest.raises(StartError) as caught:
            bind(resolve(endpoint))
        assert str(caught.value) == f"listen tcp {endpoint}: bind: address already in use"
    with bind(resolve(endpoint)) as again:
        assert bound_endpoint(again) == endpoint


def test_an_address_of_another_machine() -> None:
    # 192.0.2.0/24 is for documentation only (RFC 5737).
    with pytest.raises(StartError, match=r"listen tcp 192\.0\.2\.1:0: bind: cannot assign requested address"):
        bind(resolve("192.0.2.1:0"))


def test_workers_share_an_address_and_strangers_do_not() -> None:
    first, second = SharedPorts(), SharedPorts()
    first.share([])
    with bind(resolve("127.0.0.1:0")) as probe:
        address = resolve(bound_endpoint(probe))
        with pytest.raises(StartError, match="address already in use"):
            first.bind(address)
    assert not first.addresses
    with first.bind(address):
        second.share([])
        with pytest.raises(StartError, match="address already in use"):
            second.bind(address)
        with pytest.raises(StartError, match="address already in use"):
            bind(address)
        second.share(first.addresses)
        second.bind(address).close()
        # One that has it may close it and open it again beside the others, as a reload does.
        second.bind(address).close()


def test_workers_cannot_each_choose_a_port() -> None:
    with pytest.raises(StartError, match="workers cannot share port 0"):
        SharedPorts().bind(resolve("127.0.0.1:0"))
