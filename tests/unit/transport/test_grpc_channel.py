"""gRPC over HTTP/2: what goes out, what the answers mean, how connections are made, shared and remade."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from pipeline.errors import Code
from pipeline.exporters.otlp_grpc import OtlpGrpcConfig
from pipeline.testing import make_host
from pipeline.transport import grpc_connections
from pipeline.transport.grpc_channel import GrpcChannel, RpcError
from tests.unit.exporters.grpc_server import grpc_server
from tests.unit.transport.frames import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    OK_HEADERS,
    OK_TRAILERS,
    PING,
    Peer,
    Script,
    frame,
    message,
    scripted_server,
)

PATH = "/service/Method"


@asynccontextmanager
async def channel_to(endpoint: str, *, timeout_s: float | None = 5.0, **keys: Any) -> AsyncIterator[GrpcChannel]:
    host = make_host("otlp_grpc")
    config = OtlpGrpcConfig(**{"endpoint": endpoint, "tls": {"insecure": True}, "compression": "none", **keys})
    channel = GrpcChannel(config, host.tasks, timeout_s=timeout_s)
    try:
        async with asyncio.timeout(60):
            yield channel
    finally:
        await host.tasks.stop()
        channel.close()


def answering(*blocks: Sequence[tuple[str, str]], body: bytes = b"") -> Script:
    """Headers, a body, and trailers; with one block: trailers alone."""

    async def script(peer: Peer) -> None:
        await peer.hello()
        while True:
            stream_id, _ = await peer.request()
            if len(blocks) > 1:
                peer.writer.write(frame(HEADERS, END_HEADERS, stream_id, peer.headers(list(blocks[0]))))
                peer.writer.write(frame(DATA, 0, stream_id, body))
            last = peer.headers(list(blocks[-1]))
            peer.writer.write(frame(HEADERS, END_HEADERS | END_STREAM, stream_id, last))

    return script


async def call(script: Script, metadata: Mapping[str, str] | None = None, **keys: Any) -> bytes:
    async with scripted_server(script) as port, channel_to(f"127.0.0.1:{port}", **keys) as channel:
        return await channel.call(PATH, b"hello", metadata or {})


async def failure(script: Script, **keys: Any) -> RpcError:
    with pytest.raises(RpcError) as caught:
        await call(script, **keys)
    return caught.value


async def test_a_call_has_the_headers_of_grpc() -> None:
    async with grpc_server() as server, channel_to(server.endpoint) as channel:
        assert await channel.call(PATH, b"hello", {"x-a": "b", "x-bytes-bin": "raw"}) == b""

    assert server.methods == [PATH]
    assert server.bodies == [b"hello"]
    assert (server.metadata[0]["x-a"], server.metadata[0]["x-bytes-bin"]) == ("b", "b'raw'")


async def test_an_answer_is_the_message_in_it() -> None:
    assert await call(answering(OK_HEADERS, OK_TRAILERS, body=message(b"hi"))) == b"hi"


async def test_a_compressed_answer_is_decompressed() -> None:
    packed = gzip.compress(b"hi")
    body = struct.pack(">BI", 1, len(packed)) + packed

    assert await call(answering([*OK_HEADERS, ("grpc-encoding", "gzip")], OK_TRAILERS, body=body)) == b"hi"


@pytest.mark.parametrize(
    "body",
    [b"\x00", message(b"hi")[:-1], message(b"hi") + b"x", struct.pack(">BI", 1, 2) + b"hi"],
    ids=["short", "cut", "long", "no gzip"],
)
async def test_an_answer_that_is_no_message(body: bytes) -> None:
    error = await failure(answering([*OK_HEADERS, ("grpc-encoding", "gzip")], OK_TRAILERS, body=body))

    assert error.code is Code.INTERNAL


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([(":status", "200")], Code.UNAVAILABLE),
        ([(":status", "400")], Code.INTERNAL),
        ([(":status", "401")], Code.UNAUTHENTICATED),
        ([(":status", "403")], Code.PERMISSION_DENIED),
        ([(":status", "404")], Code.UNIMPLEMENTED),
        ([(":status", "503")], Code.UNAVAILABLE),
        ([(":status", "418")], Code.UNKNOWN),
        ([*OK_HEADERS, ("grpc-status", "7")], Code.PERMISSION_DENIED),
        ([*OK_HEADERS, ("grpc-status", "99")], Code.UNKNOWN),
        ([*OK_HEADERS, ("grpc-status", "seven")], Code.UNKNOWN),
    ],
)
async def test_the_code_of_an_answer(headers: list[tuple[str, str]], code: Code) -> None:
    assert (await failure(answering(headers))).code is code


async def test_message_and_details_are_decoded() -> None:
    trailers = [*OK_HEADERS, ("grpc-status", "3"), ("grpc-message", "n%C3%B6%0A"), ("grpc-status-details-bin", "aGk")]

    error = await failure(answering(trailers))

    assert (str(error), error.said, error.details) == ("", "nö\n", b"hi")


async def test_details_that_are_no_base64_are_left_out() -> None:
    assert (
        await failure(answering([*OK_HEADERS, ("grpc-status", "3"), ("grpc-status-details-bin", "a")]))
    ).details is None


@pytest.mark.parametrize("compression", ["gzip", "zstd", "snappy"])
@pytest.mark.parametrize("size", [10, 200_000])
async def test_what_is_compressed_says_so(compression: str, size: int) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.hello()
        stream_id, body = await peer.request()
        seen.append(body)
        peer.answer(stream_id)

    async with scripted_server(script) as port, channel_to(f"127.0.0.1:{port}", compression=compression) as channel:
        await channel.call(PATH, b"x" * size, {})

    assert seen[0][0] == 1
    assert int.from_bytes(seen[0][1:5]) == len(seen[0]) - 5


@pytest.mark.parametrize(("timeout_s", "text"), [(5.0, b"5000m"), (0.0001, b"1m"), (1e6, b"1000000S"), (None, None)])
async def test_the_time_limit_on_the_wire(timeout_s: float | None, text: bytes | None) -> None:
    blocks: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.hello()
        found = await peer.next(HEADERS)
        blocks.append(found.payload)
        await peer.next(DATA)
        peer.answer(found.stream_id)

    async with scripted_server(script) as port, channel_to(f"127.0.0.1:{port}", timeout_s=timeout_s) as channel:
        if timeout_s == 0.0001:
            channel._connections._timeout_s = 5
        await channel.call(PATH, b"", {})

    assert (b"grpc-timeout" in blocks[0]) is (text is not None)
    assert text is None or text in blocks[0]


async def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "otlp.sock"

    async with (
        scripted_server(answering(OK_HEADERS, OK_TRAILERS, body=message(b"hi")), path=str(path)),
        channel_to(f"unix://{path}") as channel,
    ):
        assert await channel.call(PATH, b"x", {}) == b"hi"


async def test_a_backend_without_http2_over_tls_is_no_connection(tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)

    async with (
        scripted_server(answering(OK_TRAILERS), context=context) as port,
        channel_to(f"127.0.0.1:{port}", tls={"ca_file": str(tmp_path / "ca.pem")}) as channel,
    ):
        with pytest.raises(RpcError, match="does not speak HTTP/2"):
            await channel.call(PATH, b"x", {})


def server_context(ca: trustme.CA, host: str = "127.0.0.1", *, clients: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2"])
    ca.issue_cert(host).configure_cert(context)
    if clients:
        ca.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def test_an_error_says_what_is_wrong_with_tls(tmp_path: Path) -> None:
    ca, stranger = trustme.CA(), trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    trusting = {"ca_file": str(tmp_path / "ca.pem")}

    async def error_of(context: ssl.SSLContext, tls: dict[str, Any]) -> str:
        async with (
            scripted_server(answering(OK_TRAILERS), context=context) as port,
            channel_to(f"127.0.0.1:{port}", tls=tls) as channel,
        ):
            with pytest.raises(RpcError) as caught:
                await channel.call(PATH, b"x", {})
        return str(caught.value)

    assert "does it want TLS" in await error_of(server_context(ca), {"insecure": True})
    assert "is not accepted: unable to get local issuer" in await error_of(server_context(stranger), trusting)
    assert "is not accepted: IP address mismatch" in await error_of(server_context(ca, "127.0.0.2"), trusting)
    refused = await error_of(server_context(ca, clients=True), trusting)
    assert "certificate required" in refused or "does it want a client certificate" in refused


def resolve_to(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> None:
    async def getaddrinfo(_loop: object, _host: str, port: int, **_more: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in hosts]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)


@asynccontextmanager
async def two_servers(counts: list[int]) -> AsyncIterator[int]:
    """One port on two addresses; counts the calls of each."""

    def counting(index: int) -> Script:
        async def script(peer: Peer) -> None:
            await peer.hello()
            while True:
                stream_id, _ = await peer.request()
                counts[index] += 1
                peer.answer(stream_id)

        return script

    async with scripted_server(counting(0)) as port, scripted_server(counting(1), host="127.0.0.2", port=port):
        yield port


@pytest.mark.parametrize("balancer", ["round_robin", "pick_first"])
async def test_requests_are_spread_over_the_addresses_as_the_balancer_says(
    monkeypatch: pytest.MonkeyPatch, balancer: str
) -> None:
    counts = [0, 0]
    async with two_servers(counts) as port:
        resolve_to(monkeypatch, "127.0.0.1", "127.0.0.2")
        async with channel_to(f"backend.example:{port}", balancer_name=balancer) as channel:
            await channel.call(PATH, b"x", {})
            await asyncio.sleep(0.2)
            for _ in range(10):
                await channel.call(PATH, b"x", {})

    assert sum(counts) == 11
    assert (min(counts) >= 5) is (balancer == "round_robin")


async def test_an_address_that_does_not_answer_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = [0, 0]
    async with two_servers(counts) as port:
        resolve_to(monkeypatch, "127.0.0.3", "127.0.0.2")
        async with channel_to(f"backend.example:{port}") as channel:
            for _ in range(3):
                await channel.call(PATH, b"x", {})

    assert counts == [0, 3]


async def test_an_address_that_comes_back_gets_its_share_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_connections, "_MAX_BACKOFF_S", 0.05)
    counts = [0, 0]
    resolve_to(monkeypatch, "127.0.0.1", "127.0.0.2")

    async with two_servers(counts) as port, channel_to(f"backend.example:{port}") as channel:
        await channel.call(PATH, b"x", {})
        await asyncio.sleep(0.1)
        (lost,) = [connection for connection, at in channel._connections._open.items() if at == ("127.0.0.2", port)]
        lost.close()
        counts[1] = 0
        async with asyncio.timeout(60):
            while not counts[1]:
                await channel.call(PATH, b"x", {})
                await asyncio.sleep(0.01)


async def test_a_name_that_cannot_be_resolved_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(*_args: object, **_more: object) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)

    async with channel_to("nowhere.example:1") as channel:
        with pytest.raises(RpcError, match=r"cannot resolve nowhere\.example:1: Name or service not known") as caught:
            await channel.call(PATH, b"x", {})
    assert caught.value.code is Code.UNAVAILABLE


async def test_while_it_waits_to_reconnect_calls_fail_at_once() -> None:
    connections = 0

    async def refuse(peer: Peer) -> None:
        nonlocal connections
        connections += 1

    async with scripted_server(refuse) as port, channel_to(f"127.0.0.1:{port}") as channel:
        for _ in range(5):
            with pytest.raises(RpcError):
                await channel.call(PATH, b"x", {})

    assert connections == 1


async def test_a_connection_that_was_lost_is_remade() -> None:
    async def one_answer(peer: Peer) -> None:
        await peer.hello()
        stream_id, _ = await peer.request()
        peer.answer(stream_id, b"hi")
        await peer.writer.drain()

    async with scripted_server(one_answer) as port, channel_to(f"127.0.0.1:{port}") as channel:
        for _ in range(3):
            assert await channel.call(PATH, b"x", {}) == b"hi"
            await asyncio.sleep(0.05)


async def test_a_silent_backend_is_pinged_and_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_connections, "_LEAST_PING_S", 0.05)
    pings = 0

    async def silent(peer: Peer) -> None:
        nonlocal pings
        await peer.hello()
        await peer.request()
        await peer.next(PING)
        pings += 1
        await asyncio.sleep(10)

    keepalive = {"time": 0.05, "timeout": 0.1}
    async with scripted_server(silent) as port, channel_to(f"127.0.0.1:{port}", keepalive=keepalive) as channel:
        with pytest.raises(RpcError, match="keepalive ping not answered"):
            await channel.call(PATH, b"x", {})
    assert pings == 1


async def test_a_backend_that_answers_pings_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_connections, "_LEAST_PING_S", 0.05)

    async def slow(peer: Peer) -> None:
        await peer.hello()
        stream_id, _ = await peer.request()
        for _ in range(2):
            found = await peer.next(PING)
            peer.writer.write(frame(PING, ACK, 0, found.payload))
        peer.answer(stream_id, b"late")

    keepalive = {"time": 0.05, "timeout": 0.4}
    async with scripted_server(slow) as port, channel_to(f"127.0.0.1:{port}", keepalive=keepalive) as channel:
        assert await channel.call(PATH, b"x", {}) == b"late"
