"""The kafka receiver and what stands around it: brokers that die, pipelines that hold data, reloads, a Collector."""

from __future__ import annotations

import asyncio
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.config import ComponentId, load
from pipeline.receivers.kafka import KafkaReceiver, consumer
from pipeline.service import Service
from pipeline.signals import Outcome, Signal
from pipeline.supervisor import Status
from pipeline.testing import CollectingSink
from pipeline.testing.builders import log_request, metric_request, trace_request
from tests.integration.kafka.running import BRISK, OpenSink, host_of, numbers, receiving, trace, until
from tests.servers.collectors import otelcol
from tests.servers.kafka.broker import broker, patience
from tests.servers.kafka.traffic import own_name, traffic
from tests.servers.processes import free_ports

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config import Settings
    from tests.servers.backend import Backend
    from tests.servers.kafka.broker import Broker

pytestmark = pytest.mark.server

CONFIG = """
receivers:
  kafka:
    brokers: [BOOTSTRAP]
    group_id: GROUP
    initial_offset: earliest
    session_timeout: 6s
    heartbeat_interval: 1s
    autocommit: {interval: 100ms}
    traces: {topics: [TOPIC]}
processors: {batch: {timeout: 60s, send_batch_size: 100000}}
exporters: {otlp_http: {endpoint: "http://127.0.0.1:PORT", compression: none}}
service:
  drain_timeout: 10s
  telemetry: {metrics: {level: none}}
  pipelines: {traces: {receivers: [kafka], processors: [batch], exporters: [otlp_http]}}
"""


def _settings(**words: object) -> Settings:
    text = CONFIG
    for word, value in words.items():
        text = text.replace(word, str(value))
    return load([f"yaml:{text}"])


def _receiver(service: Service) -> KafkaReceiver:
    receiver = service.graph.receivers[ComponentId("kafka")]
    assert isinstance(receiver, KafkaReceiver)
    return receiver


async def test_what_a_pipeline_holds_is_delivered_and_committed_at_the_end(
    kafka_broker: Broker, otlp_backend: Backend
) -> None:
    topic, group = own_name("spans"), own_name("group")
    words = {"BOOTSTRAP": kafka_broker.bootstrap, "GROUP": group, "TOPIC": topic, "PORT": otlp_backend.http_port}
    async with traffic(kafka_broker.bootstrap) as kafka:
        await kafka.make(topic)
        await kafka.write(topic, trace(1), trace(2))
        service = Service(_settings(**words))
        await service.start()
        await until(lambda: _receiver(service)._assignment.under_way)
        assert (await kafka.committed(group)).get((topic, 0)) == 0
        assert otlp_backend.bodies["traces"] == []
        await service.stop()
        assert otlp_backend.bodies["traces"] == [trace(1) + trace(2)]
        assert (await kafka.committed(group)).get((topic, 0)) == 2


async def test_a_reload_goes_on_where_it_was(kafka_broker: Broker, otlp_backend: Backend) -> None:
    topic, group = own_name("spans"), own_name("group")
    words = {"BOOTSTRAP": kafka_broker.bootstrap, "GROUP": group, "TOPIC": topic, "PORT": otlp_backend.http_port}
    async with traffic(kafka_broker.bootstrap) as kafka:
        await kafka.make(topic)
        await kafka.write(topic, trace(1))
        service = Service(_settings(**words))
        await service.start()
        first = _receiver(service)
        await until(lambda: first._assignment.under_way)
        await service.change_to(_settings(**words, **{"60s": "50ms"}))
        assert _receiver(service) is first
        await kafka.write(topic, trace(2))
        await asyncio.to_thread(otlp_backend.wait, "traces", lambda bodies: len(b"".join(bodies)) == 2 * len(trace(1)))
        await service.change_to(_settings(**words, **{"60s": "50ms", "6s": "7s"}))
        assert _receiver(service) is not first
        await kafka.write(topic, trace(3))
        await asyncio.to_thread(otlp_backend.wait, "traces", lambda bodies: trace(3) in bodies)
        await service.stop()
        assert sorted(otlp_backend.bodies["traces"]) == sorted([trace(1), trace(2), trace(3)])
        assert (await kafka.committed(group)).get((topic, 0)) == 3


async def test_a_broker_that_dies_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read before is neither lost nor read again: it is committed to the broker that came back."""
    monkeypatch.setattr(consumer, "_SILENCE_S", 1.0)
    host = host_of()
    health: list[Status] = []
    host.report = lambda status, _: health.append(status)
    with broker(tmp_path, properties=patience(2)) as dying:
        topic, group = own_name("spans"), own_name("group")
        sink = OpenSink()
        keys: dict[str, Any] = {"group_id": group, "traces": {"topics": (topic,)}, "session_timeout": 30.0}
        async with traffic(dying.bootstrap) as kafka:
            await kafka.make(topic)
            await kafka.write(topic, trace(1))
        async with receiving(dying.bootstrap, sink, host=host, **keys):
            await sink.wait_for(1)
            assert health[-1] is Status.OK
            await asyncio.to_thread(dying.kill)
            await until(lambda: health[-1] is Status.RECOVERABLE)
            sink.batches[0].delivery.end(Outcome.DELIVERED)
            await asyncio.to_thread(dying.up)
            async with traffic(dying.bootstrap) as kafka:
                await kafka.write(topic, trace(2))
                await sink.wait_for(2, timeout_s=60)
                sink.batches[1].delivery.end(Outcome.DELIVERED)

                async def committed() -> bool:
                    return (await kafka.committed(group)).get((topic, 0)) == 2

                await until(committed, timeout_s=60)
                await until(lambda: health[-1] is Status.OK)
        assert numbers(sink) == [1, 2]


def _post(url: str, body: bytes) -> None:
    request = urllib.request.Request(url, data=body, headers={"content-type": "application/x-protobuf"})
    urllib.request.urlopen(request, timeout=20).close()


@pytest.mark.parametrize("encoding", ["otlp_proto", "otlp_json"])
async def test_what_a_collector_writes_is_read(kafka_broker: Broker, tmp_path: Path, encoding: str) -> None:
    stem, (port,) = own_name("c"), free_ports(1)
    given = {
        Signal.TRACES: trace_request({"n": 1}).SerializeToString(),
        Signal.LOGS: log_request("a line").SerializeToString(),
        Signal.METRICS: metric_request({"m": [1.5]}).SerializeToString(),
    }
    blocks = {signal.value: {"topic": f"{stem}-{signal.value}", "encoding": encoding} for signal in Signal}
    config = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
        "exporters": {"kafka": {"brokers": [kafka_broker.bootstrap], "producer": {"compression": "zstd"}, **blocks}},
        "service": {
            "pipelines": {signal.value: {"receivers": ["otlp"], "exporters": ["kafka"]} for signal in Signal},
        },
    }
    with otelcol(config, tmp_path, ports=[port]):
        for signal, body in given.items():
            await asyncio.to_thread(_post, f"http://127.0.0.1:{port}/v1/{signal.value}", body)
    sinks = {signal: CollectingSink() for signal in Signal}
    topics = {signal.value: {"topics": (f"^{stem}-{signal.value}",), "encoding": encoding} for signal in Signal}
    keys: dict[str, Any] = {"brokers": (kafka_broker.bootstrap,), "group_id": stem, **topics, **BRISK}
    receiver = KafkaReceiver(KafkaReceiver.Config(**keys), host_of())
    receiver.connect(sinks)
    await receiver.start()
    try:
        for sink in sinks.values():
            await sink.wait_for(1)
        (span,), (line,), (point,) = (
            sinks[signal].records() for signal in (Signal.TRACES, Signal.LOGS, Signal.METRICS)
        )
        assert (span.pb.name, span.attributes["n"]) == ("chat", 1)
        assert line.pb.body.string_value == "a line"
        assert (point.pb.as_double, point.attributes["index"]) == (1.5, 0)
    finally:
        await receiver.stop()
