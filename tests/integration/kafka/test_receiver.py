"""The kafka receiver with a real broker: what is read, what is committed, what is offered again."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.errors import Code, Refused, Rejected
from pipeline.kafka.dead_letters import read_headers
from pipeline.receivers.kafka import KafkaReceiver, consumer
from pipeline.signals import Batch, Outcome, Signal
from pipeline.testing import CollectingSink, FailingSink
from pipeline.testing.host import metric_value
from tests.integration.kafka.running import BRISK, OpenSink, host_of, numbers, receiving, trace, until
from tests.servers.kafka.traffic import own_name

if TYPE_CHECKING:
    from tests.servers.kafka.traffic import Traffic

pytestmark = pytest.mark.server


@pytest.fixture
async def topic(kafka: Traffic) -> str:
    return await kafka.make(own_name("spans"))


@pytest.fixture
def group() -> str:
    return own_name("group")


def _has_more(sink: CollectingSink, count: int) -> bool:
    return len(sink.batches) > count


async def _until_committed(kafka: Traffic, group: str, topic: str, offset: int) -> None:
    async def committed() -> bool:
        return (await kafka.committed(group)).get((topic, 0)) == offset

    await until(committed)


async def test_what_is_delivered_is_committed(kafka: Traffic, topic: str, group: str) -> None:
    await kafka.write(topic, trace(1, 2), trace(3))
    async with receiving(kafka.bootstrap, group_id=group, traces={"topics": (topic,)}) as (receiver, sink):
        await sink.wait_for(3)
        assert numbers(sink) == [1, 2, 3]
        await _until_committed(kafka, group, topic, 2)
        assert metric_value(receiver.host, "otelcol_receiver_accepted_spans_total", transport="kafka") == 3
        records = {"topic": topic, "partition": "0", "outcome": "success"}
        assert metric_value(receiver.host, "otelcol_kafka_receiver_records_total", **records) == 2
        assert metric_value(receiver.host, "otelcol_kafka_receiver_offset_lag", topic=topic, partition="0") == 0


async def test_what_is_not_delivered_is_not_committed(kafka: Traffic, topic: str, group: str) -> None:
    sink = OpenSink()
    keys: dict[str, Any] = {"group_id": group, "traces": {"topics": (topic,)}, "max_join_bytes": 0}
    async with receiving(kafka.bootstrap, sink, **keys):
        await kafka.write(topic, trace(1), trace(2), trace(3))
        await sink.wait_for(3)
        sink.batches[0].delivery.end(Outcome.DELIVERED)
        sink.batches[2].delivery.end(Outcome.STORED)
        await _until_committed(kafka, group, topic, 1)
        sink.batches[1].delivery.end(Outcome.DROPPED)
        await _until_committed(kafka, group, topic, 3)


async def test_a_restart_neither_loses_nor_repeats(kafka: Traffic, topic: str, group: str) -> None:
    seen = []
    keys: dict[str, Any] = {"group_id": group, "traces": {"topics": (topic,)}}
    for number in range(3):
        await kafka.write(topic, trace(2 * number), trace(2 * number + 1))
        async with receiving(kafka.bootstrap, **keys) as (_, sink):
            await sink.wait_for(2)
        seen += numbers(sink)
    assert seen == list(range(6))


async def test_a_group_that_begins_at_the_end_loses_nothing_over_a_restart(
    kafka: Traffic, topic: str, group: str
) -> None:
    keys: dict[str, Any] = {"group_id": group, "traces": {"topics": (topic,)}, "initial_offset": "latest"}
    await kafka.write(topic, trace(1))
    async with receiving(kafka.bootstrap, **keys) as (_, sink):
        await _until_committed(kafka, group, topic, 1)
        assert sink.count == 0
    await kafka.write(topic, trace(2))
    async with receiving(kafka.bootstrap, **keys) as (_, sink):
        await sink.wait_for(1)
        assert numbers(sink) == [2]


async def test_without_autocommit_nothing_is_committed(kafka: Traffic, topic: str, group: str) -> None:
    await kafka.write(topic, trace(1))
    keys: dict[str, Any] = {
        "group_id": group,
        "traces": {"topics": (topic,)},
        "autocommit": {"enable": False, "interval": 0.1},
    }
    for _ in range(2):
        async with receiving(kafka.bootstrap, **keys) as (_, sink):
            await sink.wait_for(1)
    assert await kafka.committed(group) == {}


async def test_refused_data_is_offered_again_in_order(kafka: Traffic, topic: str, group: str) -> None:
    sink = FailingSink([Refused("sending queue is full")] * 3)
    keys: dict[str, Any] = {"group_id": group, "traces": {"topics": (topic,)}, "max_join_bytes": 0}
    await kafka.write(topic, *(trace(number) for number in range(5)))
    async with receiving(kafka.bootstrap, sink, **keys) as (receiver, _):
        await sink.taken.wait_for(5)
        assert numbers(sink.taken) == list(range(5))
        assert metric_value(receiver.host, "otelcol_receiver_refused_spans_total", transport="kafka") == 3
        await _until_committed(kafka, group, topic, 5)


async def test_what_the_backend_gave_up_is_offered_again(kafka: Traffic, topic: str, group: str) -> None:
    sink = OpenSink()
    async with receiving(kafka.bootstrap, sink, group_id=group, traces={"topics": (topic,)}):
        await kafka.write(topic, trace(1))
        for attempt in range(3):
            await until(partial(_has_more, sink, attempt))
            sink.batches[-1].delivery.end(Outcome.FAILED, Refused("no more retries left"))
            assert (await kafka.committed(group)).get((topic, 0), 0) == 0
        await until(lambda: len(sink.batches) == 4)
        sink.batches[-1].delivery.end(Outcome.DELIVERED)
        await _until_committed(kafka, group, topic, 1)


class _FirstRefused(CollectingSink):
    """Refuses the span numbered 1 however often it is offered: how often depends on the speed of the machine."""

    async def consume(self, batch: Batch) -> None:
        """Take what is not number 1. Raises Refused."""
        if any(record.attributes["n"] == 1 for record in batch.records()):
            raise Refused("away")
        await super().consume(batch)


async def test_on_error_passes_over_what_cannot_be_taken(kafka: Traffic, topic: str, group: str) -> None:
    sink = _FirstRefused()
    keys: dict[str, Any] = {
        "group_id": group,
        "traces": {"topics": (topic,)},
        "message_marking": {"on_error": True},
        "error_backoff": {"enabled": True, "initial_interval": 0.05, "max_interval": 0.05, "max_elapsed_time": 0.06},
        "max_join_bytes": 0,
    }
    await kafka.write(topic, trace(1), trace(2))
    async with receiving(kafka.bootstrap, sink, **keys) as (receiver, _):
        await sink.wait_for(1)
        assert numbers(sink) == [2]
        await _until_committed(kafka, group, topic, 2)
        labels = {"component": "kafka", "reason": "expired"}
        lost = receiver.host.meter.registry.collector.get_sample_value("penstock_receiver_lost_records_total", labels)
        assert lost == 1


async def test_a_poison_record_goes_to_the_dead_letter_topic(kafka: Traffic, topic: str, group: str) -> None:
    letters = await kafka.make(own_name("letters"))
    keys: dict[str, Any] = {"group_id": group, "traces": {"topics": (topic,)}, "dead_letter": {"topic": letters}}
    await kafka.write(topic, trace(1))
    await kafka.write(topic, b"\x0a\xff no request", key=b"k", headers=[("tenant", b"a")])
    await kafka.write(topic, trace(2))
    async with receiving(kafka.bootstrap, **keys) as (_, sink):
        await sink.wait_for(2)
        assert numbers(sink) == [1, 2]
        await _until_committed(kafka, group, topic, 3)
    (record,) = await kafka.read(letters, 1)
    letter = read_headers(record.headers)
    assert (record.key, record.value, record.headers[0]) == (b"k", b"\x0a\xff no request", ("tenant", b"a"))
    assert letter is not None
    assert (letter.reason, letter.topic, letter.partition, letter.offset) == ("undecodable", topic, 0, 1)
    assert (letter.attempt, letter.signal, letter.encoding, letter.component) == (1, "traces", "otlp_proto", "kafka")


async def test_a_poison_record_without_a_dead_letter_topic_is_counted(
    kafka: Traffic, topic: str, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    await kafka.write(topic, b"secret", trace(1))
    async with receiving(kafka.bootstrap, group_id=group, traces={"topics": (topic,)}) as (receiver, sink):
        await sink.wait_for(1)
        await _until_committed(kafka, group, topic, 2)
        labels = {"component": "kafka", "reason": "undecodable"}
        lost = receiver.host.meter.registry.collector.get_sample_value("penstock_receiver_lost_records_total", labels)
        assert lost == 1
    (line,) = [record for record in caplog.records if "Passing it over" in record.message]
    assert line.__dict__["fields"]["offset"] == 0
    assert "secret" not in str(line.__dict__["fields"])


async def test_of_a_rejected_batch_the_culprit_stands_alone(kafka: Traffic, topic: str, group: str) -> None:
    class Picky(CollectingSink):
        async def consume(self, batch: Batch) -> None:
            if any(record.attributes["n"] == 2 for record in batch.records()):
                raise Rejected("too large", code=Code.RESOURCE_EXHAUSTED)
            await super().consume(batch)

    letters = await kafka.make(own_name("letters"))
    keys: dict[str, Any] = {"group_id": group, "traces": {"topics": (topic,)}, "dead_letter": {"topic": letters}}
    await kafka.write(topic, trace(1), trace(2), trace(3))
    async with receiving(kafka.bootstrap, Picky(), **keys) as (_, sink):
        await sink.wait_for(2)
        assert numbers(sink) == [1, 3]
        await _until_committed(kafka, group, topic, 3)
    (record,) = await kafka.read(letters, 1)
    letter = read_headers(record.headers)
    assert record.value == trace(2)
    assert letter is not None
    assert letter.reason == "too_large"


async def test_what_the_backend_rejects_goes_to_the_dead_letter_topic(kafka: Traffic, topic: str, group: str) -> None:
    letters = await kafka.make(own_name("letters"))
    sink = OpenSink()
    keys: dict[str, Any] = {"group_id": group, "traces": {"topics": (topic,)}, "dead_letter": {"topic": letters}}
    async with receiving(kafka.bootstrap, sink, **keys):
        await kafka.write(topic, trace(1))
        await sink.wait_for(1)
        sink.batches[0].delivery.end(Outcome.FAILED, Rejected("never"))
        await _until_committed(kafka, group, topic, 1)
    (record,) = await kafka.read(letters, 1)
    assert record.value == trace(1)


async def test_headers_are_metadata_and_keep_batches_apart(kafka: Traffic, topic: str, group: str) -> None:
    keys: dict[str, Any] = {
        "group_id": group,
        "traces": {"topics": (topic,)},
        "header_extraction": {"extract_headers": True, "headers": ("Tenant", "absent")},
    }
    await kafka.write(topic, trace(1), headers=[("Tenant", b"a")])
    await kafka.write(topic, trace(2), headers=[("Tenant", b"b"), ("Tenant", b"c")])
    await kafka.write(topic, trace(3), headers=[("Tenant", b"a")])
    async with receiving(kafka.bootstrap, **keys) as (_, sink):
        await sink.wait_for(3)
        found = {
            record.attributes["n"]: (batch.context.metadata["tenant"], record.scope.resource.attributes)
            for batch in sink.batches
            for record in batch.records()
        }
        assert {number: metadata for number, (metadata, _) in found.items()} == {1: ("a",), 2: ("b", "c"), 3: ("a",)}
        assert [found[n][1]["kafka.header.Tenant"] for n in (1, 2, 3)] == ["a", "b", "a"]
        assert sink.batches[0].context.lookup("metadata.kafka.topic") == topic
        assert sink.batches[0].context.lookup("metadata.kafka.partition") == "0"
        assert sink.batches[0].context.lookup("metadata.kafka.offset") == "0"


async def test_topics_of_every_signal_in_one_group(kafka: Traffic, group: str) -> None:
    stem = own_name("t")
    names = {signal: await kafka.make(f"{stem}-{signal.value}") for signal in Signal}
    await kafka.write(names[Signal.TRACES], trace(1))
    await kafka.write(names[Signal.LOGS], b"a line")
    await kafka.write(names[Signal.METRICS], b'{"resourceMetrics": []}', b'{"resourceMetrics": [{"scopeMetrics": []}]}')
    sinks = {signal: CollectingSink() for signal in Signal}
    config = KafkaReceiver.Config(
        brokers=(kafka.bootstrap,),
        group_id=group,
        traces={"topic": names[Signal.TRACES]},
        logs={"topics": (names[Signal.LOGS],), "encoding": "text"},
        metrics={"topics": (names[Signal.METRICS],), "encoding": "otlp_json"},
        **BRISK,
    )
    receiver = KafkaReceiver(config, host_of())
    receiver.connect(sinks)
    await receiver.start()
    try:
        await sinks[Signal.TRACES].wait_for(1)
        await sinks[Signal.LOGS].wait_for(1)
        assert sinks[Signal.LOGS].records()[0].body == "a line"  # type: ignore[attr-defined]  # a log record

        async def committed() -> bool:
            return (await kafka.committed(group)).get((names[Signal.METRICS], 0)) == 2

        await until(committed)
    finally:
        await receiver.stop()


async def test_regex_topics(kafka: Traffic, group: str) -> None:
    stem = own_name("re")
    await kafka.make(f"{stem}.a")
    await kafka.make(f"{stem}.no.b")
    keys: dict[str, Any] = {
        "group_id": group,
        "traces": {"topics": (rf"^{stem}\.",), "exclude_topics": (r"\.no\.",)},
        "metadata": {"refresh_interval": 0.3},
    }
    async with receiving(kafka.bootstrap, **keys) as (_, sink):
        await kafka.write(f"{stem}.a", trace(1))
        await kafka.write(f"{stem}.no.b", trace(2))
        await sink.wait_for(1)
        await kafka.make(f"{stem}.new")
        await kafka.write(f"{stem}.new", trace(3))
        await sink.wait_for(2)
        assert numbers(sink) == [1, 3]
        await _until_committed(kafka, group, f"{stem}.new", 1)


async def test_a_topic_that_comes_later(
    kafka: Traffic, group: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "_LOOK_AGAIN_S", 0.2)
    topic = own_name("later")
    topics = (topic, f"^{topic}-[0-9]")
    async with receiving(kafka.bootstrap, group_id=group, traces={"topics": topics}) as (_, sink):
        await until(lambda: any(line.message.startswith("Topics do not exist") for line in caplog.records))
        (line,) = (line for line in caplog.records if line.message.startswith("Topics do not exist"))
        assert line.fields["topics"] == f"^{topic}-[0-9], {topic}"  # type: ignore[attr-defined]  # set by Log
        await kafka.make(topic)
        await kafka.write(topic, trace(1))
        await sink.wait_for(1)


async def test_what_is_new_is_read_from_its_beginning(
    kafka: Traffic, topic: str, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`latest` passes over what was written before we came, not what is written until a partition is discovered."""
    monkeypatch.setattr(consumer, "_LOOK_AGAIN_S", 0.2)
    later = own_name("later")
    keys: dict[str, Any] = {"group_id": group, "traces": {"topics": (topic, later)}, "initial_offset": "latest"}
    await kafka.write(topic, trace(0))
    async with receiving(kafka.bootstrap, metadata={"refresh_interval": 0.5}, **keys) as (receiver, sink):
        await until(lambda: receiver._assignment.partitions)
        await kafka.make(later)
        await kafka.write(later, trace(1))
        await sink.wait_for(1)
        await kafka.widen(topic, 2)
        await until(lambda: _is_led(kafka, topic, 1))
        await kafka.write(topic, trace(2), partition=1)
        await sink.wait_for(2)
        assert sorted(numbers(sink)) == [1, 2]


async def _is_led(kafka: Traffic, topic: str, partition: int) -> bool:
    await kafka.producer.client.force_metadata_update()
    return partition in (kafka.producer.client.cluster.partitions_for_topic(topic) or ())


async def test_no_more_is_read_than_may_be_held(kafka: Traffic, topic: str, group: str) -> None:
    sink = OpenSink()
    keys: dict[str, Any] = {
        "group_id": group,
        "traces": {"topics": (topic,)},
        "max_unresolved_bytes": 20_000,
        "max_partition_fetch_size": 1,
        "max_join_bytes": 0,
    }
    values = [trace(number) + b"\x92\x3f\x88\x27" + bytes(5000) for number in range(20)]
    for value in values:
        await kafka.write(topic, value)
    async with receiving(kafka.bootstrap, sink, **keys) as (receiver, _):
        await until(lambda: len(sink.batches) >= 4)
        held = receiver._in_flight.used_bytes
        assert held <= 30_000
        ended = 0
        while ended < 20:
            await until(partial(_has_more, sink, ended))
            sink.batches[ended].delivery.end(Outcome.DELIVERED)
            ended += 1
        await _until_committed(kafka, group, topic, 20)
        assert receiver._in_flight.used_bytes == 0


async def test_small_amounts_wait_for_more(kafka: Traffic, topic: str, group: str) -> None:
    keys: dict[str, Any] = {
        "group_id": group,
        "traces": {"topics": (topic,)},
        "min_fetch_size": 50_000,
        "max_fetch_wait": 1.5,
        "max_join_bytes": 0,
    }
    async with receiving(kafka.bootstrap, **keys) as (_, sink):
        await kafka.write(topic, trace(1))
        await sink.wait_for(1)
        # The fetch that begins now ends with enough data, or after 1.5 s.
        await kafka.write(topic, trace(2))
        began = time.monotonic()
        await sink.wait_for(2)
        waited_s = time.monotonic() - began
        await kafka.write(topic, *(trace(number) + b"\xfa\x3f\x88\x27" + bytes(5000) for number in range(20)))
        await sink.wait_for(22)
    assert waited_s > 0.5, "the broker had less than min_fetch_size"


async def test_commits_have_their_interval(kafka: Traffic, topic: str, group: str) -> None:
    keys: dict[str, Any] = {"group_id": group, "traces": {"topics": (topic,)}, "autocommit": {"interval": 3600.0}}
    async with receiving(kafka.bootstrap, **keys) as (receiver, sink):
        await _until_committed(kafka, group, topic, 0)
        await kafka.write(topic, trace(1))
        await _until_committed(kafka, group, topic, 1)
        await kafka.write(topic, trace(2))
        await sink.wait_for(2)
        await until(lambda: receiver._assignment.to_commit() != {})
        await asyncio.sleep(0.5)
        assert await kafka.committed(group) == {(topic, 0): 1}
    assert await kafka.committed(group) == {(topic, 0): 2}, "the end commits in any case"
