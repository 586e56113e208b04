"""Records pass between Penstock and the real Collector in both directions: values, keys, headers and partitions."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from google.protobuf.message import Message

from pipeline.clock import SystemClock
from pipeline.exporters.kafka import KafkaExporter
from pipeline.kafka.encodings import decoder
from pipeline.receivers.kafka import KafkaReceiver
from pipeline.registry import Kind
from pipeline.signals import NO_CONTEXT, Batch, Context, Request, Signal
from pipeline.testing import CollectingSink, log_request, make_host, metric_request, trace_request
from tests.servers.backend import Backend, otlp_backend
from tests.servers.collectors import otelcol
from tests.servers.kafka import broker as broker_module
from tests.servers.kafka.traffic import own_name, traffic
from tests.servers.processes import free_ports

if TYPE_CHECKING:
    from tests.servers.kafka.broker import Broker

pytestmark = pytest.mark.server

PARTITIONS: Final = 8
EXTRACTION: Final = {"extract_headers": True, "headers": ["x-tenant", "not-there"]}
METADATA: Final = {"x-tenant": "acme"}
VALUES: Final[dict[str, Any]] = {
    "text": "東京 \U0001f600 <&>",
    "int": -(2**63),
    "double": 1e-7,
    "bool": True,
    "list": ["a", 1, [2.5]],
    "map": {"bytes": b"\xff\x00", "empty": None},
}


def _requests() -> dict[Signal, Request]:
    """Two resources a signal; several traces in each, some of them in both."""
    traces: Any = Signal.TRACES.request_class()
    logs: Any = Signal.LOGS.request_class()
    metrics: Any = Signal.METRICS.request_class()
    for service in ("shop", "bank"):
        resource = {"service.name": service, "n": 7, **({"zone": "東"} if service == "bank" else {})}
        traces.MergeFrom(trace_request(VALUES, *({"n": n} for n in range(20)), resource=resource))
        records = log_request("plain", VALUES, 1.5, b"\xff\x00", attributes={"a": [1]}, resource=resource)
        for number, record in enumerate(records.resource_logs[0].scope_logs[0].log_records):
            record.trace_id = (number // 2).to_bytes(16, "big") if number > 1 else b""
        logs.MergeFrom(records)
        metrics.MergeFrom(metric_request({"m": [0.1, -2], "k": [3]}, resource=resource))
    return {Signal.TRACES: traces, Signal.LOGS: logs, Signal.METRICS: metrics}


SENT: Final = _requests()


@dataclass(frozen=True)
class Way:
    """One way to write a signal: the same keys for the Collector's exporter and ours."""

    name: str
    signal: Signal
    encoding: str = "otlp_proto"
    keys: dict[str, Any] = field(default_factory=dict)

    def config(self, topic: str) -> dict[str, Any]:
        """Keys of the exporter, brokers aside."""
        return {self.signal.value: {"topic": topic, "encoding": self.encoding}, **self.keys}


OTLP: Final = [
    Way(f"{signal}_{encoding}", signal, encoding) for signal in Signal for encoding in ("otlp_proto", "otlp_json")
]
COMPRESSED: Final = [
    Way(name, Signal.TRACES, keys={"producer": {"compression": name}}) for name in ("gzip", "snappy", "lz4", "zstd")
]
KEYED: Final = [
    Way("by_trace", Signal.TRACES, keys={"partition_traces_by_id": True}),
    Way("by_trace_json", Signal.TRACES, "otlp_json", {"partition_traces_by_id": True}),
    Way("metrics_by_resource", Signal.METRICS, keys={"partition_metrics_by_resource_attributes": True}),
    Way("logs_by_resource", Signal.LOGS, keys={"partition_logs_by_resource_attributes": True}),
    Way("logs_by_trace", Signal.LOGS, keys={"partition_logs_by_trace_id": True}),
    Way("by_attribute", Signal.TRACES, keys={"topic_from_attribute": "not.there"}),
    Way("headers", Signal.TRACES, keys={"include_metadata_keys": ["x-tenant"]}),
]
RAW: Final = Way("raw", Signal.LOGS, "raw")
WAYS: Final = [*OTLP, *COMPRESSED, *KEYED, RAW]


def pruned(message: Message) -> Message:
    """Without messages that are set but empty: the Collector writes those that it holds by value in any case."""
    copy = type(message).FromString(message.SerializeToString())
    _prune(copy)
    return copy


def _prune(message: Message) -> None:
    for found, value in message.ListFields():
        if found.message_type is not None:
            for item in value if found.is_repeated else [value]:
                _prune(item)
            if not found.is_repeated and found.containing_oneof is None and not value.ByteSize():
                message.ClearField(found.name)


def merged(signal: Signal, values: list[Request]) -> dict[str, list[str]]:
    """The records of requests by their resource, in any order, so that other cuts of the same data are equal."""
    found: dict[str, list[str]] = {}
    groups, scopes, items = {
        Signal.TRACES: ("resource_spans", "scope_spans", "spans"),
        Signal.LOGS: ("resource_logs", "scope_logs", "log_records"),
        Signal.METRICS: ("resource_metrics", "scope_metrics", "metrics"),
    }[signal]
    for value in values:
        for group in getattr(pruned(value), groups):
            resource = found.setdefault(str(group.resource), [])
            resource += [str(item) for scope in getattr(group, scopes) for item in getattr(scope, items)]
    return {resource: sorted(records) for resource, records in found.items()}


@contextlib.contextmanager
def collector_writing(broker: Broker, folder: Path, topics: dict[str, Way]) -> Iterator[int]:
    """A Collector that writes what it is sent to each topic; the value is its OTLP/HTTP port."""
    (port,) = free_ports(1)
    http = {"endpoint": f"127.0.0.1:{port}", "include_metadata": True}
    pipelines: dict[str, Any] = {}
    exporters: dict[str, Any] = {}
    for topic, way in topics.items():
        shared = {"brokers": [broker.bootstrap], "sending_queue": {"enabled": False}}
        exporters[f"kafka/{topic}"] = {**shared, **way.config(topic)}
        pipelines[f"{way.signal}/{topic}"] = {"receivers": ["otlp"], "exporters": [f"kafka/{topic}"]}
    config = {
        "receivers": {"otlp": {"protocols": {"http": http}}},
        "exporters": exporters,
        "service": {"pipelines": pipelines},
    }
    with otelcol(config, folder, ports=[port]):
        yield port


def post(port: int, signal: Signal) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/{signal}",
        data=SENT[signal].SerializeToString(),
        headers={"content-type": "application/x-protobuf", **METADATA},
    )
    with urllib.request.urlopen(request, timeout=20):
        """Answered behind the brokers' acknowledgement: there is no queue."""


@contextlib.asynccontextmanager
async def our_exporter(broker: Broker, **keys: Any) -> AsyncIterator[KafkaExporter]:
    host = make_host("kafka", kind=Kind.EXPORTER, clock=SystemClock())
    exporter = KafkaExporter(KafkaExporter.Config.model_validate({"brokers": [broker.bootstrap], **keys}), host)
    await exporter.start()
    try:
        yield exporter
    finally:
        await exporter.stop()


def batch_of(signal: Signal) -> Batch:
    metadata = {name: (value,) for name, value in METADATA.items()}
    copy = signal.request_class.FromString(SENT[signal].SerializeToString())
    return Batch.of_message(copy, signal, Context(metadata=metadata))


@dataclass(frozen=True)
class Topics:
    """Where each way was written to, by the Collector and by us."""

    theirs: dict[str, str]
    ours: dict[str, str]


@pytest.fixture(scope="module")
def topics(kafka_broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Topics:
    stem = own_name("interop")
    made = Topics({way.name: f"{stem}-theirs-{way.name}" for way in WAYS}, {w.name: f"{stem}-{w.name}" for w in WAYS})
    asyncio.run(_make(kafka_broker, [*made.theirs.values(), *made.ours.values()]))
    by_topic = {made.theirs[way.name]: way for way in WAYS}
    with collector_writing(kafka_broker, tmp_path_factory.mktemp("collector"), by_topic) as port:
        for signal in Signal:
            post(port, signal)
    asyncio.run(_write(kafka_broker, made))
    return made


async def _make(broker: Broker, names: list[str]) -> None:
    async with traffic(broker.bootstrap) as kafka:
        for name in names:
            await kafka.make(name, PARTITIONS)


async def _write(broker: Broker, made: Topics) -> None:
    for way in WAYS:
        async with our_exporter(broker, **way.config(made.ours[way.name])) as exporter:
            await exporter.export(batch_of(way.signal))


async def records(broker: Broker, topic: str) -> list[Any]:
    """All records of a topic."""
    from aiokafka import AIOKafkaConsumer, TopicPartition

    places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign(places)
        count = sum((await consumer.end_offsets(places)).values())
        return [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()


def placed(way: Way, found: list[Any]) -> dict[tuple[Any, ...], dict[str, list[str]]]:
    """What other readers see: partition where a key decides it, key and headers, with the data that came with them.

    The Collector writes a trace of two resources as two records, we as one.
    """
    decode = decoder(way.signal, way.encoding)
    requests: dict[tuple[Any, ...], list[Request]] = {}
    for record in found:
        place = record.partition if record.key else -1, record.key or b"", tuple(record.headers)
        requests.setdefault(place, []).append(decode(record.value, NO_CONTEXT).message)
    return {place: merged(way.signal, values) for place, values in requests.items()}


async def read_by_us(broker: Broker, signal: Signal, count: int, topic: str, **keys: Any) -> list[Request]:
    """What our receiver makes of a topic, until `count` items have come."""
    given = {"brokers": [broker.bootstrap], "initial_offset": "earliest", "group_id": own_name("ours"), **keys}
    config = KafkaReceiver.Config.model_validate({**given, signal.value: {"topics": [topic], **keys[signal.value]}})
    receiver = KafkaReceiver(config, make_host("kafka", kind=Kind.RECEIVER, clock=SystemClock()))
    sink = CollectingSink()
    receiver.connect({signal: sink})
    await receiver.start()
    try:
        await sink.wait_for(count, 60)
    finally:
        await receiver.stop()
    return [batch.message for batch in sink.batches]


@pytest.mark.parametrize("way", [*OTLP, *COMPRESSED, *KEYED], ids=lambda way: way.name)
async def test_we_read_what_the_collector_writes(kafka_broker: Broker, topics: Topics, way: Way) -> None:
    count, block = batch_of(way.signal).count, {way.signal.value: {"encoding": way.encoding}}
    read = await read_by_us(kafka_broker, way.signal, count, topics.theirs[way.name], **block)
    assert merged(way.signal, read) == merged(way.signal, [SENT[way.signal]])


async def test_headers_become_the_same_attributes(kafka_broker: Broker, topics: Topics, tmp_path: Path) -> None:
    signal, topic = Signal.TRACES, topics.theirs["headers"]
    keys = {"traces": {}, "header_extraction": EXTRACTION}
    ours = await read_by_us(kafka_broker, signal, batch_of(signal).count, topic, **keys)
    with collector_reading(kafka_broker, tmp_path, {"traces/1": {"topics": [topic]}}) as backend:
        (theirs,) = backend.wait("traces", lambda bodies: len(bodies) == 1, 60)
    assert merged(signal, ours) == merged(signal, [signal.request_class.FromString(theirs)])
    assert "kafka.header.x-tenant" in str(ours)


@pytest.mark.parametrize("way", [*OTLP, *COMPRESSED, *KEYED], ids=lambda way: way.name)
async def test_records_are_the_same(kafka_broker: Broker, topics: Topics, way: Way) -> None:
    theirs = await records(kafka_broker, topics.theirs[way.name])
    ours = await records(kafka_broker, topics.ours[way.name])
    assert placed(way, ours) == placed(way, theirs)
    assert ours


async def test_murmur2_is_that_of_the_java_client(kafka_broker: Broker) -> None:
    topic = own_name("murmur")
    async with traffic(kafka_broker.bootstrap) as kafka:
        await kafka.make(topic, PARTITIONS)
    partitioner = {"record_partitioner": {"sticky_key": {"hasher": "murmur2"}}}
    keys = {"partition_traces_by_id": True, "traces": {"topic": topic}, **partitioner}
    async with our_exporter(kafka_broker, **keys) as exporter:
        await exporter.export(batch_of(Signal.TRACES))
    found = {record.key: record.partition for record in await records(kafka_broker, topic)}
    assert len(set(found.values())) > 1
    assert found == dict(zip(found, java_partitions(list(found)), strict=True))


def java_partitions(keys: list[bytes]) -> list[int]:
    """Where Kafka's own producer would put records with these keys."""
    program = Path(broker_module.__file__).with_name("Partitions.java")
    done = subprocess.run(
        ["java", "-cp", f"{broker_module.require_jars()}/*", program, str(PARTITIONS)],
        input="".join(f"{key.hex()}\n" for key in keys),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [int(line) for line in done.stdout.split()]


async def test_raw_bodies_are_the_same(kafka_broker: Broker, topics: Topics) -> None:
    theirs = await records(kafka_broker, topics.theirs["raw"])
    ours = await records(kafka_broker, topics.ours["raw"])
    assert sorted(record.value for record in ours) == sorted(record.value for record in theirs)
    assert len(ours) == 8


@contextlib.contextmanager
def collector_reading(broker: Broker, folder: Path, blocks: dict[str, dict[str, Any]]) -> Iterator[Backend]:
    """A Collector with a kafka receiver for each of `blocks`, in front of a backend."""
    receivers, pipelines = {}, {}
    for number, (name, block) in enumerate(blocks.items()):
        signal = name.partition("/")[0]
        receivers[f"kafka/{number}"] = {
            "brokers": [broker.bootstrap],
            "group_id": own_name("theirs"),
            "initial_offset": "earliest",
            "header_extraction": EXTRACTION,
            signal: block,
        }
        pipelines[f"{signal}/{number}"] = {"receivers": [f"kafka/{number}"], "exporters": ["otlp"]}
    with otlp_backend() as backend:
        endpoint = f"127.0.0.1:{backend.grpc_port}"
        out = {"endpoint": endpoint, "tls": {"insecure": True}, "sending_queue": {"enabled": False}}
        config = {"receivers": receivers, "exporters": {"otlp": out}, "service": {"pipelines": pipelines}}
        with otelcol(config, folder, ports=[]):
            yield backend


@pytest.mark.parametrize("signal", Signal)
def test_the_collector_reads_what_we_write(
    kafka_broker: Broker, topics: Topics, tmp_path: Path, signal: Signal
) -> None:
    ways = [way for way in (*OTLP, *COMPRESSED, *KEYED) if way.signal is signal and way.name != "headers"]
    blocks = {f"{signal}/{way.name}": {"topics": [topics.ours[way.name]], "encoding": way.encoding} for way in ways}
    count = batch_of(signal).count

    def parsed(bodies: list[bytes]) -> list[Request]:
        return [signal.request_class.FromString(body) for body in bodies]

    def enough(bodies: list[bytes]) -> bool:
        return sum(decoder(signal, "otlp_proto")(body, NO_CONTEXT).count for body in bodies) >= count * len(ways)

    with collector_reading(kafka_broker, tmp_path, blocks) as backend:
        bodies = backend.wait(signal.value, enough, 60)
    assert merged(signal, parsed(bodies)) == merged(signal, [SENT[signal]] * len(ways))


LINES: Final[dict[str, list[bytes]]] = {
    "raw": [b"plain", b"\xff\x00\xfe", b'{"a": 1}', b" "],
    "text": [b"plain", "東京 \U0001f600".encode(), b"line\n\ttab", b"\xef\xbb\xbfmark"],
    "text_shift_jis": ["日本語".encode("shift_jis"), b"ascii"],
    "text_utf-16": ["日本".encode("utf-16-le"), "\ufeffmark".encode("utf-16-le")],
    "text_windows-1252": [b"\x80\xe9"],
    "json": [
        b'{"a": 1, "b": -2.5, "big": 12345678901234567890, "e": 1e3}',
        b'{"nested": {"list": [1, "x", null, true, {"k": []}]}, "s": "\\u6771\\ud83d\\ude00"}',
        b"{}",
        b'{"twice": 1, "twice": 2}',
        b"null",
    ],
}


async def test_line_like_records_mean_the_same(kafka_broker: Broker, tmp_path: Path) -> None:
    blocks, expected = {}, []
    async with traffic(kafka_broker.bootstrap) as kafka:
        for number, (encoding, values) in enumerate(LINES.items()):
            topic = await kafka.make(own_name("lines"))
            await kafka.write(topic, *values)
            blocks[f"logs/{number}"] = {"topics": [topic], "encoding": encoding}
            decode = decoder(Signal.LOGS, encoding)
            expected += [(encoding, _body(decode(value, NO_CONTEXT).message)) for value in values]
    with collector_reading(kafka_broker, tmp_path, blocks) as backend:
        bodies = backend.wait("logs", lambda found: len(found) >= len(expected), 60)
    theirs = sorted(_body(Signal.LOGS.request_class.FromString(body)) for body in bodies)
    assert theirs == sorted(body for _, body in expected)


def _body(message: Any) -> str:
    """The one log record of a request, with the keys of maps in order and whether it has an observed time."""
    (record,) = message.resource_logs[0].scope_logs[0].log_records
    record.body.kvlist_value.values.sort(key=lambda pair: pair.key) if record.body.HasField("kvlist_value") else None
    return f"{record.body} observed={bool(record.observed_time_unix_nano)}"
