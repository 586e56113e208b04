"""What the gRPC server says to calls that cannot be: and that it says so in frames every client takes."""

from __future__ import annotations

import pytest

from pipeline.errors import Code
from pipeline.signals import Signal
from pipeline.testing import CollectingSink, trace_request
from pipeline.transport.http2 import ConnectionLost
from tests.unit.receivers.otlp.running import TRACES, h2_request, running

RAW = trace_request({"a": "b"}).SerializeToString()
CALL = {":method": "POST", ":scheme": "http", ":path": TRACES, "content-type": "application/grpc"}
MESSAGE = b"\0" + len(RAW).to_bytes(4, "big") + RAW


@pytest.mark.parametrize("timeout", ["10S", "99999999n", "1H"])
async def test_timeouts(timeout: str) -> None:
    async with running((Signal.TRACES, CollectingSink())) as server:
        assert (await server.raw_grpc(MESSAGE, (("grpc-timeout", timeout),))).status == Code.OK


@pytest.mark.parametrize("timeout", ["", "10", "S", "-1S", "123456789S", "1s", "1 S", "1.5S"])
async def test_malformed_timeouts(timeout: str) -> None:
    async with running((Signal.TRACES, CollectingSink())) as server:
        answer = await server.raw_grpc(MESSAGE, (("grpc-timeout", timeout),))
        assert answer.status == Code.INTERNAL
        assert answer.headers is not None
        assert answer.headers[":status"] == "400"
        assert server.rejected("timeout", "grpc") == 1


@pytest.mark.parametrize("size", [0, 1000, 1_000_000])
async def test_plain_http_is_answered_in_plain_text(size: int) -> None:
    async with running((Signal.TRACES, CollectingSink())) as server:
        headers = CALL | {"content-type": "application/json"}
        stream = await h2_request(server.receiver.grpc_endpoint, list(headers.items()), bytes(size))
        assert stream.headers[":status"] == "415"
        assert bytes(stream.body) == b"invalid gRPC request content-type 'application/json'"


async def test_head_has_no_body() -> None:
    async with running((Signal.TRACES, CollectingSink())) as server:
        stream = await h2_request(server.receiver.grpc_endpoint, list((CALL | {":method": "HEAD"}).items()), b"")
        assert (stream.headers[":status"], bytes(stream.body)) == ("405", b"")


async def test_a_long_path_is_not_repeated_whole() -> None:
    async with running((Signal.TRACES, CollectingSink())) as server:
        path = "/" + "é" * 10_000 + "/Export"
        stream = await h2_request(server.receiver.grpc_endpoint, list((CALL | {":path": path}).items()), MESSAGE)
        assert stream.headers["grpc-status"] == str(Code.UNIMPLEMENTED.value)
        assert 3000 < len(stream.headers["grpc-message"]) <= 4096
        assert not stream.headers["grpc-message"].rstrip("0123456789ABCDEF").endswith("%%")


@pytest.mark.parametrize("stated", [len(MESSAGE) - 1, len(MESSAGE) + 1])
async def test_content_length_must_be_right(stated: int) -> None:
    async with running((Signal.TRACES, sink := CollectingSink())) as server:
        headers = [*CALL.items(), ("content-length", str(stated))]
        with pytest.raises(ConnectionLost, match="code 1"):
            await h2_request(server.receiver.grpc_endpoint, headers, MESSAGE)
        assert not sink.batches
        right = [*CALL.items(), ("content-length", str(len(MESSAGE)))]
        stream = await h2_request(server.receiver.grpc_endpoint, right, MESSAGE)
        assert stream.headers["grpc-status"] == "0"
