"""Every row of what an OTLP receiver answers to what its pipelines say, over real sockets."""

from __future__ import annotations

import asyncio

import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from pipeline.errors import Code, DeliveryError, Refused, Rejected
from pipeline.signals import Batch, Rooms, Signal, otlp_json
from pipeline.testing import CollectingSink, FailingSink, log_request, metric_request, trace_request
from tests.unit.receivers.otlp.running import JSON, LOGS, METRICS, PROTOBUF, TRACES, running

SPANS = trace_request({"a": 1}, {"b": 2})
RAW = SPANS.SerializeToString()
REQUESTS = [
    (Signal.TRACES, TRACES, "/v1/traces", SPANS, "spans", 2),
    (Signal.LOGS, LOGS, "/v1/logs", log_request("x", "y", "z"), "log_records", 3),
    (Signal.METRICS, METRICS, "/v1/metrics", metric_request({"m": [1.0]}), "metric_points", 1),
]


@pytest.mark.parametrize(("signal", "method", "path", "request_", "items", "count"), REQUESTS)
async def test_ok(signal: Signal, method: str, path: str, request_: type, items: str, count: int) -> None:
    sink = CollectingSink()
    raw = request_.SerializeToString()  # type: ignore[attr-defined]  # a message
    async with running((signal, sink)) as server:
        by_grpc = await server.grpc(raw, method)
        by_http = await server.http(raw, path, content_type=PROTOBUF)
        by_json = await server.http(otlp_json.encode(request_), path, content_type=JSON)  # type: ignore[arg-type]
        assert (by_grpc.status, by_grpc.body) == (0, b"\x0a\x00")
        assert (by_http.status, by_http.body) == (200, b"\x0a\x00")
        assert (by_json.status, by_json.body) == (200, b'{"partialSuccess":{}}')
        assert by_http.headers is not None
        assert by_json.headers is not None
        assert by_http.headers["Content-Type"] == PROTOBUF
        assert by_json.headers["Content-Type"] == JSON
        assert [batch.message for batch in sink.batches] == [request_] * 3
        assert [batch.context.transport for batch in sink.batches] == ["grpc", "http", "http"]
        assert {batch.context.peer for batch in sink.batches} == {"127.0.0.1"}
        assert server.counted(f"accepted_{items}", "grpc") == count
        assert server.counted(f"accepted_{items}", "http") == 2 * count


@pytest.mark.parametrize("raw", [b"", trace_request().SerializeToString()])
async def test_empty_request_is_ok_and_reaches_no_pipeline(raw: bytes) -> None:
    sink = FailingSink([Rejected("never called")])
    async with running((Signal.TRACES, sink)) as server:
        assert (await server.grpc(raw)).status == 0
        assert (await server.http(raw, content_type=PROTOBUF)).status == 200
        assert (await server.http(b"{}", content_type=JSON)).status == 200
    assert sink.calls == 0


async def test_signal_without_pipeline() -> None:
    async with running((Signal.TRACES, CollectingSink())) as server:
        answer = await server.grpc(b"", METRICS)
        assert answer.status == Code.UNIMPLEMENTED
        assert answer.body == b"unknown service opentelemetry.proto.collector.metrics.v1.MetricsService"
        page = await server.http(b"", "/v1/metrics", content_type=PROTOBUF)
        assert (page.status, page.body) == (404, b"404 page not found\n")
        assert page.headers is not None
        assert page.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("/a/b", "unknown service a"),
        (
            "/opentelemetry.proto.collector.trace.v1.TraceService/Import",
            "unknown method Import for service opentelemetry.proto.collector.trace.v1.TraceService",
        ),
    ],
)
async def test_unknown_method(method: str, message: str) -> None:
    async with running((Signal.TRACES, CollectingSink())) as server:
        answer = await server.grpc(RAW, method)
        assert (answer.status, answer.body.decode()) == (Code.UNIMPLEMENTED, message)
        assert server.rejected("unknown_method", "grpc") == 1


def _details(*messages: RetryInfo | ErrorInfo) -> bytes:
    status = Status(code=14, message="as the backend said")
    for message in messages:
        status.details.add().Pack(message)
    return status.SerializeToString()


RETRY = _details(RetryInfo(retry_delay=Duration(seconds=6, nanos=1)))
OUTCOMES = [
    (Refused("memory limit"), 14, 503, None),
    (Refused("backend busy", retry_after_s=2.2), 14, 503, "3"),
    (Rejected("never"), 13, 500, None),
    *[(Refused("code", code=Code(code)), code, 503, None) for code in (1, 4, 10, 11, 14, 15)],
    (Rejected("too much", code=Code.RESOURCE_EXHAUSTED), 8, 429, None),
    (Refused("throttled", code=Code.RESOURCE_EXHAUSTED, details=RETRY), 8, 429, "7"),
    (Refused("away", code=Code.UNAVAILABLE, details=RETRY), 14, 503, "7"),
    (Rejected("bad", code=Code.INVALID_ARGUMENT), 3, 400, None),
    (Rejected("who?", code=Code.UNAUTHENTICATED), 16, 401, None),
    (Rejected("no", code=Code.PERMISSION_DENIED), 7, 403, None),
    (Rejected("what?", code=Code.UNIMPLEMENTED), 12, 404, None),
    *[(Rejected("code", code=Code(code)), code, 500, None) for code in (2, 5, 6, 9, 13)],
    (Rejected("never", code=Code.INTERNAL, details=RETRY), 13, 500, None),
    (Rejected("garbled details", details=b"\xff"), 13, 500, None),
]


@pytest.mark.parametrize(("error", "code", "status", "retry_after"), OUTCOMES)
async def test_what_pipelines_say_is_what_clients_hear(
    error: DeliveryError, code: int, status: int, retry_after: str | None
) -> None:
    sink = FailingSink([error] * 3)
    async with running((Signal.TRACES, sink)) as server:
        by_grpc = await server.grpc(RAW)
        assert (by_grpc.status, by_grpc.body.decode()) == (code, str(error))
        for content_type, body in ((PROTOBUF, RAW), (JSON, otlp_json.encode(SPANS))):
            by_http = await server.http(body, content_type=content_type)
            assert by_http.status == status
            assert by_http.headers is not None
            assert by_http.headers["Content-Type"] == content_type
            assert by_http.headers.get("Retry-After") == retry_after
            assert (by_http.error.code, by_http.error.message) == (code, str(error))
        assert server.counted("refused_spans", "grpc") == 2
        assert server.counted("refused_spans", "http") == 4
        assert server.counted("accepted_spans", "grpc") == 0
        assert server.counted("failed_spans", "grpc") == 0


async def test_details_of_a_backend_reach_the_client() -> None:
    info = ErrorInfo(reason="QUOTA", domain="example.com")
    error = Refused("busy", code=Code.UNAVAILABLE, details=_details(info))
    async with running((Signal.TRACES, FailingSink([error, error]))) as server:
        by_grpc = await server.grpc(RAW)
        by_http = await server.http(RAW, content_type=PROTOBUF)
        assert by_grpc.details is not None
        for status in (by_grpc.details, by_http.error):
            assert (status.code, status.message) == (14, "busy")
            found = ErrorInfo()
            assert status.details[0].Unpack(found)
            assert found == info


class Broken:
    """A stage with a bug, whose message holds payload text."""

    async def consume(self, batch: Batch) -> None:
        raise RuntimeError("secret payload")

    async def reserve(self, batch: Batch, rooms: Rooms) -> None:
        """There is always room."""


async def test_a_bug_costs_one_request_and_says_no_more_than_its_type(caplog: pytest.LogCaptureFixture) -> None:
    async with running((Signal.TRACES, Broken())) as server:
        by_grpc = await server.grpc(RAW)
        by_http = await server.http(RAW, content_type=PROTOBUF)
        assert (by_grpc.status, by_grpc.body) == (13, b"internal error: RuntimeError")
        assert (by_http.status, by_http.error.message) == (500, "internal error: RuntimeError")
        assert server.counted("failed_spans", "grpc") == 2
        assert server.counted("failed_spans", "http") == 2
        server.receiver.connect({Signal.TRACES: CollectingSink()})
        assert (await server.grpc(RAW)).status == 0
    assert "secret payload" not in caplog.text
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["Request failed."] * 2


async def test_an_error_with_text_that_is_no_utf8() -> None:
    """Its client wrote the text; the answer still comes."""
    sink = FailingSink([Rejected('no "\ud800"')] * 2)
    async with running((Signal.TRACES, sink)) as server:
        by_grpc = await server.grpc(RAW)
        by_http = await server.http(RAW, content_type=PROTOBUF)
        assert (by_grpc.status, by_grpc.body) == (Code.INTERNAL, b'no "?"')
        assert (by_http.status, by_http.error.message) == (500, 'no "?"')
        assert (by_odd := await _with_odd_coding(server.receiver.http_endpoint)).startswith(b"HTTP/1.1 400 ")
        assert by_odd.endswith(b'{"code":3,"message":"unsupported Content-Encoding: ?"}')


async def _with_odd_coding(endpoint: str) -> bytes:
    host, port = endpoint.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = b"POST /v1/traces HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n"
    writer.write(head + b"Content-Encoding: \xff\r\nContent-Length: 2\r\n\r\n{}")
    try:
        return await asyncio.wait_for(reader.read(), 60)
    finally:
        writer.close()
