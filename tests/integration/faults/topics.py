"""The test's own ends of a Kafka topic: a writer that knows what the broker has acknowledged, a reader that counts."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.benchmarks.payloads import Shape, requests
from tests.integration.faults.ledger import Handed
from tests.integration.faults.load import MOST_SPANS
from tests.servers.ledger import new_request, span_ids

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

_PATIENCE_MS = 120_000
"""A broker that was killed is back within this time."""


def create_topic(bootstrap: str, topic: str, partitions: int = 4) -> None:
    """Create a topic."""
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    async def create() -> None:
        client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await client.start()
        try:
            await client.create_topics([NewTopic(topic, partitions, 1)])
        finally:
            await client.close()

    asyncio.run(create())


Maker = Callable[[int], tuple[bytes, list[int]]]
"""Makes a request of so many new spans; with their ids."""


_plain: Maker = partial(new_request, text_bytes=500)


def genuine(shape: Shape) -> Maker:
    """Requests of spans as LLM instrumentations write them, 5 a trace."""
    bodies = requests(shape, spans=100, count=20, spans_a_trace=5)
    messages = itertools.cycle([ExportTraceServiceRequest.FromString(body) for body in bodies])

    def make(spans: int) -> tuple[bytes, list[int]]:
        _, ids = new_request(spans, 0)
        request = ExportTraceServiceRequest()
        request.CopyFrom(next(messages))
        kept = request.resource_spans[0].scope_spans[0].spans
        del kept[spans:]
        for number, span in zip(ids, kept, strict=True):
            span.span_id = number.to_bytes(8, "big")
            span.trace_id = (number // 5).to_bytes(16, "big")
        return request.SerializeToString(), ids

    return make


class _Worker(ABC):
    """Runs `_main` on an event loop in a thread of its own until it is told to stop."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))

    @abstractmethod
    async def _main(self) -> None: ...

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; returns when everything under way is done."""
        self._stopping.set()
        self._thread.join()


Kind = TypeVar("Kind", bound=_Worker)


class TopicWriter(_Worker):
    """Writes trace requests of all sizes to a topic, each span once; acknowledged is what the broker has taken."""

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        *,
        seed: int,
        spans_per_s: float = 2000,
        make: Maker = _plain,
        spans: int = 0,
        pause: Callable[[], bool] = lambda: False,
    ) -> None:
        """`spans`: stop by itself after so many, 0: go on until stopped; nothing is written while `pause()`."""
        super().__init__()
        self.sent: set[int] = set()
        self.acknowledged: set[int] = set()
        self._bootstrap = bootstrap
        self._topic = topic
        self._rng = random.Random(seed)
        self._per_s = spans_per_s
        self._make = make
        self._left = spans or 1 << 62
        self._pause = pause

    def join(self) -> None:
        """Wait until all spans are written."""
        self._thread.join()

    async def _main(self) -> None:
        from aiokafka import AIOKafkaProducer

        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            enable_idempotence=True,
            request_timeout_ms=_PATIENCE_MS,
            max_request_size=8 << 20,
        )
        await producer.start()
        try:
            await self._write(producer)
        finally:
            await producer.stop()

    async def _write(self, producer: AIOKafkaProducer) -> None:
        due = time.monotonic()
        while self._left > 0 and not self._stopping.is_set():
            if self._pause():
                await asyncio.sleep(0.01)
                continue
            spans = min(self._rng.randint(1, MOST_SPANS), self._left)
            self._left -= spans
            body, ids = self._make(spans)
            self.sent.update(ids)
            future = await producer.send(self._topic, body)
            future.add_done_callback(lambda done, ids=ids: self._answered(done, ids))
            due = max(due, time.monotonic() - 1) + spans / self._per_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _answered(self, done: asyncio.Future[Any], ids: list[int]) -> None:
        if not done.cancelled() and done.exception() is None:
            self.acknowledged.update(ids)


class TopicReader(_Worker):
    """Counts the spans of every record of a topic from its beginning; a request is handed over when it is written."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        """For an existing topic."""
        super().__init__()
        self.arrived: Counter[int] = Counter()
        self.handed: list[Handed] = []
        self._bootstrap = bootstrap
        self._topic = topic
        self._clock_offset_s = time.monotonic() - time.time()

    async def _main(self) -> None:
        from aiokafka import AIOKafkaConsumer

        consumer = AIOKafkaConsumer(
            self._topic,
            bootstrap_servers=self._bootstrap,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_partition_fetch_bytes=8 << 20,
        )
        await consumer.start()
        try:
            await self._read(consumer)
        finally:
            await consumer.stop()

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        while not self._stopping.is_set():
            for records in (await consumer.getmany(timeout_ms=100)).values():
                for record in records:
                    self._count(record.value, record.timestamp / 1000 + self._clock_offset_s)

    def _count(self, value: bytes, written_at: float) -> None:
        ids = span_ids(value)
        self.arrived.update(ids)
        self.handed.append(Handed(ids, written_at, written_at, taken=True))


@contextlib.contextmanager
def at_work(worker: Kind) -> Iterator[Kind]:
    """Start it now, stop it in the end."""
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()
