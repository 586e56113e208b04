"""What each key of `protocols.http` does."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from pipeline.errors import Refused
from pipeline.signals import Batch, Signal
from pipeline.testing import CollectingSink, FailingSink, log_request, metric_request, trace_request
from pipeline.transport.compression import compress
from pipeline.worker import Worker
from tests.unit.receivers.otlp.running import JSON, PROTOBUF, Running, running

RAW = trace_request({"a": 1}).SerializeToString()
POST = f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTOBUF}\r\n".encode()
WHOLE = POST + f"Content-Length: {len(RAW)}\r\n\r\n".encode() + RAW


class Slow(CollectingSink):
    """Takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()

    async def consume(self, batch: Batch) -> None:
        self.begun.set()
        await asyncio.sleep(0.3)
        await super().consume(batch)


async def _connect(server: Running) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = server.receiver.http_endpoint.split(":")
    return await asyncio.open_connection(host, int(port))


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
    return head + await reader.readexactly(length)


async def test_paths() -> None:
    sink = CollectingSink()
    paths = {"traces_url_path": "/t", "metrics_url_path": "m", "logs_url_path": "/l/x"}
    stages = [(signal, sink) for signal in Signal]
    async with running(*stages, http=paths) as server:
        assert (await server.http(RAW, "/t", content_type=PROTOBUF)).status == 200
        assert (
            await server.http(metric_request({"m": [1.0]}).SerializeToString(), "/m", content_type=PROTOBUF)
        ).status == 200
        assert (await server.http(log_request("x").SerializeToString(), "/l/x", content_type=PROTOBUF)).status == 200
        assert (await server.http(RAW, content_type=PROTOBUF)).status == 404
    assert [batch.signal for batch in sink.batches] == [Signal.TRACES, Signal.METRICS, Signal.LOGS]


async def test_response_headers_are_on_every_answer() -> None:
    async with running((Signal.TRACES, CollectingSink()), http={"response_headers": {"X-Served-By": "a"}}) as server:
        for answer in (
            await server.http(RAW, content_type=PROTOBUF),
            await server.http(b"[", content_type=JSON),
            await server.http(RAW, "/nowhere"),
        ):
            assert answer.headers is not None
            assert answer.headers["X-Served-By"] == "a"


async def test_compression_algorithms() -> None:
    sink = CollectingSink()
    async with running((Signal.TRACES, sink), http={"compression_algorithms": ["zstd"]}) as server:
        zstd = await server.http(compress("zstd", RAW), content_type=PROTOBUF, content_encoding="zstd")
        gzip = await server.http(compress("gzip", RAW), content_type=PROTOBUF, content_encoding="gzip")
        plain = await server.http(RAW, content_type=PROTOBUF)
        assert [zstd.status, gzip.status, plain.status] == [200, 400, 400]
        assert gzip.error.message == "unsupported Content-Encoding: gzip"


async def test_include_metadata() -> None:
    sink = CollectingSink()
    async with running((Signal.TRACES, sink), http={"include_metadata": True}) as server:
        await server.http(RAW, content_type=PROTOBUF, X_Scope_OrgID="acme")
    metadata = sink.batches[0].context.metadata
    assert metadata["x-scope-orgid"] == ("acme",)
    assert sink.batches[0].context.lookup("metadata.X-Scope-OrgID") == "acme"


async def test_metadata_is_left_out_by_default() -> None:
    sink = CollectingSink()
    async with running((Signal.TRACES, sink)) as server:
        await server.http(RAW, content_type=PROTOBUF, X_Scope_OrgID="acme")
    assert not sink.batches[0].context.metadata


async def test_keep_alive() -> None:
    async with running((Signal.TRACES, CollectingSink())) as server:
        reader, writer = await _connect(server)
        for _ in range(3):
            writer.write(WHOLE)
            assert b"200 OK" in await _answer(reader)
        writer.close()


@pytest.mark.parametrize("more", [{}, {"response_headers": {"x-y": "z"}}], ids=["ready", "made"])
async def test_connections_to_workers_end_with_an_answer_when_they_are_old(
    monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    monkeypatch.setattr("pipeline.receivers.otlp.http_server.WORKERS_MAX_AGE_S", 2.0)
    async with running((Signal.TRACES, CollectingSink()), http=more, worker=Worker(1, 2)) as server:
        reader, writer = await _connect(server)
        writer.write(WHOLE)
        assert b"connection: close" not in (await _answer(reader)).lower()
        answer = b""
        while b"connection: close" not in answer.lower():
            await asyncio.sleep(0.2)
            writer.write(WHOLE)
            answer = await _answer(reader)
            assert answer.startswith(b"HTTP/1.1 200")
        assert await reader.read() == b""
        writer.close()
        # The answer that closed one connection did not change those of others.
        new, fresh = await _connect(server)
        fresh.write(WHOLE)
        assert b"connection: close" not in (await _answer(new)).lower()
        fresh.close()


async def test_keep_alives_disabled() -> None:
    async with running((Signal.TRACES, CollectingSink()), http={"keep_alives_enabled": False}) as server:
        reader, writer = await _connect(server)
        writer.write(WHOLE)
        answer = await reader.read()
        assert b"connection: close" in answer.lower()
        writer.close()


async def test_expect_continue() -> None:
    async with running((Signal.TRACES, CollectingSink())) as server:
        reader, writer = await _connect(server)
        writer.write(POST + f"Content-Length: {len(RAW)}\r\nExpect: 100-continue\r\n\r\n".encode())
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(RAW)
        assert (await _answer(reader)).startswith(b"HTTP/1.1 200 OK")
        writer.close()


TIMEOUTS: list[tuple[dict[str, Any], bytes]] = [
    ({"read_header_timeout": 0.4}, b""),
    ({"read_header_timeout": 0.4}, POST),
    ({"read_timeout": 0.4}, POST),
    ({"read_timeout": 0.4}, POST + b"Content-Length: 100\r\n\r\nabc"),
    ({"idle_timeout": 0.4}, WHOLE),
    ({"read_timeout": 0.4}, WHOLE),
    ({"idle_timeout": 0.4}, b""),
]


@pytest.mark.parametrize(("http", "sent"), TIMEOUTS)
async def test_timeouts_end_a_connection(http: dict[str, Any], sent: bytes) -> None:
    sink = CollectingSink()
    async with running((Signal.TRACES, sink), http=http) as server:
        reader, writer = await _connect(server)
        writer.write(sent)
        with contextlib.suppress(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 60)
        writer.close()
        assert len(sink.batches) == (sent == WHOLE)
        assert (await server.http(RAW, content_type=PROTOBUF)).status == 200


async def test_write_timeout_ends_the_connection_and_not_the_work() -> None:
    sink = Slow()
    async with running((Signal.TRACES, sink), http={"write_timeout": 0.1}) as server:
        reader, writer = await _connect(server)
        writer.write(WHOLE)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await _answer(reader)
        writer.close()
        await sink.wait_for(1)


async def test_a_timed_connection_serves_many_requests() -> None:
    limits = {"read_timeout": 5, "read_header_timeout": 5, "write_timeout": 5, "idle_timeout": 5}
    async with running((Signal.TRACES, CollectingSink()), http=limits) as server:
        reader, writer = await _connect(server)
        for _ in range(3):
            writer.write(WHOLE)
            assert b"200 OK" in await _answer(reader)
        writer.close()


async def test_a_client_that_goes_away_leaves_no_half_done_work() -> None:
    sink = Slow()
    async with running((Signal.TRACES, sink)) as server:
        _, writer = await _connect(server)
        writer.write(WHOLE)
        await sink.begun.wait()
        writer.transport.abort()
        await sink.wait_for(1)
        await asyncio.sleep(0)
        assert server.counted("accepted_spans", "http") == 1


async def test_requests_in_flight_are_finished_at_stop() -> None:
    sink = Slow()
    async with running((Signal.TRACES, sink)) as server:
        reader, writer = await _connect(server)
        writer.write(WHOLE)
        await sink.begun.wait()
        _, answer = await asyncio.gather(server.receiver.stop(), _answer(reader))
        assert answer.startswith(b"HTTP/1.1 200 OK")
        writer.close()


async def test_broken_requests_on_a_used_connection_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with running((Signal.TRACES, FailingSink([Refused("x")]))) as server:
        reader, writer = await _connect(server)
        writer.write(WHOLE)
        await _answer(reader)
        writer.write(b"secret\x00payload\r\n\r\n")
        assert b" 400 " in await reader.read()
        writer.close()
    assert "secret" not in caplog.text


CORS = {
    "allowed_origins": ["https://*.example.com", "http://localhost:3000"],
    "allowed_headers": ["X-H"],
    "max_age": 7200,
}


async def test_cors_preflight() -> None:
    async with running((Signal.TRACES, CollectingSink()), http={"cors": CORS}) as server:
        answer = await server.http(
            method="OPTIONS",
            Origin="https://a.example.com",
            Access_Control_Request_Method="POST",
            Access_Control_Request_Headers="x-h",
        )
        assert answer.status == 204
        assert answer.headers is not None
        allowed = {name: value for name, value in answer.headers.items() if name.startswith("Access-Control")}
        assert allowed == {
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Allow-Headers": "x-h",
            "Access-Control-Allow-Methods": "POST",
            "Access-Control-Allow-Origin": "https://a.example.com",
            "Access-Control-Max-Age": "7200",
        }


@pytest.mark.parametrize(
    ("origin", "method", "header"),
    [
        ("https://a.example.org", "POST", None),
        ("https://a.example.com.evil.org", "POST", None),
        ("https://a.example.com", "PUT", None),
        ("https://a.example.com", "POST", "x-other"),
    ],
)
async def test_cors_preflight_refused(origin: str, method: str, header: str | None) -> None:
    async with running((Signal.TRACES, CollectingSink()), http={"cors": CORS}) as server:
        answer = await server.http(
            method="OPTIONS",
            Origin=origin,
            Access_Control_Request_Method=method,
            Access_Control_Request_Headers=header,
        )
        assert answer.status == 204
        assert answer.headers is not None
        assert not [name for name in answer.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize(("origin", "allowed"), [("http://LOCALHOST:3000", True), ("http://localhost:4000", False)])
async def test_cors_request(origin: str, allowed: bool) -> None:
    cors = {**CORS, "exposed_headers": ["X-Served-By"]}
    async with running((Signal.TRACES, CollectingSink()), http={"cors": cors}) as server:
        answer = await server.http(RAW, content_type=PROTOBUF, Origin=origin)
        assert answer.status == 200
        assert answer.headers is not None
        assert answer.headers["Vary"] == "Origin"
        assert answer.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
        assert answer.headers.get("Access-Control-Expose-Headers") == ("X-Served-By" if allowed else None)


async def test_no_cors_without_its_block() -> None:
    async with running((Signal.TRACES, CollectingSink())) as server:
        answer = await server.http(RAW, content_type=PROTOBUF, Origin="https://a.example.com")
        assert answer.headers is not None
        assert "Vary" not in answer.headers
