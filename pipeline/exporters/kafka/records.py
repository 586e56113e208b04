"""Which records a batch becomes: by topic, by key, by encoding, none over the size limit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Final

from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from pipeline.dead_letter import PREFIX
from pipeline.exporters.kafka.config import SIGNAL_HEADER, KafkaExporterConfig
from pipeline.exporters.kafka.resource_hash import resource_key
from pipeline.kafka.encodings import encoder
from pipeline.kafka.producer import OutRecord, too_large
from pipeline.kafka.producer.record_batch import HEADER_BYTES, Headers
from pipeline.signals import Batch, Content, Context, Signal, wire
from pipeline.signals.grouping import by_resource, by_trace

_OTLP: Final = ("otlp_proto", "otlp_json")

Keyed = Iterable[tuple[bytes | None, bytes]]
"""Keys of records, and the serialised requests that become them."""


class RecordMaker:
    """Makes records of the batches of one signal.

    Attributes:
        is_proto: whether records are serialised requests.
    """

    def __init__(self, config: KafkaExporterConfig, signal: Signal) -> None:
        """Read the keys that concern `signal`."""
        keys = config.keys_of(signal)
        self._signal = signal
        self._producer = config.producer
        self._topic = keys.topic
        self._topic_key = keys.topic_from_metadata_key.lower()
        self._message_key = keys.message_key_from_metadata_key.lower()
        self._topic_of = _topic_finder(config.topic_from_attribute) if config.topic_from_attribute else None
        self._divide = _divider(config, signal)
        self.is_proto = keys.encoding == "otlp_proto"
        self._is_otlp = keys.encoding in _OTLP
        self._encode = encoder(signal, keys.encoding)
        self._metadata_keys = tuple((name, name.lower()) for name in config.include_metadata_keys)
        fixed = [(name, value.encode()) for name, value in config.record_headers.items()]
        if config.signal_header:
            fixed.append((SIGNAL_HEADER, signal.value.encode()))
        self._fixed_headers = tuple(fixed)

    def make(self, batch: Batch) -> list[OutRecord]:
        """The records of a batch, in its order.

        Raises:
            Rejected: an item is larger than a record may be; nothing of the batch must be sent then (`divisible`).
        """
        context = batch.context
        headers = self._headers(context)
        key = _first(context, self._message_key)
        records = []
        for topic, raw in self._by_topic(context, batch.serialize()):
            divided = [(key.encode() if key else None, raw)] if self._divide is None else self._divide(raw)
            for record_key, part in divided:
                overhead = OutRecord(topic, b"", record_key, headers).size_bytes + HEADER_BYTES
                limit = self._producer.max_message_bytes - overhead
                values = self._values(batch if part is raw else None, part, limit)
                records += [OutRecord(topic, value, record_key, headers) for value in values]
        return records

    def _by_topic(self, context: Context, raw: bytes) -> Iterable[tuple[str, bytes]]:
        topic = _first(context, self._topic_key)
        if topic or self._topic_of is None:
            return [(topic or self._topic, raw)]
        groups = by_resource(raw, self._topic_of)
        if len(groups) == 1:
            return [(groups[0].key.decode() or self._topic, raw)]
        return [(group.key.decode() or self._topic, group.raw) for group in groups]

    def _headers(self, context: Context) -> Headers:
        metadata = context.metadata
        found = [(name, value.encode()) for name, key in self._metadata_keys for value in metadata.get(key, ())]
        found += [(key, value.encode()) for key in metadata if key.startswith(PREFIX) for value in metadata[key]]
        return (*self._fixed_headers, *found) if found else self._fixed_headers

    def _values(self, batch: Batch | None, raw: bytes, limit: int) -> Iterator[bytes]:
        if self.is_proto:
            if len(raw) <= limit:
                yield raw
                return
            for piece, _ in wire.split(self._signal, raw, max_bytes=max(limit, 1)):
                yield self._checked(piece, limit)
            return
        values = self._encode(batch or self._batch_of(raw))
        if not self._is_otlp or len(values[0]) <= limit:
            for value in values:
                yield self._checked(value, limit)
            return
        yield from self._halves(raw, limit)

    def _halves(self, raw: bytes, limit: int) -> Iterator[bytes]:
        """What is too large only once it is encoded, cut by items until it fits."""
        count = sum(count for _, count in wire.split(self._signal, raw))
        if count <= 1:
            raise too_large(self._producer)
        for piece, _ in wire.split(self._signal, raw, max_items=(count + 1) // 2):
            yield from self._values(None, piece, limit)

    def _checked(self, value: bytes, limit: int) -> bytes:
        if len(value) > limit:
            raise too_large(self._producer)
        return value

    def _batch_of(self, raw: bytes) -> Batch:
        # Encoders do not look at the number of items, and to count them would cost a walk.
        return Batch(Content(self._signal, 1, raw=raw))


def _first(context: Context, key: str) -> str:
    values = context.metadata.get(key) if key else None
    return values[0] if values else ""


def _topic_finder(attribute: str) -> Callable[[bytes], bytes]:
    @lru_cache(maxsize=4096)
    def topic_of(resource: bytes) -> bytes:
        for pair in Resource.FromString(resource).attributes:
            if pair.key == attribute:
                return pair.value.string_value.encode()
        return b""

    return topic_of


def _divider(config: KafkaExporterConfig, signal: Signal) -> Callable[[bytes], Keyed] | None:
    if getattr(config, f"partition_{signal.value}_by_resource_attributes"):
        return _resources
    if signal is Signal.TRACES and config.partition_traces_by_id:
        return lambda raw: [(group.key.hex().encode(), group.raw) for group in by_trace(signal, raw)]
    if signal is Signal.LOGS and config.partition_logs_by_trace_id:
        return lambda raw: [(group.key.hex().encode() or None, group.raw) for group in by_trace(signal, raw)]
    return None


def _resources(raw: bytes) -> Keyed:
    return by_resource(raw, resource_key)
