"""Backends that hang, refuse, reset, half-close, answer garbage and drip, over real sockets: nothing is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.clock import SystemClock
from pipeline.component import Exporter
from pipeline.delivery import DeliveryStage, RetryOnFailure, SendingQueue
from pipeline.exporters.otlp_grpc import OtlpGrpcExporter
from pipeline.exporters.otlp_http import OtlpHttpExporter
from pipeline.registry import Kind
from pipeline.signals import Batch, Outcome, Signal, Value
from pipeline.testing import configured, make_host, metric_value, trace_request, traces
from tests.integration.faulty_link import FAULTS, faulty_link
from tests.servers.backend import Backend
from tests.servers.backend import otlp_backend as otlp_backend_of
from tests.servers.collectors import otelcol
from tests.servers.processes import free_ports

WAIT_S = 60.0
QUICK = {"initial_interval": 0.05, "max_interval": 0.2, "max_elapsed_time": WAIT_S}
TRANSPORTS = ["grpc", "http"]


def exporter_keys(transport: str, port: int) -> tuple[type[Exporter], dict[str, Any]]:
    if transport == "grpc":
        return OtlpGrpcExporter, {"endpoint": f"127.0.0.1:{port}", "tls": {"insecure": True}}
    return OtlpHttpExporter, {"endpoint": f"http://127.0.0.1:{port}"}


@asynccontextmanager
async def delivery_to(transport: str, port: int, **keys: Any) -> AsyncIterator[DeliveryStage]:
    component, own = exporter_keys(transport, port)
    queue = SendingQueue(**keys.pop("sending_queue", {}))
    dead_letters: DeliveryStage | None = keys.pop("dead_letters", None)
    keys = {"timeout": 0.5, "retry_on_failure": RetryOnFailure(**QUICK), "sending_queue": queue} | own | keys
    host = make_host(component.type, kind=Kind.EXPORTER, clock=SystemClock())
    exporter = configured(component, host, **keys)
    await exporter.start()
    stage = DeliveryStage(exporter, exporter.config, host, Signal.TRACES, dead_letters)
    await stage.start()
    try:
        yield stage
    finally:
        await stage.stop()
        await exporter.stop()


async def deliver(stage: DeliveryStage, batches: Iterable[Batch]) -> list[Outcome]:
    """Hand the batches over and wait until each has ended."""
    handles = []
    for batch in batches:
        handles.append(batch.delivery)
        await stage.consume(batch)
    ends = await asyncio.wait_for(asyncio.gather(*(h.wait() for h in handles), return_exceptions=True), WAIT_S)
    assert len(ends) == len(handles)
    return [handle.outcome for handle in handles]


def numbered(first: int, count: int, *, size: int = 10) -> Batch:
    """Spans whose attribute `n` counts up."""
    spans: list[dict[str, Value]] = [{"n": number, "text": "x" * size} for number in range(first, first + count)]
    return traces(*spans)


def arrived(bodies: Iterable[bytes]) -> Counter[int]:
    """How often each number has arrived."""
    counted: Counter[int] = Counter()
    for body in bodies:
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in group.scope_spans:
                counted.update(span.attributes[0].value.int_value for span in scope.spans)
    return counted


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_backend_that_misbehaves_for_a_while_gets_everything_in_the_end(
    transport: str, fault: str, otlp_backend: Backend
) -> None:
    port = otlp_backend.grpc_port if transport == "grpc" else otlp_backend.http_port

    async with faulty_link(port, FAULTS[fault], faulty=3) as link, delivery_to(transport, link.port) as stage:
        ends = await deliver(stage, [numbered(10 * n, 10) for n in range(5)])

    assert ends == [Outcome.DELIVERED] * 5
    assert set(arrived(otlp_backend.bodies["traces"])) == set(range(50))
    assert link.connections > 3


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_backend_that_is_not_there_yet(transport: str, otlp_backend: Backend) -> None:
    port = otlp_backend.grpc_port if transport == "grpc" else otlp_backend.http_port
    (later,) = free_ports(1)

    async with delivery_to(transport, later) as stage:
        delivering = asyncio.create_task(deliver(stage, [numbered(0, 10)]))
        await asyncio.sleep(0.5)
        assert not delivering.done()
        async with faulty_link(port, port=later):
            assert await delivering == [Outcome.DELIVERED]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_drain_outlives_a_backend_that_is_away_for_two_seconds(transport: str, otlp_backend: Backend) -> None:
    """The Collector drops its memory queue at once when it is stopped while its backend refuses."""
    port = otlp_backend.grpc_port if transport == "grpc" else otlp_backend.http_port
    (later,) = free_ports(1)
    default_waits = {"initial_interval": 5.0, "max_interval": 30.0, "max_elapsed_time": 300.0}

    async with delivery_to(transport, later, retry_on_failure=RetryOnFailure(**default_waits)) as stage:
        batches = [numbered(10 * n, 10) for n in range(20)]
        handles = [batch.delivery for batch in batches]
        for batch in batches:
            await stage.consume(batch)
        draining = asyncio.create_task(stage.drain(60))
        await asyncio.sleep(2)
        async with faulty_link(port, port=later):
            await draining

    assert [handle.outcome for handle in handles] == [Outcome.DELIVERED] * 20
    assert set(arrived(otlp_backend.bodies["traces"])) == set(range(200))


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_drain_ends_at_its_deadline_when_the_backend_stays_away(transport: str) -> None:
    (nobody,) = free_ports(1)

    async with delivery_to(transport, nobody) as stage:
        batch = numbered(0, 10)
        handle = batch.delivery
        await stage.consume(batch)
        await stage.drain(1)

        assert handle.outcome is Outcome.FAILED
        assert metric_value(stage._host, "otelcol_exporter_send_failed_spans_total") == 10


@asynccontextmanager
async def collector_before(backend: Backend, folder: Path, **limits: Any) -> AsyncIterator[dict[str, int]]:
    """A real Collector that passes on to our backend; its ports by transport."""
    grpc_port, http_port = free_ports(2)
    protocols = {
        "grpc": {"endpoint": f"127.0.0.1:{grpc_port}", **limits.get("grpc", {})},
        "http": {"endpoint": f"127.0.0.1:{http_port}", **limits.get("http", {})},
    }
    config = {
        "receivers": {"otlp": {"protocols": protocols}},
        "exporters": {
            "otlp": {
                "endpoint": f"127.0.0.1:{backend.grpc_port}",
                "tls": {"insecure": True},
                "sending_queue": {"enabled": False},
            }
        },
        "service": {"pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["otlp"]}}},
    }
    with otelcol(config, folder, ports=[grpc_port, http_port]):
        yield {"grpc": grpc_port, "http": http_port}


@pytest.mark.server
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_real_collector_gets_equal_requests(transport: str, otlp_backend: Backend, tmp_path: Path) -> None:
    batch = numbered(0, 50)
    raw = batch.serialize()

    async with collector_before(otlp_backend, tmp_path) as ports, delivery_to(transport, ports[transport]) as stage:
        assert await deliver(stage, [batch]) == [Outcome.DELIVERED]

    (body,) = otlp_backend.bodies["traces"]
    assert _without_empty_status(body) == ExportTraceServiceRequest.FromString(raw)


@pytest.mark.server
async def test_a_real_collector_takes_every_compression(otlp_backend: Backend, tmp_path: Path) -> None:
    codings = {"grpc": ("gzip", "zstd", "snappy", "none"), "http": ("gzip", "zstd", "snappy", "zlib", "lz4", "none")}
    cases = [(transport, coding) for transport, names in codings.items() for coding in names]

    async with collector_before(otlp_backend, tmp_path) as ports:
        for number, (transport, coding) in enumerate(cases):
            async with delivery_to(transport, ports[transport], compression=coding, timeout=10.0) as stage:
                ends = await deliver(stage, [numbered(10 * number, 10, size=10_000)])
            assert ends == [Outcome.DELIVERED], (transport, coding)

    assert arrived(otlp_backend.bodies["traces"]) == Counter(range(10 * len(cases)))


def _without_empty_status(body: bytes) -> ExportTraceServiceRequest:
    """The Collector writes a status for every span."""
    request = ExportTraceServiceRequest.FromString(body)
    for span in request.resource_spans[0].scope_spans[0].spans:
        assert not span.status.ByteSize()
        span.ClearField("status")
    return request


@pytest.mark.server
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_requests_over_a_real_collectors_limit_are_split_until_they_fit(
    transport: str, otlp_backend: Backend, tmp_path: Path
) -> None:
    limits = {"grpc": {"max_recv_msg_size_mib": 1}, "http": {"max_request_body_size": 1 << 20}}

    async with (
        collector_before(otlp_backend, tmp_path, **limits) as ports,
        delivery_to(transport, ports[transport], timeout=20.0) as stage,
    ):
        ends = await deliver(stage, [numbered(0, 60, size=100_000), numbered(60, 10)])

    assert ends == [Outcome.DELIVERED] * 2
    assert arrived(otlp_backend.bodies["traces"]) == Counter(range(70))


@pytest.mark.server
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("merged", [False, True], ids=["one request", "merged requests"])
async def test_one_poisonous_span_in_a_thousand_is_lost_alone(
    transport: str, otlp_backend: Backend, tmp_path: Path, *, merged: bool
) -> None:
    """A real Collector rejects the whole request for one id of a wrong length."""
    queue: dict[str, Any] = {"batch": {"min_size": 1000, "flush_timeout": 1.0}} if merged else {}
    batches = poisoned(1000, 437, 20 if merged else 1)

    async with (
        collector_before(otlp_backend, tmp_path) as ports,
        delivery_to(transport, ports[transport], timeout=20.0, sending_queue=queue) as stage,
    ):
        ends = await deliver(stage, batches)
        failed = metric_value(stage._host, "otelcol_exporter_send_failed_spans_total")

    assert Counter(ends) == Counter({Outcome.FAILED: 1, Outcome.DELIVERED: len(batches) - 1})
    assert arrived(otlp_backend.bodies["traces"]) == Counter(set(range(1000)) - {437})
    assert failed == 1


@pytest.mark.server
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("merged", [False, True], ids=["one request", "merged requests"])
async def test_with_dead_letters_nothing_that_a_real_collector_does_not_take_is_lost(
    transport: str, otlp_backend: Backend, tmp_path: Path, *, merged: bool
) -> None:
    """One poisonous span in a thousand, and one that alone is over the size limit."""
    queue: dict[str, Any] = {"batch": {"min_size": 1000, "flush_timeout": 1.0}} if merged else {}
    limits = {"grpc": {"max_recv_msg_size_mib": 1}, "http": {"max_request_body_size": 1 << 20}}
    batches = [*poisoned(1000, 437, 20 if merged else 1), numbered(1000, 1, size=1_200_000), numbered(1001, 9)]

    with otlp_backend_of() as cellar:
        async with (
            collector_before(otlp_backend, tmp_path, **limits) as ports,
            delivery_to("grpc", cellar.grpc_port, timeout=20.0) as dead_letters,
            delivery_to(
                transport, ports[transport], timeout=20.0, sending_queue=queue, dead_letters=dead_letters
            ) as stage,
        ):
            ends = await deliver(stage, batches)
            registry = stage._host.meter.registry.collector
            component = str(stage._host.id)
            counted = [
                registry.get_sample_value("penstock_dead_letters_total", {"component": component, "reason": reason})
                for reason in ("rejected", "too_large")
            ]

    assert set(ends) == {Outcome.DELIVERED}
    assert arrived(otlp_backend.bodies["traces"]) == Counter(set(range(1010)) - {437, 1000})
    assert arrived(cellar.bodies["traces"]) == Counter([437, 1000])
    # Over HTTP a Collector says of both that they are bad requests.
    assert counted == ([1, 1] if transport == "grpc" else [2, None])


def poisoned(count: int, culprit: int, requests: int) -> list[Batch]:
    size = count // requests
    return [_request(range(start, start + size), culprit) for start in range(0, count, size)]


def _request(numbers: range, culprit: int) -> Batch:
    message = trace_request(*({"n": number} for number in numbers))
    if culprit in numbers:
        message.resource_spans[0].scope_spans[0].spans[culprit - numbers.start].trace_id = b"short"
    return Batch.of_message(message, Signal.TRACES)
