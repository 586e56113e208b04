"""Answers that are ready look like the others, and only those get them that can take them."""

from __future__ import annotations

import asyncio
from email.utils import parsedate_to_datetime

import pytest

from pipeline.signals import Signal
from pipeline.testing import CollectingSink, trace_request
from tests.unit.receivers.otlp.running import JSON, PROTOBUF, running

RAW = trace_request({"a": 1}).SerializeToString()


@pytest.mark.parametrize(("content_type", "raw"), [(PROTOBUF, RAW), (JSON, b"{}")])
async def test_the_same_answer_as_one_made_anew(content_type: str, raw: bytes) -> None:
    async with (
        running((Signal.TRACES, CollectingSink())) as ready,
        running((Signal.TRACES, CollectingSink()), http={"response_headers": {"X": "y"}}) as anew,
    ):
        first = await ready.http(raw, content_type=content_type)
        second = await anew.http(raw, content_type=content_type)
    assert (first.status, first.body) == (second.status, second.body)
    assert first.headers is not None
    assert second.headers is not None
    for name in ("Content-Type", "Content-Length"):
        assert first.headers[name] == second.headers[name]
    for headers in (first.headers, second.headers):
        assert parsedate_to_datetime(headers["Date"]).tzinfo is not None


@pytest.mark.parametrize(
    ("version", "connection", "stays"),
    [("1.1", "keep-alive", True), ("1.1", "close", False), ("1.0", "close", False), ("1.0", "keep-alive", True)],
)
async def test_connections_stay_or_close_as_the_client_asks(version: str, connection: str, stays: bool) -> None:
    async with running((Signal.TRACES, CollectingSink())) as server:
        host, port = server.receiver.http_endpoint.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /v1/traces HTTP/{version}\r\nHost: x\r\nConnection: {connection}\r\nContent-Type: {PROTOBUF}\r\n"
        request = f"{head}Content-Length: {len(RAW)}\r\n\r\n".encode() + RAW
        writer.write(request)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(f"HTTP/{version} 200 OK\r\n".encode())
        assert await reader.readexactly(2) == b"\x0a\x00"
        if stays:
            writer.write(request)
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        else:
            assert await reader.read() == b""
        writer.close()


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with running((Signal.TRACES, CollectingSink())) as server:
        host, port = server.receiver.http_endpoint.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTOBUF}\r\nContent-Length: "
        good = f"{head}{len(RAW)}\r\n\r\n".encode() + RAW
        bad = f"{head}1\r\n\r\n".encode() + b"["
        writer.write(good + bad + good)
        statuses = []
        for _ in range(3):
            answer = await reader.readuntil(b"\r\n\r\n")
            statuses.append(answer[9:12])
            length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
        assert statuses == [b"200", b"400", b"200"]
        writer.close()
