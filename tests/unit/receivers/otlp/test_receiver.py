"""The `otlp` receiver with real clients and a collecting sink."""

from __future__ import annotations

import aiohttp
import grpc

from pipeline.clock import SystemClock
from pipeline.receivers.otlp import OtlpReceiver
from pipeline.registry import Kind
from pipeline.signals import Signal
from pipeline.testing import CollectingSink, configured, make_host, trace_request

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
RAW = trace_request({"a": 1}, {"b": 2}).SerializeToString()


async def test_smoke() -> None:
    host = make_host("otlp", kind=Kind.RECEIVER, clock=SystemClock())
    receiver = configured(
        OtlpReceiver, host, protocols={"grpc": {"endpoint": "localhost:0"}, "http": {"endpoint": "localhost:0"}}
    )
    sink = CollectingSink()
    receiver.connect({Signal.TRACES: sink})
    await receiver.start()
    try:
        async with grpc.aio.insecure_channel(receiver.grpc_endpoint) as channel:
            assert await channel.unary_unary(METHOD)(RAW) == b"\n\0"
        async with aiohttp.ClientSession() as session, session.post(
            f"http://{receiver.http_endpoint}/v1/traces",
            data=RAW,
            headers={"content-type": "application/x-protobuf"},
        ) as r:
            assert (r.status, await r.read()) == (200, b"\n\0")
        assert [b.serialize() for b in sink.batches] == [RAW, RAW]
    finally:
        await receiver.stop()
