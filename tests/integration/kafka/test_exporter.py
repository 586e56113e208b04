"""The kafka exporter with a real broker: what arrives, how it is packed, where it goes."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.delivery import DeliveryStage
from pipeline.errors import Refused, Rejected
from pipeline.kafka.producer import OutRecord, Producer
from pipeline.kafka.producer.connection import Connection
from pipeline.kafka.producer.partitioners import murmur2, sarama_compat
from pipeline.signals import Batch, Context, Signal, Value, intake
from pipeline.testing import logs, metric_value, trace_request, traces
from tests.integration.kafka.exporting import exporting, read
from tests.servers.kafka.traffic import own_name

if TYPE_CHECKING:
    from tests.servers.kafka.traffic import Traffic

pytestmark = pytest.mark.server


@pytest.fixture
async def topic(kafka: Traffic) -> str:
    return await kafka.make(own_name("spans"), partitions=4)


@pytest.fixture
def packed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Partition and number of records of each batch that is written."""
    seen: list[tuple[int, int]] = []
    write = Connection.write

    async def spy(self: Connection, topic: str, partition: int, batch: Any) -> None:
        seen.append((partition, batch.record_count()))
        await write(self, topic, partition, batch)

    monkeypatch.setattr(Connection, "write", spy)
    return seen


def many(count: int, size: int = 0) -> Batch:
    made: list[dict[str, Value]] = [{"n": number, "text": "x" * size} for number in range(count)]
    return traces(*made)


def producer_of(exporter: Any) -> Producer:
    producer = exporter._producer
    assert isinstance(producer, Producer)
    return producer


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
async def test_what_is_exported_is_read(kafka: Traffic, topic: str, compression: str) -> None:
    batch = many(50, 500)
    keys = {"traces": {"topic": topic}, "producer": {"compression": compression}}
    async with exporting(kafka.bootstrap, **keys) as exporter:
        await exporter.export(batch)
    (record,) = await read(kafka.bootstrap, topic, 1)
    assert record.value == batch.serialize()
    assert record.key is None


async def test_compression_params(kafka: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: dict[int, int] = {}
    write = Connection.write

    async def spy(self: Connection, topic: str, partition: int, batch: Any) -> None:
        sizes[level] = batch.size()
        await write(self, topic, partition, batch)

    monkeypatch.setattr(Connection, "write", spy)
    topic = await kafka.make(own_name("spans"))
    batch = traces({"text": " ".join(str(number * number % 997) for number in range(20_000))})
    for level in (1, 19):
        keys = {"compression": "zstd", "compression_params": {"level": level}}
        async with exporting(kafka.bootstrap, traces={"topic": topic}, producer=keys) as exporter:
            await exporter.export(batch)
    assert sizes[19] < sizes[1] < batch.size_bytes


@pytest.mark.parametrize(("hasher", "hashed"), [("sarama_compat", sarama_compat), ("murmur2", murmur2)])
async def test_traces_go_where_their_key_says(kafka: Traffic, topic: str, hasher: str, hashed: Any) -> None:
    keys = {"partition_traces_by_id": True, "record_partitioner": {"sticky_key": {"hasher": hasher}}}
    async with exporting(kafka.bootstrap, traces={"topic": topic}, **keys) as exporter:
        await exporter.export(many(40))
    found = await read(kafka.bootstrap, topic, 40)
    assert {record.key for record in found} == {number.to_bytes(16, "big").hex().encode() for number in range(1, 41)}
    assert [record.partition for record in found] == [hashed(record.key, 4) for record in found]
    assert len({record.partition for record in found}) > 1


async def test_round_robin(kafka: Traffic, topic: str) -> None:
    keys = {"partition_traces_by_id": True, "record_partitioner": {"round_robin": {}}}
    async with exporting(kafka.bootstrap, traces={"topic": topic}, **keys) as exporter:
        await exporter.export(many(40))
    assert Counter(record.partition for record in await read(kafka.bootstrap, topic, 40)) == dict.fromkeys(range(4), 10)


async def test_least_backup(kafka: Traffic, topic: str) -> None:
    keys = {"partition_traces_by_id": True, "record_partitioner": {"least_backup": {}}}
    async with exporting(kafka.bootstrap, traces={"topic": topic}, **keys) as exporter:
        for _ in range(12):
            await exporter.export(many(3))
    found = await read(kafka.bootstrap, topic, 36)
    assert all(number % 3 == 0 for number in Counter(record.partition for record in found).values())
    assert len({record.partition for record in found}) > 1


async def test_headers(kafka: Traffic, topic: str) -> None:
    context = Context(metadata={"x-tenant": ("red",), "penstock.dead_letter.reason": ("rejected",)})
    keys = {"record_headers": {"a": "1"}, "include_metadata_keys": ["x-tenant"], "signal_header": True}
    async with exporting(kafka.bootstrap, traces={"topic": topic}, **keys) as exporter:
        await exporter.export(traces({"n": 1}, context=context))
    (record,) = await read(kafka.bootstrap, topic, 1)
    assert dict(record.headers) == {
        "a": b"1",
        "x-tenant": b"red",
        "otelcol.signal": b"traces",
        "penstock.dead_letter.reason": b"rejected",
    }


async def test_records_of_a_partition_are_sent_as_one(
    kafka: Traffic, topic: str, packed: list[tuple[int, int]]
) -> None:
    keys = {"partition_traces_by_id": True, "record_partitioner": {"round_robin": {}}}
    async with exporting(kafka.bootstrap, traces={"topic": topic}, **keys) as exporter:
        await asyncio.gather(*(exporter.export(many(40)) for _ in range(3)))
    assert sorted(packed) == [(partition, 30) for partition in range(4)]


async def test_flush_max_messages(kafka: Traffic, packed: list[tuple[int, int]]) -> None:
    topic = await kafka.make(own_name("spans"))
    keys = {"partition_traces_by_id": True, "producer": {"flush_max_messages": 7}}
    async with exporting(kafka.bootstrap, traces={"topic": topic}, **keys) as exporter:
        await exporter.export(many(20))
    assert packed == [(0, 7), (0, 7), (0, 6)]


async def test_max_message_bytes_limits_what_is_sent_as_one(kafka: Traffic, packed: list[tuple[int, int]]) -> None:
    topic = await kafka.make(own_name("spans"))
    keys = {"partition_traces_by_id": True, "producer": {"max_message_bytes": 5000}}
    async with exporting(kafka.bootstrap, traces={"topic": topic}, **keys) as exporter:
        await exporter.export(many(8, 1000))
    assert packed == [(0, 4), (0, 4)]


async def test_linger(kafka: Traffic, packed: list[tuple[int, int]]) -> None:
    topic = await kafka.make(own_name("logs"))
    keys = {"logs": {"topic": topic}}
    async with exporting(kafka.bootstrap, **keys, producer={"linger": 1.5}) as exporter:
        await exporter.export(logs("first, which learns of the topic"))
        packed.clear()
        first = asyncio.create_task(exporter.export(logs("one")))
        await asyncio.sleep(0.1)
        await exporter.export(logs("two"))
        await first
    assert packed == [(0, 2)]


@pytest.mark.parametrize("acks", [0, 1, -1])
async def test_required_acks(kafka: Traffic, topic: str, acks: int) -> None:
    async with exporting(kafka.bootstrap, traces={"topic": topic}, producer={"required_acks": acks}) as exporter:
        await exporter.export(traces({"n": 1}))
        client = producer_of(exporter)._connections.current._client  # type: ignore[union-attr]  # it is connected
        assert client._sender._acks == acks
        assert (client._txn_manager is not None) == (acks == -1)
    assert len(await read(kafka.bootstrap, topic, 1)) == 1


async def test_topics_are_created_where_that_is_allowed(kafka: Traffic) -> None:
    topic = own_name("new")
    async with exporting(kafka.bootstrap, traces={"topic": topic}) as exporter:
        await exporter.export(traces({"n": 1}))
    assert len(await read(kafka.bootstrap, topic, 1)) == 1


async def test_topics_are_not_created_where_that_is_not_allowed(
    kafka: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.kafka.producer.connection._TOPIC_S", 1.0)
    topic = own_name("new")
    keys = {"traces": {"topic": topic}, "producer": {"allow_auto_topic_creation": False}}
    async with exporting(kafka.bootstrap, **keys) as exporter:
        with pytest.raises(Refused, match="does not exist"):
            await exporter.export(traces({"n": 1}))
        async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap) as consumer:
            assert topic not in await consumer.topics()
        await kafka.make(topic)
        await exporter.export(traces({"n": 1}))
    assert len(await read(kafka.bootstrap, topic, 1)) == 1


@pytest.mark.parametrize("name", ["two words", "..", "x" * 250])
async def test_names_that_no_topic_has(kafka: Traffic, name: str) -> None:
    async with exporting(kafka.bootstrap, topic_from_attribute="topic") as exporter:
        with pytest.raises(Rejected, match="name of the topic"):
            await exporter.export(traces({"n": 1}, resource={"topic": name}))


@pytest.fixture
async def narrow(kafka: Traffic) -> str:
    """A topic that takes less than a producer may write."""
    topic = own_name("narrow")
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1, topic_configs={"max.message.bytes": "3000"})])
    await admin.close()
    return topic


@pytest.mark.parametrize("by_id", [True, False])
async def test_a_span_too_large_for_the_topic_is_lost_alone_and_nothing_comes_twice(
    kafka: Traffic, narrow: str, by_id: bool
) -> None:
    made: list[dict[str, Value]] = [{"n": number, "text": "x" * (5000 if number == 7 else 10)} for number in range(20)]
    keys = {"partition_traces_by_id": by_id, "traces": {"topic": narrow}}
    async with exporting(kafka.bootstrap, **keys) as exporter:
        stage = DeliveryStage(exporter, exporter.config, exporter.host, Signal.TRACES)
        await stage.start()
        batch = traces(*made)
        await stage.consume(batch)
        with pytest.raises(Rejected, match="larger than"):
            await batch.delivery.wait()
        again = traces(*made[:5])
        await stage.consume(again)
        await again.delivery.wait()
        await stage.stop()
        assert metric_value(exporter.host, "otelcol_exporter_send_failed_spans_total") == 1
    found = Counter(
        span.attributes[0].value.int_value
        for record in await read(kafka.bootstrap, narrow, 2)
        for group in ExportTraceServiceRequest.FromString(record.value).resource_spans
        for span in group.scope_spans[0].spans
    )
    assert found == {number: 2 if number < 5 else 1 for number in range(20) if number != 7}


async def test_records_too_large_for_the_topic_are_rejected_alone(kafka: Traffic, narrow: str) -> None:
    async with exporting(kafka.bootstrap) as exporter:
        records = [OutRecord(narrow, b"x" * size, b"%d" % size) for size in (100, 5000, 101, 102, 6000, 103)]
        results = await producer_of(exporter).send(records)
    assert [type(error) for error in results] == [type(None), Rejected, type(None), type(None), Rejected, type(None)]
    found = await read(kafka.bootstrap, narrow, 4)
    assert [len(record.value) for record in found] == [100, 101, 102, 103]


async def test_a_gap_in_the_sequence_brings_a_new_producer(kafka: Traffic) -> None:
    topic = await kafka.make(own_name("spans"))
    async with exporting(kafka.bootstrap, traces={"topic": topic}) as exporter:
        await exporter.export(traces({"n": 1}))
        connections = producer_of(exporter)._connections
        first = connections.current
        numbers = first._client._txn_manager._sequence_numbers  # type: ignore[union-attr]  # it is connected
        numbers[next(iter(numbers))] += 5
        batch = traces({"n": 2})
        with pytest.raises(Refused, match="renewed"):
            await exporter.export(batch)
        await exporter.export(batch)
        assert connections.current is not first
    assert len(await read(kafka.bootstrap, topic, 2)) == 2


async def test_a_partition_of_the_senders_choice(kafka: Traffic, topic: str) -> None:
    async with exporting(kafka.bootstrap) as exporter:
        results = await producer_of(exporter).send(
            [OutRecord(topic, b"v", b"k", partition=3), OutRecord(topic, b"v", b"k", partition=9)]
        )
    assert results[0] is None
    assert isinstance(results[1], Rejected)
    assert [record.partition for record in await read(kafka.bootstrap, topic, 1)] == [3]


async def test_batches_of_two_signals(kafka: Traffic, topic: str) -> None:
    other = await kafka.make(own_name("logs"))
    batch = intake.parse(Signal.LOGS, logs("text").serialize(), Context())
    async with exporting(kafka.bootstrap, traces={"topic": topic}, logs={"topic": other}) as exporter:
        await asyncio.gather(exporter.export(traces({"n": 1})), exporter.export(batch))
    assert [len(await read(kafka.bootstrap, name, 1)) for name in (topic, other)] == [1, 1]


async def test_a_resource_with_an_impossible_topic_is_lost_alone(kafka: Traffic, topic: str) -> None:
    raw = b"".join(
        trace_request({"n": 1}, resource={"topic": name}).SerializeToString() for name in (topic, "no topic", topic)
    )
    async with exporting(kafka.bootstrap, topic_from_attribute="topic") as exporter:
        stage = DeliveryStage(exporter, exporter.config, exporter.host, Signal.TRACES)
        await stage.start()
        batch = intake.parse(Signal.TRACES, raw, Context())
        await stage.consume(batch)
        with pytest.raises(Rejected, match="name of the topic"):
            await batch.delivery.wait()
        await stage.stop()
        assert metric_value(exporter.host, "otelcol_exporter_send_failed_spans_total") == 1
    values = [record.value for record in await read(kafka.bootstrap, topic, 1)]
    assert sum(len(ExportTraceServiceRequest.FromString(value).resource_spans) for value in values) == 2


async def test_metrics(kafka: Traffic) -> None:
    topic = await kafka.make(own_name("spans"))
    keys = {"partition_traces_by_id": True, "producer": {"compression": "zstd"}, "traces": {"topic": topic}}
    async with exporting(kafka.bootstrap, **keys) as exporter:
        await exporter.export(many(20, 1000))
    labels = {"topic": topic, "partition": "0", "outcome": "success"}
    records, size, raw = (
        metric_value(exporter.host, f"otelcol_kafka_exporter_{name}_total", **labels)
        for name in ("records", "bytes", "bytes_uncompressed")
    )
    assert records == 20
    assert 20_000 < raw < 30_000
    assert 0 < size < raw / 4
    assert metric_value(exporter.host, "otelcol_kafka_exporter_write_latency_count", **labels) == 1


async def test_an_oversized_span_alone_is_lost_and_counted(kafka: Traffic, topic: str) -> None:
    made: list[dict[str, Value]] = [
        {"n": number, "text": "x" * (50_000 if number == 7 else 10)} for number in range(20)
    ]
    keys = {"partition_traces_by_id": True, "producer": {"max_message_bytes": 20_000}, "traces": {"topic": topic}}
    async with exporting(kafka.bootstrap, **keys) as exporter:
        stage = DeliveryStage(exporter, exporter.config, exporter.host, Signal.TRACES)
        await stage.start()
        batch = traces(*made)
        await stage.consume(batch)
        with pytest.raises(Rejected, match="max_message_bytes"):
            await batch.delivery.wait()
        await stage.stop()
        assert metric_value(exporter.host, "otelcol_exporter_sent_spans_total") == 19
        assert metric_value(exporter.host, "otelcol_exporter_send_failed_spans_total") == 1
    found = [int.from_bytes(bytes.fromhex(record.key.decode())) for record in await read(kafka.bootstrap, topic, 19)]
    assert sorted(found) == [number for number in range(1, 21) if number != 8]
