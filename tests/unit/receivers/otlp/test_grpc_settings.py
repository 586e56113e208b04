"""What each key of `protocols.grpc` does, and what a client's cancellation does not do."""

from __future__ import annotations

import asyncio
from operator import attrgetter
from pathlib import Path
from typing import Any

import grpc
import pytest

from pipeline.errors import Code
from pipeline.receivers.otlp.config import GrpcProtocol
from pipeline.receivers.otlp.grpc_server import http2_settings
from pipeline.signals import Batch, Signal
from pipeline.testing import CollectingSink, trace_request
from tests.unit.receivers.otlp.running import GROWING_S, PROTOBUF, TRACES, grpc_call, running

RAW = trace_request({"a": 1}).SerializeToString()


class Gated(CollectingSink):
    """Takes a batch when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.waiting = asyncio.Event()

    async def consume(self, batch: Batch) -> None:
        self.waiting.set()
        await self.open.wait()
        await super().consume(batch)


PARAMETERS = "server_parameters"
POLICY = "enforcement_policy"
SETTINGS: list[tuple[dict[str, Any], str, float]] = [
    ({}, "max_streams", 0),
    ({}, "max_body_bytes", 4 << 20),
    ({"max_recv_msg_size_mib": 9}, "max_body_bytes", 9 << 20),
    ({"max_concurrent_streams": 7}, "max_streams", 7),
    ({"write_buffer_size": 2000}, "write_buffer_bytes", 2000),
    ({"keepalive": {PARAMETERS: {"max_connection_idle": 1.5}}}, "keepalive.max_idle_s", 1.5),
    ({"keepalive": {PARAMETERS: {"max_connection_age": 2.0}}}, "keepalive.max_age_s", 2),
    ({"keepalive": {PARAMETERS: {"max_connection_age_grace": 3.0}}}, "keepalive.max_age_grace_s", 3),
    ({"keepalive": {PARAMETERS: {"time": 4.0}}}, "keepalive.ping_s", 4),
    ({"keepalive": {PARAMETERS: {"timeout": 5.0}}}, "keepalive.ping_timeout_s", 5),
    ({"keepalive": {POLICY: {"min_time": 6.0}}}, "keepalive.min_ping_s", 6),
    ({"keepalive": {POLICY: {"permit_without_stream": True}}}, "keepalive.pings_without_stream", 1),
]


@pytest.mark.parametrize(("config", "name", "value"), SETTINGS)
def test_what_is_set_reaches_the_connections(config: dict[str, Any], name: str, value: float) -> None:
    assert attrgetter(name)(http2_settings(GrpcProtocol.model_validate(config))) == value


async def test_read_buffer_size() -> None:
    async with running((Signal.TRACES, CollectingSink()), grpc={"read_buffer_size": 100}) as server:
        assert (await server.grpc(RAW)).status == 0
        assert server.receiver._grpc is not None
        assert {len(connection._buffer) for connection in server.receiver._grpc._connections} <= {100}


async def test_max_connection_age_closes_connections() -> None:
    age = {"server_parameters": {"max_connection_age": 0.2, "max_connection_age_grace": 0.1}}
    async with (
        running((Signal.TRACES, CollectingSink()), grpc={"keepalive": age}) as server,
        grpc.aio.insecure_channel(server.receiver.grpc_endpoint) as channel,
    ):
        assert (await grpc_call(channel, RAW)).status == 0
        await asyncio.wait_for(channel.wait_for_state_change(grpc.ChannelConnectivity.READY), 60)
        assert (await grpc_call(channel, RAW, wait_for_ready=True)).status == 0


@pytest.mark.parametrize(
    ("keepalive", "workers", "age_s"),
    [
        (None, 1, 0),
        (None, 4, 300),
        ({PARAMETERS: {"time": 9.0}}, 4, 300),
        ({PARAMETERS: {"max_connection_age": 0}}, 4, 0),
    ],
)
def test_connections_to_workers_end_now_and_then_unless_it_is_said(
    keepalive: dict[str, Any] | None, workers: int, age_s: float
) -> None:
    config = GrpcProtocol.model_validate({"keepalive": keepalive})
    assert http2_settings(config, workers).keepalive.max_age_s == age_s


async def test_no_call_fails_for_the_age_of_its_connection() -> None:
    sink = CollectingSink()
    age = {"keepalive": {PARAMETERS: {"max_connection_age": 0.05}}}
    async with (
        running((Signal.TRACES, sink), grpc=age) as server,
        grpc.aio.insecure_channel(server.receiver.grpc_endpoint) as channel,
    ):
        connections: set[object] = set()
        assert server.receiver._grpc is not None

        async def call_on_and_on() -> list[int]:
            return [(await grpc_call(channel, RAW)).status for _ in range(300)]

        calling = [asyncio.create_task(call_on_and_on()) for _ in range(4)]
        while not all(task.done() for task in calling):
            connections |= server.receiver._grpc._connections
            await asyncio.sleep(0.005)
        assert {status for task in calling for status in task.result()} == {0}
        assert len(sink.batches) == 1200
        assert len(connections) > 2


async def test_large_tokens_are_taken() -> None:
    sink = CollectingSink()
    async with running((Signal.TRACES, sink)) as server:
        token = "x" * 30_000
        assert (await server.grpc(RAW, metadata=(("authorization", token),))).status == 0
        assert (await server.http(RAW, content_type=PROTOBUF, Authorization=token)).status == 200


async def test_include_metadata() -> None:
    sink = CollectingSink()
    async with running((Signal.TRACES, sink), grpc={"include_metadata": True}) as server:
        await server.grpc(RAW, metadata=(("x-scope-orgid", "acme"), ("x-scope-orgid", "b"), ("x-bin", b"\xff")))
    metadata = sink.batches[0].context.metadata
    assert metadata["x-scope-orgid"] == ("acme", "b")
    assert metadata["x-bin"] == ("\xff",)


async def test_metadata_is_left_out_by_default() -> None:
    sink = CollectingSink()
    async with running((Signal.TRACES, sink)) as server:
        await server.grpc(RAW, metadata=(("x-scope-orgid", "acme"),))
    assert not sink.batches[0].context.metadata
    assert sink.batches[0].context.receiver == "otlp"


async def test_unix_socket(tmp_path: Path) -> None:
    sink = CollectingSink()
    path = tmp_path / "otlp.sock"
    async with (
        running((Signal.TRACES, sink), grpc={"endpoint": str(path), "transport": "unix"}),
        grpc.aio.insecure_channel(f"unix:{path}") as channel,
    ):
        assert (await grpc_call(channel, RAW)).status == 0
    assert sink.batches[0].context.peer == ""


async def test_a_client_that_cancels_leaves_no_half_done_work() -> None:
    sink = Gated()
    async with (
        running((Signal.TRACES, sink)) as server,
        grpc.aio.insecure_channel(server.receiver.grpc_endpoint) as channel,
    ):
        call = channel.unary_unary(TRACES, None, None)(RAW)
        await sink.waiting.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.sleep(0.1)
        sink.open.set()
        await sink.wait_for(1)
        assert (await grpc_call(channel, RAW)).status == 0
        assert server.counted("accepted_spans", "grpc") == 2
        assert server.counted("refused_spans", "grpc") == 0


async def test_a_deadline_of_a_client_leaves_no_half_done_work() -> None:
    sink = Gated()
    async with (
        running((Signal.TRACES, sink)) as server,
        grpc.aio.insecure_channel(server.receiver.grpc_endpoint) as channel,
    ):
        for limit_s in GROWING_S:
            if not sink.waiting.is_set():
                assert (await grpc_call(channel, RAW, timeout=limit_s)).status == Code.DEADLINE_EXCEEDED
        sink.open.set()
        await sink.wait_for(1)


async def test_calls_in_flight_are_finished_at_stop() -> None:
    sink = Gated()
    async with (
        running((Signal.TRACES, sink)) as server,
        grpc.aio.insecure_channel(server.receiver.grpc_endpoint) as channel,
    ):
        call = asyncio.ensure_future(grpc_call(channel, RAW))
        await sink.waiting.wait()
        stopping = asyncio.ensure_future(server.receiver.stop())
        await asyncio.sleep(0.1)
        sink.open.set()
        await stopping
        assert (await call).status == 0
