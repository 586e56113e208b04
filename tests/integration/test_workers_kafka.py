"""Two tiers of several workers each, with Kafka between them: what belongs together meets in one worker."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.servers.backend import Backend
from tests.servers.collectors import penstock
from tests.servers.kafka.broker import Broker
from tests.servers.kafka.traffic import Traffic, own_name, traffic
from tests.servers.ledger import SERVICE
from tests.servers.processes import free_ports

TRACES = 60
ROUNDS = 4
CLIENTS = 12
Spans = dict[bytes, dict[bytes, set[str]]]


def gateway(intake: int, broker: str, topic: str) -> dict[str, Any]:
    kafka = {
        "brokers": [broker],
        "traces": {"topic": topic},
        "partition_traces_by_id": True,
    }
    return {
        "receivers": {"otlp": {"acknowledge": "delivered", "protocols": {"grpc": {"endpoint": f"127.0.0.1:{intake}"}}}},
        "exporters": {"kafka": kafka},
        "service": {"pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["kafka"]}}},
    }


def reader(broker: str, topic: str, out: int, health: int) -> dict[str, Any]:
    """Writes on each resource which worker it was."""
    mark = {"key": "worker", "value": "${env:PENSTOCK_WORKER:-none}", "action": "upsert"}
    kafka = {"brokers": [broker], "group_id": topic, "traces": {"topics": [topic]}, "initial_offset": "earliest"}
    kafka |= {"session_timeout": "6s", "heartbeat_interval": "1s"}
    return {
        "receivers": {"kafka": kafka},
        "processors": {"resource": {"attributes": [mark]}},
        "exporters": {"otlp": {"endpoint": f"127.0.0.1:{out}", "tls": {"insecure": True}}},
        "extensions": {"health_check": {"endpoint": f"127.0.0.1:{health}"}},
        "service": {
            "extensions": ["health_check"],
            "pipelines": {"traces": {"receivers": ["kafka"], "processors": ["resource"], "exporters": ["otlp"]}},
        },
    }


def _request(number: int) -> bytes:
    """One span of each trace."""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for trace in range(1, TRACES + 1):
        span_id = (trace * ROUNDS + number).to_bytes(8, "big")
        scope.spans.add(trace_id=trace.to_bytes(16, "big"), span_id=span_id, name="s")
    return request.SerializeToString()


def _send(intake: int, rounds: range) -> None:
    options = [("grpc.use_local_subchannel_pool", 1)]
    with contextlib.ExitStack() as stack:
        channels = [
            stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{intake}", options=options)) for _ in range(CLIENTS)
        ]
        for number in rounds:
            export = channels[number * 5 % CLIENTS].unary_unary(f"/{SERVICE}/Export", bytes, bytes)
            export(_request(number), timeout=60)


def _spans(bodies: list[bytes]) -> Spans:
    """The workers that sent each span, by trace."""
    found: Spans = defaultdict(lambda: defaultdict(set))
    for body in bodies:
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            (worker,) = [each.value.string_value for each in group.resource.attributes if each.key == "worker"]
            for span in group.scope_spans[0].spans:
                found[span.trace_id][span.span_id].add(worker)
    return found


def _are_all_there(bodies: list[bytes], rounds: int) -> bool:
    spans = _spans(bodies)
    return len(spans) == TRACES and all(len(ids) == rounds for ids in spans.values())


async def _both_have_partitions(kafka: Traffic, group: str) -> None:
    async with asyncio.timeout(60):
        while not await _are_even(kafka, group):  # noqa: ASYNC110 - the broker has no event for it
            await asyncio.sleep(0.2)


async def _are_even(kafka: Traffic, group: str) -> bool:
    sizes = list((await kafka.members(group)).values())
    return len(sizes) == 2 and sizes[0] == sizes[1] > 0


@pytest.mark.server
async def test_a_trace_meets_in_one_worker_and_a_killed_one_loses_nothing(
    tmp_path: Path, kafka_broker: Broker, otlp_backend: Backend
) -> None:
    topic = own_name("workers")
    intake, health = free_ports(2)
    front = gateway(intake, kafka_broker.bootstrap, topic)
    back = reader(kafka_broker.bootstrap, topic, otlp_backend.grpc_port, health)
    async with traffic(kafka_broker.bootstrap) as kafka:
        await kafka.make(topic, partitions=8)
        with (
            penstock(front, tmp_path / "gateway", ports=[intake], workers=2),
            penstock(back, tmp_path / "reader", ports=[health], workers=2) as readers,
        ):
            await _both_have_partitions(kafka, topic)
            await asyncio.to_thread(_send, intake, range(ROUNDS // 2))
            first = otlp_backend.wait("traces", lambda bodies: _are_all_there(bodies, ROUNDS // 2), 60)
            psutil.Process(readers.pid).children()[0].kill()
            await asyncio.to_thread(_send, intake, range(ROUNDS // 2, ROUNDS))
            otlp_backend.wait("traces", lambda bodies: _are_all_there(bodies, ROUNDS), 60)
    workers = [set[str]().union(*ids.values()) for ids in _spans(first).values()]
    assert {len(met) for met in workers} == {1}
    assert set[str]().union(*workers) == {"0/2", "1/2"}
