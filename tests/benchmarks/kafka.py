"""CPU time per span with Kafka on one side, beside the real Collector: spans in traces of five, one record a trace."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.benchmarks.end_to_end import COLLECTORS, cpu_s
from tests.benchmarks.load import send
from tests.benchmarks.payloads import TEXT, requests
from tests.benchmarks.sink import Sink
from tests.servers.kafka.broker import Broker, broker, find_jars
from tests.servers.processes import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.servers.processes import Server

SPANS_A_TRACE = 5
SPANS_A_REQUEST = 100
REQUESTS = 300
_TRACES_A_REQUEST = SPANS_A_REQUEST // SPANS_A_TRACE
_PARTITIONS = 4
_WARM_UP = 100
_STALLED_S = 60.0
IN, OUT = "OTLP -> Kafka", "Kafka -> OTLP"
SHARES = {IN: 0.6, OUT: 0.8}
"""What we may need of the Collector's CPU time."""
MOST_US = {IN: 32.0, OUT: 16.0}
"""The same shares of what the Collector needed when they were set: 54 and 20."""
_SIZES = ((SPANS_A_REQUEST, 100), (SPANS_A_TRACE, 1000))


@dataclass(frozen=True, slots=True)
class Load:
    """The spans of a measurement, as requests and as the records of single traces."""

    bodies: list[bytes]
    records: list[bytes]

    @classmethod
    def make(cls) -> Load:
        """Spans of 3.6 KB."""
        made = [requests(TEXT, spans=n, count=c, spans_a_trace=SPANS_A_TRACE) for n, c in _SIZES]
        return cls(*made)


def run(collectors: Sequence[str], rounds: int) -> dict[str, dict[str, float]]:
    """Microseconds of CPU per span by direction and collector; nothing where there is no Kafka."""
    if find_jars() is None:
        return {}
    load = Load.make()
    with tempfile.TemporaryDirectory() as folder, broker(Path(folder)) as running:
        return {
            case: {name: measure(name, running, load, rounds) for name in collectors}
            for case, measure in ((IN, into_kafka), (OUT, from_kafka))
        }


def into_kafka(collector: str, running: Broker, load: Load, rounds: int) -> float:
    """Microseconds of CPU per span from OTLP/gRPC into a topic, one zstd-compressed record for each trace."""
    topic = _topic(running, f"in-{collector}")
    (port,) = free_ports(1)
    exporter = {
        "brokers": [running.bootstrap],
        "traces": {"topic": topic},
        "partition_traces_by_id": True,
        "producer": {"compression": "zstd", "required_acks": -1},
        "sending_queue": {"queue_size": 64, "block_on_overflow": True},
    }
    with _collector(collector, {"otlp": _otlp_in(port)}, {"kafka": exporter}, [port]) as server:
        _into(running, topic, port, load, _WARM_UP)
        return _median(server, rounds, lambda: _into(running, topic, port, load, REQUESTS))


def _into(running: Broker, topic: str, port: int, load: Load, count: int) -> None:
    goal = _records_in(running, topic) + count * _TRACES_A_REQUEST
    send("grpc", port, load.bodies, count)
    _wait_for(lambda: _records_in(running, topic), goal)


def from_kafka(collector: str, running: Broker, load: Load, rounds: int) -> float:
    """Microseconds of CPU per span from a topic of records of one trace each to an OTLP/gRPC backend."""
    topic = _topic(running, f"out-{collector}")
    receiver = {
        "brokers": [running.bootstrap],
        "traces": {"topics": [topic]},
        "initial_offset": "earliest",
        "group_id": f"bench-{collector}",
    }
    with Sink() as sink:
        exporter = {
            "endpoint": f"127.0.0.1:{sink.port}",
            "tls": {"insecure": True},
            "compression": "none",
            "sending_queue": {"queue_size": 64, "block_on_overflow": True},
        }
        with _collector(collector, {"kafka": receiver}, {"otlp": exporter}, []) as server:
            _from(running, topic, sink, load, _WARM_UP)
            return _median(server, rounds, lambda: _from(running, topic, sink, load, REQUESTS))


def _from(running: Broker, topic: str, sink: Sink, load: Load, count: int) -> None:
    goal = sink.spans() + count * SPANS_A_REQUEST
    asyncio.run(_produce(running, topic, load.records, count * _TRACES_A_REQUEST))
    sink.wait_for(goal)


async def _produce(running: Broker, topic: str, records: Sequence[bytes], count: int) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=running.bootstrap, compression_type="zstd", max_batch_size=1_000_000, linger_ms=10
    )
    async with producer:
        sent = [await producer.send(topic, records[n % len(records)], key=b"%d" % n) for n in range(count)]
        await asyncio.gather(*sent)


def _median(server: Server, rounds: int, work: Callable[[], None]) -> float:
    needed = []
    for _ in range(rounds):
        before = cpu_s(server.pid)
        work()
        needed.append((cpu_s(server.pid) - before) * 1e6 / (REQUESTS * SPANS_A_REQUEST))
    return statistics.median(needed)


@contextmanager
def _collector(
    name: str, receivers: dict[str, Any], exporters: dict[str, Any], ports: Sequence[int]
) -> Iterator[Server]:
    pipeline = {"receivers": list(receivers), "exporters": list(exporters)}
    config = {"receivers": receivers, "exporters": exporters, "service": {"pipelines": {"traces": pipeline}}}
    with tempfile.TemporaryDirectory() as folder, COLLECTORS[name](config, Path(folder), ports=ports) as server:
        yield server


def _otlp_in(port: int) -> dict[str, Any]:
    return {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{port}", "max_recv_msg_size_mib": 64}}}


def _topic(running: Broker, name: str) -> str:
    async def create() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=running.bootstrap)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(name, _PARTITIONS, 1)])
        finally:
            await admin.close()

    asyncio.run(create())
    return name


def _records_in(running: Broker, topic: str) -> int:
    async def ask() -> int:
        async with AIOKafkaConsumer(bootstrap_servers=running.bootstrap) as consumer:
            ends = await consumer.end_offsets([TopicPartition(topic, number) for number in range(_PARTITIONS)])
            return sum(ends.values())

    return asyncio.run(ask())


def _wait_for(seen: Callable[[], int], goal: int) -> None:
    last, since = -1, time.monotonic()
    while (now := seen()) < goal:
        if now != last:
            last, since = now, time.monotonic()
        if time.monotonic() - since > _STALLED_S:
            raise TimeoutError(f"{now} of {goal} records arrived")
        time.sleep(0.05)
