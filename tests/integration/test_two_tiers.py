"""The two-tier configurations as they ship: a gateway writes to Kafka, a worker reads it and dies now and then."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.signals import Value
from pipeline.testing import trace_request
from tests.servers.backend import Backend
from tests.servers.collectors import ROOT, penstock_command
from tests.servers.kafka.broker import Broker
from tests.servers.processes import Server, free_ports, listening, running

pytestmark = pytest.mark.server

TOKEN = "for-tests"
PROMPT = '[{"role": "user", "parts": [{"type": "text", "content": "Write to jane.testwoman@example.org"}]}]'


@contextmanager
def tier(name: str, folder: Path, ports: list[int], broker: Broker, *sets: str) -> Iterator[Server]:
    """One of the shipped configurations in a process of its own."""
    given = ["service.telemetry.metrics.level=none", *sets]
    command = [*penstock_command(), "--config", str(ROOT / "configs" / f"{name}.yaml")]
    command += [part for each in given for part in ("--set", each)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PENSTOCK_TOKEN": TOKEN, "PENSTOCK_KAFKA": broker.bootstrap}
    with running(command, folder / f"{name}.log", ready=lambda _: listening(*ports), env=env) as server:
        yield server


@contextmanager
def gateway(folder: Path, broker: Broker) -> Iterator[int]:
    """The gateway; the port on which it takes OTLP/HTTP."""
    grpc_port, http_port, health_port = free_ports(3)
    sets = (
        f"receivers.otlp.protocols.grpc.endpoint=127.0.0.1:{grpc_port}",
        f"receivers.otlp.protocols.http.endpoint=127.0.0.1:{http_port}",
        f"extensions.health_check.endpoint=127.0.0.1:{health_port}",
        "exporters.kafka.traces.topic=tiers_spans",
    )
    with tier("gateway-kafka", folder, [http_port, health_port], broker, *sets):
        yield http_port


@contextmanager
def worker(folder: Path, broker: Broker, backend: Backend) -> Iterator[tuple[Server, int]]:
    """The worker and the port of its page of metrics."""
    health_port, page_port = free_ports(2)
    sets = (
        f"extensions.health_check.endpoint=127.0.0.1:{health_port}",
        f"exporters.prometheus.endpoint=127.0.0.1:{page_port}",
        f"exporters.otlp_grpc.endpoint=127.0.0.1:{backend.grpc_port}",
        "receivers.kafka.traces.topics=[tiers_spans]",
        "receivers.kafka.group_id=tiers",
        "receivers.kafka.session_timeout=6s",
        "connectors.gen_ai_metrics.metrics_flush_interval=200ms",
    )
    with tier("worker-kafka", folder, [health_port, page_port], broker, *sets) as server:
        yield server, page_port


def send(port: int, number: int) -> None:
    """One call to an LLM; returns when Kafka has it."""
    call: dict[str, Value] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 1000 + number,
        "gen_ai.usage.output_tokens": 10,
        "gen_ai.input.messages": PROMPT,
    }
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/traces",
        data=trace_request(call).SerializeToString(),
        headers={"content-type": "application/x-protobuf", "authorization": f"Bearer {TOKEN}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def page_of(port: int) -> str:
    """The page of metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def calls_of(bodies: list[bytes]) -> dict[int, dict[str, str]]:
    """The texts of the calls that arrived, by their number."""
    found = {}
    for body in bodies:
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            for span in group.scope_spans[0].spans:
                values = {pair.key: pair.value for pair in span.attributes}
                number = values["gen_ai.usage.input_tokens"].int_value - 1000
                found[number] = {key: value.string_value for key, value in values.items()}
                assert values["penstock.cost.usd"].double_value > 0
    return found


def test_from_a_client_through_kafka_to_the_backend_and_the_metrics(
    tmp_path: Path, kafka_broker: Broker, otlp_backend: Backend
) -> None:
    with gateway(tmp_path, kafka_broker) as port:
        send(port, 0)
        with worker(tmp_path, kafka_broker, otlp_backend) as (server, page_port):
            otlp_backend.wait("traces", lambda bodies: len(calls_of(bodies)) == 1, timeout_s=60)
            server.wait_until(lambda: 'cost_USD_total{gen_ai_operation_name="chat"' in page_of(page_port))
            server.process.kill()
        send(port, 1)
        with worker(tmp_path, kafka_broker, otlp_backend):
            send(port, 2)
            bodies = otlp_backend.wait("traces", lambda bodies: len(calls_of(bodies)) == 3, timeout_s=60)

    for call in calls_of(bodies).values():
        assert "<EMAIL>" in call["gen_ai.input.messages"]
        assert "jane" not in call["gen_ai.input.messages"]
