"""What bad input gets: the right answer, and nothing else is disturbed."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from typing import Any

import grpc
import orjson
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.errors import Code
from pipeline.receivers.otlp.grpc_frames import CODINGS as GRPC_CODINGS
from pipeline.signals import Signal, Span
from pipeline.testing import CollectingSink, metric_value, trace_request
from pipeline.transport.compression import CODINGS, compress
from tests.unit.receivers.otlp.running import JSON, PROTOBUF, TRACES, Running, grpc_call, running

SPANS = trace_request({"a": "x" * 300})
RAW = SPANS.SerializeToString()


def _span(**fields: Any) -> ExportTraceServiceRequest:
    request = trace_request({"a": 1})
    span = request.resource_spans[0].scope_spans[0].spans[0]
    for name, value in fields.items():
        setattr(span, name, value)
    return request


MALFORMED = {
    "wrong wire type": b"\x08\x01",
    "group": b"\x0b\x0c",
    "truncated": RAW[:-3],
    "garbage": b"\xff\xfe\xfd" * 20,
    "field number 0": b"\x02\x00",
    "trace id of 15 bytes": _span(trace_id=b"x" * 15).SerializeToString(),
    "span id of 9 bytes": _span(span_id=b"x" * 9).SerializeToString(),
    "parent id of 1 byte": _span(parent_span_id=b"x").SerializeToString(),
}


async def _lives_on(server: Running, sink: CollectingSink) -> None:
    before = len(sink.batches)
    assert (await server.grpc(RAW)).status == 0
    assert (await server.http(RAW, content_type=PROTOBUF)).status == 200
    assert len(sink.batches) == before + 2


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED.keys())
async def test_malformed_protobuf(raw: bytes) -> None:
    sink = CollectingSink()
    async with running((Signal.TRACES, sink)) as server:
        assert (await server.grpc(raw)).status == Code.INTERNAL
        answer = await server.http(raw, content_type=PROTOBUF)
        assert answer.status == 400
        assert answer.error.code == Code.INVALID_ARGUMENT
        assert answer.headers is not None
        assert answer.headers["Content-Type"] == PROTOBUF
        assert server.rejected("malformed", "grpc") == 1
        assert server.rejected("malformed", "http") == 1
        await _lives_on(server, sink)


async def test_empty_ids_are_taken() -> None:
    sink = CollectingSink()
    async with running((Signal.TRACES, sink)) as server:
        assert (await server.grpc(_span(trace_id=b"", span_id=b"").SerializeToString())).status == 0


async def test_invalid_utf8_is_mended_and_counted() -> None:
    sink = CollectingSink()
    raw = RAW.replace(b"chat", b"ch\xff\xfe")
    text = orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "chat"}]}]}]}).replace(b"chat", b"c\xff")
    async with running((Signal.TRACES, sink)) as server:
        assert (await server.grpc(raw)).status == 0
        assert (await server.http(raw, content_type=PROTOBUF)).status == 200
        assert (await server.http(text, content_type=JSON)).status == 200
        names = [record.name for record in sink.records() if isinstance(record, Span)]
        assert names == ["ch\ufffd\ufffd", "ch\ufffd\ufffd", "c\ufffd"]
        repaired = "penstock_receiver_repaired_strings_total"
        assert metric_value(server.host, repaired, transport="grpc") == 1
        assert metric_value(server.host, repaired, transport="http") == 2


def _json(span: object) -> bytes:
    return orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})


DOCUMENTS = [
    (b"null", 200),
    (b"{}", 200),
    (_json({"name": "x"}) + b"tail", 200),
    (b'{"resourceSpans":7,"resourceSpans":[]}', 200),
    (_json({"unknown": {"x": [1]}}), 200),
    (_json({"kind": "SPAN_KIND_CLIENT", "trace_id": "0" * 32}), 200),
    (b"", 400),
    (b"[]", 400),
    (b"{", 400),
    (b'\xef\xbb\xbf{"resourceSpans":[]}', 500),
    (_json({"name": 7}), 400),
    (_json({"traceId": "abcd"}), 400),
    (_json({"traceId": "not hex"}), 400),
    (_json({"droppedAttributesCount": 7.5}), 400),
    (b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}", 400),
]


@pytest.mark.parametrize(("document", "status"), DOCUMENTS)
async def test_json(document: bytes, status: int) -> None:
    sink = CollectingSink()
    async with running((Signal.TRACES, sink)) as server:
        answer = await server.http(document, content_type=f"{JSON}; charset=utf-8")
        assert answer.status == status
        assert answer.headers is not None
        assert answer.headers["Content-Type"] == JSON
        if status != 200:
            assert answer.error.code == (Code.INTERNAL if status == 500 else Code.INVALID_ARGUMENT)
            assert server.rejected("malformed", "http") == 1
        await _lives_on(server, sink)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_only_post(method: str) -> None:
    async with running((Signal.TRACES, CollectingSink())) as server:
        answer = await server.http(method=method, content_type=PROTOBUF)
        assert (answer.status, answer.body) == (405, b"405 method not allowed, supported: [POST]")
        assert answer.headers is not None
        assert answer.headers["Content-Type"] == "text/plain"
        assert server.rejected("method", "http") == 1


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/protobuf", "application/x-www-form-urlencoded"]
)
async def test_other_content_types(content_type: str | None) -> None:
    async with running((Signal.TRACES, CollectingSink())) as server:
        answer = await server.http(RAW, content_type=content_type)
        supported = b"415 unsupported media type, supported: [application/json, application/x-protobuf]"
        assert (answer.status, answer.body) == (415, supported)
        assert answer.headers is not None
        assert answer.headers["Content-Type"] == "text/plain"


@pytest.mark.parametrize("content_type", ["Application/X-Protobuf", "application/x-protobuf ;v=1"])
async def test_content_type_in_other_writing(content_type: str) -> None:
    async with running((Signal.TRACES, CollectingSink())) as server:
        assert (await server.http(RAW, content_type=content_type)).status == 200


@pytest.mark.parametrize("path", ["/", "/v1/trace", "/v1/traces/", "/v1development/profiles"])
async def test_unknown_path(path: str) -> None:
    async with running((Signal.TRACES, CollectingSink())) as server:
        answer = await server.http(RAW, path, content_type=PROTOBUF)
        assert (answer.status, answer.body) == (404, b"404 page not found\n")
        assert answer.headers is not None
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Server"] == "Penstock"


@pytest.mark.parametrize("path", ["//v1/traces", "/x/../v1/./traces"])
async def test_path_to_clean(path: str) -> None:
    async with running((Signal.TRACES, CollectingSink())) as server:
        reader, writer = await asyncio.open_connection(*server.receiver.http_endpoint.split(":"))
        writer.write(f"POST {path}?x=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 307 Temporary Redirect\r\n")
        assert b"Location: /v1/traces?x=1\r\n" in head
        writer.close()


@pytest.mark.parametrize("coding", CODINGS)
async def test_every_coding(coding: str) -> None:
    sink = CollectingSink()
    async with running((Signal.TRACES, sink)) as server:
        answer = await server.http(compress(coding, RAW), content_type=PROTOBUF, content_encoding=coding)
        assert answer.status == 200
        assert sink.batches[0].serialize() == RAW


ENCODED = {
    "identity": ("identity", RAW, "unsupported Content-Encoding: identity"),
    "upper case": ("GZIP", gzip.compress(RAW), "unsupported Content-Encoding: GZIP"),
    "two": ("gzip, gzip", gzip.compress(RAW), "unsupported Content-Encoding: gzip, gzip"),
    "unknown": ("br", RAW, "unsupported Content-Encoding: br"),
    "false": ("gzip", RAW, "gzip: invalid header or data"),
    "cut off": ("gzip", gzip.compress(RAW)[:-9], "unexpected EOF"),
    "raw deflate": ("deflate", zlib.compress(RAW, wbits=-15), "zlib: invalid header or data"),
}


@pytest.mark.parametrize(("coding", "raw", "message"), ENCODED.values(), ids=ENCODED.keys())
async def test_bad_content_encoding(coding: str, raw: bytes, message: str) -> None:
    sink = CollectingSink()
    async with running((Signal.TRACES, sink)) as server:
        for content_type in (PROTOBUF, JSON):
            answer = await server.http(raw, content_type=content_type, content_encoding=coding)
            assert answer.status == 400
            assert (answer.error.code, answer.error.message) == (Code.INVALID_ARGUMENT, message)
            assert answer.headers is not None
            assert answer.headers["Content-Type"] == content_type
        await _lives_on(server, sink)


@pytest.mark.parametrize("coding", ["", *CODINGS])
async def test_too_large_before_or_after_decompression(coding: str) -> None:
    sink = CollectingSink()
    raw = trace_request({"a": "x" * 100_000}).SerializeToString()
    sent = compress(coding, raw) if coding else raw
    async with running((Signal.TRACES, sink), http={"max_request_body_size": 20_000}) as server:
        answer = await server.http(sent, content_type=PROTOBUF, content_encoding=coding or None)
        assert answer.status == 400
        assert (answer.error.code, answer.error.message) == (3, "http: request body too large")
        assert server.rejected("too_large", "http") == 1
        await _lives_on(server, sink)


async def test_too_large_in_chunks() -> None:
    async with running((Signal.TRACES, CollectingSink()), http={"max_request_body_size": 1000}) as server:

        async def chunks() -> Any:
            for _ in range(3):
                yield b"x" * 500

        url = f"http://{server.receiver.http_endpoint}/v1/traces"
        async with server.session.post(url, data=chunks(), headers={"Content-Type": PROTOBUF}) as response:
            assert response.status == 400


async def test_large_bodies_up_to_the_limit_are_taken() -> None:
    sink = CollectingSink()
    raw = trace_request({"a": "x" * 3_000_000}).SerializeToString()
    async with running((Signal.TRACES, sink)) as server:
        assert (await server.http(raw, content_type=PROTOBUF)).status == 200
        assert (await server.http(gzip.compress(raw), content_type=PROTOBUF, content_encoding="gzip")).status == 200
        assert [len(batch.serialize()) for batch in sink.batches] == [len(raw)] * 2


@pytest.mark.parametrize("coding", ["identity", *GRPC_CODINGS])
async def test_grpc_message_over_the_limit(coding: str) -> None:
    sink = CollectingSink()
    raw = trace_request({"a": "x" * 1_100_000}).SerializeToString()
    metadata = (("grpc-encoding", coding),)
    sent = _framed(raw, coding)
    async with running((Signal.TRACES, sink), grpc={"max_recv_msg_size_mib": 1}) as server:
        answer = await server.raw_grpc(sent, metadata)
        assert answer.status == Code.RESOURCE_EXHAUSTED
        expected = (
            f"({len(raw)} vs. 1048576)" if coding == "identity" else "after decompression larger than max 1048576"
        )
        assert expected in answer.body.decode()
        assert server.rejected("too_large", "grpc") == 1
        await _lives_on(server, sink)
    async with running((Signal.TRACES, sink)) as server:
        assert (await server.raw_grpc(sent, metadata)).status == 0
        assert sink.batches[-1].serialize() == raw


def _framed(raw: bytes, coding: str) -> bytes:
    if coding != "identity":
        raw = compress("x-snappy-framed" if coding == "snappy" else coding, raw)
    return bytes([coding != "identity"]) + len(raw).to_bytes(4, "big") + raw


@pytest.mark.parametrize(
    ("coding", "body", "code", "message"),
    [
        ("deflate", b"\1\0\0\0\1x", Code.UNIMPLEMENTED, 'Decompressor is not installed for grpc-encoding "deflate"'),
        ("br", b"\1\0\0\0\1x", Code.UNIMPLEMENTED, 'Decompressor is not installed for grpc-encoding "br"'),
        ("gzip", b"\1\0\0\0\1x", Code.INTERNAL, "failed to decompress"),
        ("identity", b"\1\0\0\0\1x", Code.INTERNAL, "compressed flag set with identity or empty encoding"),
        ("gzip", b"\7\0\0\0\1x", Code.INTERNAL, "received unexpected payload format 7"),
        ("identity", b"\0\0\0\0\7x", Code.INTERNAL, "unexpected EOF"),
        ("identity", b"\0\0", Code.UNKNOWN, "EOF"),
        ("identity", b"", Code.UNKNOWN, "EOF"),
        ("identity", b"\0\xff\xff\xff\xffx", Code.RESOURCE_EXHAUSTED, "larger than max (4294967295 vs. 4194304)"),
    ],
)
async def test_grpc_framing(coding: str, body: bytes, code: Code, message: str) -> None:
    sink = CollectingSink()
    async with running((Signal.TRACES, sink)) as server:
        answer = await server.raw_grpc(body, (("grpc-encoding", coding),))
        assert answer.status == code
        assert message in answer.body.decode()
        await _lives_on(server, sink)


@pytest.mark.parametrize(
    ("method", "content_type", "http_status", "code"),
    [
        ("GET", "application/grpc", "405", Code.INTERNAL),
        ("POST", "application/json", "415", Code.INVALID_ARGUMENT),
        ("POST", "application/grpcs", "415", Code.INVALID_ARGUMENT),
        ("POST", "application/grpc+proto", "200", Code.OK),
    ],
)
async def test_what_is_no_grpc_call(method: str, content_type: str, http_status: str, code: Code) -> None:
    async with running((Signal.TRACES, CollectingSink())) as server:
        headers = (("content-type", content_type),)
        answer = await server.raw_grpc(_framed(RAW, "identity"), headers, method=method)
        assert answer.headers is not None
        assert answer.headers[":status"] == http_status
        assert answer.status == code


async def test_grpc_default_limit_is_4_mib() -> None:
    async with running((Signal.TRACES, CollectingSink())) as server:
        raw = trace_request({"a": "x" * 4_194_304}).SerializeToString()
        assert (await server.grpc(raw)).status == Code.RESOURCE_EXHAUSTED


async def test_grpc_call_without_message_disturbs_nothing() -> None:
    sink = CollectingSink()
    async with running((Signal.TRACES, sink)) as server:
        async with grpc.aio.insecure_channel(server.receiver.grpc_endpoint) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await channel.stream_unary(TRACES, None, None)(iter(()), timeout=10)
            assert (await grpc_call(channel, RAW)).status == 0
        await _lives_on(server, sink)


async def test_grpc_call_with_two_messages_takes_one() -> None:
    sink = CollectingSink()
    async with (
        running((Signal.TRACES, sink)) as server,
        grpc.aio.insecure_channel(server.receiver.grpc_endpoint) as channel,
    ):
        assert await channel.stream_unary(TRACES, None, None)(iter((RAW, RAW)), timeout=10) == b"\x0a\x00"
        assert len(sink.batches) == 1


@pytest.mark.parametrize("raw", [b"\x08\x01", b"\x0b\x0c"], ids=["wrong wire type", "group"])
async def test_a_known_field_in_an_unknown_form_is_an_unknown_field(raw: bytes) -> None:
    sink = CollectingSink()
    async with running((Signal.TRACES, sink)) as server:
        assert (await server.grpc(RAW + raw)).status == 0
        assert sink.batches[0].serialize() == RAW + raw


async def test_what_is_no_http_is_answered_400_and_logged_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    sink = CollectingSink()
    async with running((Signal.TRACES, sink)) as server:
        reader, writer = await asyncio.open_connection(*server.receiver.http_endpoint.split(":"))
        writer.write(b"secret payload\x00\xff\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.")
        writer.close()
        await _lives_on(server, sink)
    assert "secret" not in caplog.text
