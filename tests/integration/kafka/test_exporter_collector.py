"""The kafka exporter beside the real Collector's: same keys, same partitions; each reads what the other writes."""

from __future__ import annotations

import asyncio
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.kafka.producer.record_batch import CODECS
from pipeline.signals import Context, Signal, Value, intake
from pipeline.testing import trace_request
from pipeline.testing.builders import metric_request
from tests.integration.kafka.exporting import exporting, read
from tests.servers.backend import otlp_backend
from tests.servers.collectors import otelcol
from tests.servers.kafka.traffic import own_name
from tests.servers.processes import free_ports

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.kafka.traffic import Traffic

pytestmark = pytest.mark.server

TRACES = 60


def _traces() -> ExportTraceServiceRequest:
    made: list[dict[str, Value]] = [{"n": number} for number in range(TRACES)]
    request = trace_request(*made)
    for number, span in enumerate(request.resource_spans[0].scope_spans[0].spans):
        span.trace_id = (number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128) or 1).to_bytes(16, "big")
    return request


def _metrics() -> bytes:
    resources: list[dict[str, Value]] = [
        {"service.name": f"shop-{number}", "n": number, "list": ["a", 1, 2.5, True], "map": {"b": b"c"}}
        for number in range(20)
    ]
    return b"".join(metric_request({"a": [1.0]}, resource=each).SerializeToString() for each in [*resources, {}])


def _write_by_the_collector(folder: Path, exporter: dict[str, Any], signal: Signal, raw: bytes) -> None:
    (port,) = free_ports(1)
    config = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
        "exporters": {"kafka": exporter},
        "service": {"pipelines": {signal.value: {"receivers": ["otlp"], "exporters": ["kafka"]}}},
    }
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/{signal.value}", raw, {"content-type": "application/x-protobuf"}
    )
    with otelcol(config, folder, ports=[port]), urllib.request.urlopen(request, timeout=20):
        return


def _numbers(raw: bytes) -> list[int]:
    """The attribute of every span: the Collector writes other bytes for the same."""
    return [
        span.attributes[0].value.int_value
        for group in ExportTraceServiceRequest.FromString(raw).resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


async def test_keys_and_partitions_are_the_collectors(kafka: Traffic, tmp_path: Path) -> None:
    ours, theirs = [await kafka.make(own_name(name), partitions=7) for name in ("ours", "theirs")]
    keys = {"partition_traces_by_id": True, "brokers": [kafka.bootstrap]}
    raw = _traces().SerializeToString()
    await asyncio.to_thread(
        _write_by_the_collector, tmp_path, {**keys, "traces": {"topic": theirs}}, Signal.TRACES, raw
    )
    async with exporting(kafka.bootstrap, **keys, traces={"topic": ours}) as exporter:
        await exporter.export(intake.parse(Signal.TRACES, raw, Context()))
    found = [
        {
            record.key: (record.partition, _numbers(record.value))
            for record in await read(kafka.bootstrap, topic, TRACES)
        }
        for topic in (ours, theirs)
    ]
    assert len(found[0]) == TRACES
    assert found[0] == found[1]


async def test_keys_of_resources_are_the_collectors(kafka: Traffic, tmp_path: Path) -> None:
    ours, theirs = [await kafka.make(own_name(name), partitions=7) for name in ("ours", "theirs")]
    keys = {"partition_metrics_by_resource_attributes": True, "brokers": [kafka.bootstrap]}
    raw = _metrics()
    await asyncio.to_thread(
        _write_by_the_collector, tmp_path, {**keys, "metrics": {"topic": theirs}}, Signal.METRICS, raw
    )
    async with exporting(kafka.bootstrap, **keys, metrics={"topic": ours}) as exporter:
        await exporter.export(intake.parse(Signal.METRICS, raw, Context()))
    found = [
        {(record.key, record.partition) for record in await read(kafka.bootstrap, topic, 21)}
        for topic in (ours, theirs)
    ]
    assert len(found[0]) == 21
    assert found[0] == found[1]


@pytest.mark.parametrize("encoding", ["otlp_proto", "otlp_json"])
async def test_the_collector_reads_what_we_write(kafka: Traffic, tmp_path: Path, encoding: str) -> None:
    batch = intake.parse(Signal.TRACES, _traces().SerializeToString(), Context())
    topics = []
    for compression in CODECS:
        topics.append(await kafka.make(own_name(compression), partitions=2))
        keys = {"traces": {"topic": topics[-1], "encoding": encoding}, "producer": {"compression": compression}}
        async with exporting(kafka.bootstrap, **keys, partition_traces_by_id=True) as exporter:
            await exporter.export(batch)
    receiver = {
        "brokers": [kafka.bootstrap],
        "traces": {"topics": topics, "encoding": encoding},
        "initial_offset": "earliest",
        "group_id": own_name("group"),
    }
    bodies = await asyncio.to_thread(_read_by_the_collector, tmp_path, receiver)
    numbers = [number for body in bodies for number in _numbers(body)]
    assert sorted(numbers) == sorted(list(range(TRACES)) * len(CODECS))


def _read_by_the_collector(folder: Path, receiver: dict[str, Any]) -> list[bytes]:
    with otlp_backend() as backend:
        endpoint = f"http://127.0.0.1:{backend.http_port}"
        config = {
            "receivers": {"kafka": receiver},
            "exporters": {"otlp_http": {"endpoint": endpoint, "compression": "none"}},
            "service": {"pipelines": {"traces": {"receivers": ["kafka"], "exporters": ["otlp_http"]}}},
        }
        with otelcol(config, folder, ports=[]):
            return backend.wait("traces", lambda bodies: len(bodies) >= TRACES * len(CODECS), 60)
