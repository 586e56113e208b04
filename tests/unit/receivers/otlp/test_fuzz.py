"""Whatever bytes come, the answer is never that of a bug, and the server lives on."""

from __future__ import annotations

import asyncio
import gzip
from contextlib import suppress
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.signals import Signal, otlp_json
from pipeline.testing import CollectingSink, log_request, metric_request, metric_value, trace_request
from tests.unit.receivers.otlp.running import JSON, LOGS, METRICS, PROTOBUF, TRACES, Running, grpc_call, running

REQUESTS = [trace_request({"a": 1, "b": "text"}), log_request("x", 7), metric_request({"m": [1.0, 2.0]})]
METHODS = [TRACES, LOGS, METRICS]
PATHS = ["/v1/traces", "/v1/logs", "/v1/metrics"]
STAGES = [(signal, CollectingSink()) for signal in Signal]
FUZZ = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def mutated(draw: Any, encode: Any) -> tuple[int, bytes]:
    """A valid request of some signal with some of its bytes changed, cut out or repeated."""
    which = draw(st.integers(0, 2))
    raw = bytearray(encode(REQUESTS[which]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(raw)))
        raw[start : start + draw(st.integers(0, 8))] = draw(st.binary(max_size=8))
    return which, bytes(raw)


anything = st.tuples(st.integers(0, 2), st.binary(max_size=300))
protobuf = anything | mutated(lambda request: request.SerializeToString())
json = anything | mutated(otlp_json.encode)


async def _is_well(server: Running) -> None:
    for name in ("penstock_receiver_errors_total", "otelcol_receiver_failed_spans_total"):
        for transport in ("grpc", "http"):
            assert metric_value(server.host, name, transport=transport) == 0
    assert (await server.grpc(REQUESTS[0].SerializeToString())).status == 0
    assert (await server.http(REQUESTS[0].SerializeToString(), content_type=PROTOBUF)).status == 200


@pytest.fixture(autouse=True)
def _fresh_sinks() -> None:
    for _, sink in STAGES:
        sink.batches.clear()


@given(requests=st.lists(protobuf, min_size=5, max_size=20))
@FUZZ
async def test_grpc(requests: list[tuple[int, bytes]]) -> None:
    async with running(*STAGES) as server:
        async with grpc.aio.insecure_channel(server.receiver.grpc_endpoint) as channel:
            for which, raw in requests:
                answer = await grpc_call(channel, raw, METHODS[which])
                assert answer.status in (0, 13)
                assert b"internal error" not in answer.body
        await _is_well(server)


@given(requests=st.lists(protobuf, min_size=5, max_size=20))
@FUZZ
async def test_http_protobuf(requests: list[tuple[int, bytes]]) -> None:
    async with running(*STAGES) as server:
        for which, raw in requests:
            assert (await server.http(raw, PATHS[which], content_type=PROTOBUF)).status in (200, 400)
        await _is_well(server)


@given(requests=st.lists(json, min_size=5, max_size=20))
@FUZZ
async def test_http_json(requests: list[tuple[int, bytes]]) -> None:
    async with running(*STAGES) as server:
        for which, raw in requests:
            expected = (500,) if raw.startswith(b"\xef\xbb\xbf") else (200, 400)
            assert (await server.http(raw, PATHS[which], content_type=JSON)).status in expected
        await _is_well(server)


@given(
    requests=st.lists(
        st.binary(max_size=200) | mutated(lambda r: gzip.compress(r.SerializeToString())).map(lambda m: m[1]),
        min_size=5,
        max_size=20,
    )
)
@FUZZ
async def test_http_compressed(requests: list[bytes]) -> None:
    async with running(*STAGES) as server:
        for raw in requests:
            answer = await server.http(raw, content_type=PROTOBUF, content_encoding="gzip")
            assert answer.status in (200, 400)
        await _is_well(server)


@given(noise=st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=5))
@FUZZ
async def test_noise_on_the_sockets(noise: list[bytes]) -> None:
    async with running(*STAGES) as server:
        for endpoint in (server.receiver.http_endpoint, server.receiver.grpc_endpoint):
            for raw in noise:
                host, port = endpoint.split(":")
                _, writer = await asyncio.open_connection(host, int(port))
                writer.write(raw)
                with suppress(ConnectionError):
                    await writer.drain()
                writer.transport.abort()
        await _is_well(server)


names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)


@given(
    method=st.sampled_from(["GET", "POST", "OPTIONS", "HEAD", "TRACE"]),
    path=names.map(lambda text: "/" + text.replace("#", "")),
    content_type=st.none() | names,
    origin=st.none() | names,
)
@FUZZ
async def test_http_heads(method: str, path: str, content_type: str | None, origin: str | None) -> None:
    async with running(*STAGES, http={"cors": {"allowed_origins": ["*"]}}) as server:
        answer = await server.http(
            path=path, method=method, content_type=content_type, Origin=origin, Access_Control_Request_Method="POST"
        )
        assert answer.status in (200, 204, 307, 400, 404, 405, 415)
        await _is_well(server)
