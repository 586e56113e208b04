"""The receiver as the service sees it: start, reload, acknowledgement, stop."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import aiohttp
import grpc
import pytest

from pipeline.clock import SystemClock
from pipeline.component import Stage
from pipeline.errors import Code, Refused, Rejected, StartError
from pipeline.receivers.otlp import OtlpReceiver
from pipeline.registry import Kind
from pipeline.signals import Batch, Outcome, Signal
from pipeline.testing import CollectingSink, configured, make_host, trace_request
from tests.unit.receivers.otlp.running import ANY_PORT, GROWING_S, METRICS, PROTOBUF, grpc_call, running

RAW = trace_request({"a": 1}).SerializeToString()


class Queue(CollectingSink):
    """Admits batches and leaves their delivery to the test."""

    async def consume(self, batch: Batch) -> None:
        self.batches.append(batch)
        self._arrived.set()


def _receiver(stage: Stage, **config: Any) -> OtlpReceiver:
    receiver: OtlpReceiver = configured(
        OtlpReceiver, make_host("otlp/x", kind=Kind.RECEIVER, clock=SystemClock()), **config
    )
    receiver.connect({Signal.TRACES: stage})
    return receiver


async def test_acknowledge_accepted_does_not_wait_for_delivery() -> None:
    queue = Queue()
    async with running((Signal.TRACES, queue)) as server:
        assert (await server.grpc(RAW)).status == 0
        assert (await server.http(RAW, content_type=PROTOBUF)).status == 200
        assert not any(batch.delivery.resolved for batch in queue.batches)


async def test_acknowledge_delivered_waits() -> None:
    queue = Queue()
    async with running((Signal.TRACES, queue), acknowledge="delivered") as server:
        by_grpc = asyncio.ensure_future(server.grpc(RAW))
        by_http = asyncio.ensure_future(server.http(RAW, content_type=PROTOBUF))
        await queue.wait_for(2)
        await asyncio.sleep(0.05)
        assert not by_grpc.done()
        assert not by_http.done()
        for batch in queue.batches:
            batch.delivery.end(Outcome.DELIVERED)
        assert (await by_grpc).status == 0
        assert (await by_http).status == 200


@pytest.mark.parametrize(
    ("error", "code", "status"), [(Refused("away"), 14, 503), (Rejected("no", code=Code.INVALID_ARGUMENT), 3, 400)]
)
async def test_acknowledge_delivered_tells_what_failed(error: Refused, code: int, status: int) -> None:
    queue = Queue()
    async with running((Signal.TRACES, queue), acknowledge="delivered") as server:
        by_grpc = asyncio.ensure_future(server.grpc(RAW))
        by_http = asyncio.ensure_future(server.http(RAW, content_type=PROTOBUF))
        await queue.wait_for(2)
        for batch in queue.batches:
            batch.delivery.end(Outcome.FAILED, error)
        assert (await by_grpc).status == code
        assert (await by_http).status == status


async def test_a_cancelled_call_under_delivered_does_not_end_the_delivery() -> None:
    queue = Queue()
    async with (
        running((Signal.TRACES, queue), acknowledge="delivered") as server,
        grpc.aio.insecure_channel(server.receiver.grpc_endpoint) as channel,
    ):
        for limit_s in GROWING_S:
            if not queue.batches:
                assert (await grpc_call(channel, RAW, timeout=limit_s)).status == Code.DEADLINE_EXCEEDED
        assert not queue.batches[0].delivery.resolved
        queue.batches[0].delivery.end(Outcome.DELIVERED)


async def test_connect_while_running_switches_stages_and_signals() -> None:
    first, second = CollectingSink(), CollectingSink()
    async with (
        running((Signal.TRACES, first)) as server,
        grpc.aio.insecure_channel(server.receiver.grpc_endpoint) as channel,
    ):
        assert (await grpc_call(channel, b"", METRICS)).status == Code.UNIMPLEMENTED
        await grpc_call(channel, RAW)
        server.receiver.connect({Signal.TRACES: second, Signal.METRICS: second})
        await grpc_call(channel, RAW)
        await server.http(RAW, content_type=PROTOBUF)
        assert (await grpc_call(channel, b"", METRICS)).status == 0
        assert (len(first.batches), len(second.batches)) == (1, 2)


async def test_reconfigure_keeps_sockets_and_connections() -> None:
    sink = CollectingSink()
    async with (
        running((Signal.TRACES, sink)) as server,
        grpc.aio.insecure_channel(server.receiver.grpc_endpoint) as channel,
    ):
        receiver = server.receiver
        await grpc_call(channel, RAW, metadata=(("x-a", "b"),))
        protocols = {
            "grpc": {"endpoint": ANY_PORT, "include_metadata": True},
            "http": {"endpoint": ANY_PORT, "traces_url_path": "/t"},
        }
        assert await receiver.reconfigure(OtlpReceiver.Config(protocols=protocols, acknowledge="delivered"))
        await grpc_call(channel, RAW, metadata=(("x-a", "b"),))
        assert [batch.context.metadata.get("x-a") for batch in sink.batches] == [None, ("b",)]
        assert (await server.http(RAW, "/t", content_type=PROTOBUF)).status == 200


@pytest.mark.parametrize(
    "protocols",
    [
        {"grpc": {"endpoint": ANY_PORT}},
        {"grpc": {"endpoint": "127.0.0.1:1"}, "http": {"endpoint": ANY_PORT}},
        {"grpc": {"endpoint": ANY_PORT, "max_recv_msg_size_mib": 7}, "http": {"endpoint": ANY_PORT}},
        {"grpc": {"endpoint": ANY_PORT}, "http": {"endpoint": ANY_PORT, "read_timeout": 3}},
        {"grpc": {"endpoint": ANY_PORT, "auth": {"authenticator": "basicauth"}}, "http": {"endpoint": ANY_PORT}},
    ],
)
async def test_what_concerns_sockets_or_senders_needs_a_new_instance(protocols: dict[str, Any]) -> None:
    async with running((Signal.TRACES, CollectingSink())) as server:
        assert not await server.receiver.reconfigure(OtlpReceiver.Config(protocols=protocols))


@pytest.mark.parametrize("protocol", ["grpc", "http"])
async def test_a_taken_port(protocol: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        receiver = _receiver(CollectingSink(), protocols={protocol: {"endpoint": f"localhost:{port}"}})
        with pytest.raises(StartError) as caught:
            await receiver.start()
        assert str(caught.value) == (
            f'failed to start "otlp/x" receiver: listen tcp 127.0.0.1:{port}: bind: address already in use'
        )


async def test_a_failed_start_leaves_no_port_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as free:
        port, free_port = taken.getsockname()[1], free.getsockname()[1]
        free.close()
        protocols = {"grpc": {"endpoint": f"localhost:{free_port}"}, "http": {"endpoint": f"localhost:{port}"}}
        with pytest.raises(StartError):
            await _receiver(CollectingSink(), protocols=protocols).start()
        with socket.create_server(("127.0.0.1", free_port)):
            pass


@pytest.mark.parametrize("protocol", ["grpc", "http"])
async def test_two_receivers_cannot_share_a_port(protocol: str) -> None:
    async with running((Signal.TRACES, CollectingSink())) as server:
        endpoint = getattr(server.receiver, f"{protocol}_endpoint")
        with pytest.raises(StartError, match="address already in use"):
            await _receiver(CollectingSink(), protocols={protocol: {"endpoint": endpoint}}).start()


async def test_an_unknown_host() -> None:
    receiver = _receiver(CollectingSink(), protocols={"http": {"endpoint": "no-such-host.invalid:0"}})
    with pytest.raises(StartError, match=r"lookup no-such-host\.invalid: no such host"):
        await receiver.start()


async def test_every_address_of_both_families() -> None:
    sink = CollectingSink()
    receiver = _receiver(sink, protocols={"http": {"endpoint": ":0"}, "grpc": {"endpoint": ":0"}})
    await receiver.start()
    try:
        port = receiver.http_endpoint.rpartition(":")[2]
        headers = {"Content-Type": PROTOBUF}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://127.0.0.1:{port}/v1/traces", data=RAW, headers=headers) as answer,
        ):
            assert answer.status == 200
        async with grpc.aio.insecure_channel(f"127.0.0.1:{receiver.grpc_endpoint.rpartition(':')[2]}") as channel:
            assert (await grpc_call(channel, RAW)).status == 0
    finally:
        await receiver.stop()
    assert [batch.context.peer for batch in sink.batches] == ["127.0.0.1"] * 2


async def test_the_start_is_logged_with_the_endpoint(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with running((Signal.TRACES, CollectingSink())) as server:
        said = {record.message: record.fields["endpoint"] for record in caplog.records if hasattr(record, "fields")}
        assert said["Starting GRPC server"] == server.receiver.grpc_endpoint
        assert said["Starting HTTP server"] == server.receiver.http_endpoint


async def test_stop_closes_the_ports() -> None:
    async with running((Signal.TRACES, CollectingSink())) as server:
        await server.receiver.stop()
        for endpoint in (server.receiver.grpc_endpoint, server.receiver.http_endpoint):
            host, port = endpoint.split(":")
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(host, int(port))
