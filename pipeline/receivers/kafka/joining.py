"""From records to batches: records with equal headers become one batch, whose cost is mostly that of one record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline.kafka.encodings import Decoder
from pipeline.kafka.record import Headers, Record
from pipeline.signals import Batch, Context, Request, Signal, intake

# Tag of the only field of an export request: number 1, length-delimited. It is the same for all three signals.
_GROUP_TAG: Final = 0x0A
# What a record weighs in memory beside its value.
_RECORD_BYTES: Final = 500
_GROUPS: Final = {Signal.TRACES: "resource_spans", Signal.METRICS: "resource_metrics", Signal.LOGS: "resource_logs"}
# What takes more than some ms to decode.
_MUCH_PROTOBUF_BYTES: Final = 4 << 20
_MUCH_TEXT_BYTES: Final = 256 << 10
_ATTRIBUTE: Final = "kafka.header."


def weight_of(record: Record) -> int:
    """Bytes that a record holds in memory, about."""
    size_bytes = len(record.value or b"") + len(record.key or b"") + _RECORD_BYTES
    for name, value in record.headers:
        size_bytes += len(name) + len(value or b"")
    return size_bytes


def windows(records: Sequence[Record], max_bytes: int) -> Iterator[Sequence[Record]]:
    """Neighbours of at most `max_bytes` together (0: each alone); a larger record stands alone."""
    start = size = 0
    for index, record in enumerate(records):
        added = len(record.value or b"")
        if index > start and (not max_bytes or size + added > max_bytes):
            yield records[start:index]
            start, size = index, 0
        size += added
    if start < len(records):
        yield records[start:]


def by_headers(records: Sequence[Record]) -> list[list[Record]]:
    """Records that hold something, those with equal headers together, each group in order."""
    groups: dict[Any, list[Record]] = {}
    for record in records:
        if record.value:
            groups.setdefault(tuple(record.headers), []).append(record)
    return list(groups.values())


def is_whole(raw: bytes) -> bool:
    """Whether a serialised request ends where its last field ends, so that it may stand before another one.

    Of a record that was cut short the last field would swallow what is joined behind it.
    """
    position, size = 0, len(raw)
    try:
        while position < size:
            if raw[position] != _GROUP_TAG:
                return False
            length = raw[position + 1]
            position += 2
            if length >= 0x80:
                length &= 0x7F
                shift = 7
                while True:
                    byte = raw[position]
                    position += 1
                    length |= (byte & 0x7F) << shift
                    if byte < 0x80:
                        break
                    shift += 7
            position += length
    except IndexError:
        return False
    return position == size


@dataclass(frozen=True, slots=True)
class Assembler:
    """Makes batches of the records of one topic.

    Attributes:
        signal: what the topic holds.
        decode: what reads its encoding.
        joins_bytes: whether values can be joined before they are read (`otlp_proto`).
        receiver: id of the receiver, for the context.
        attribute_headers: names of headers that become resource attributes.
    """

    signal: Signal
    decode: Decoder
    joins_bytes: bool
    receiver: str
    attribute_headers: tuple[str, ...] = ()

    def is_slow(self, records: Sequence[Record]) -> bool:
        """Whether decoding takes so long that others should have the loop meanwhile."""
        size_bytes = sum(len(record.value or b"") for record in records)
        return size_bytes > (_MUCH_PROTOBUF_BYTES if self.joins_bytes else _MUCH_TEXT_BYTES)

    def batch(self, records: Sequence[Record]) -> Batch:
        """One batch of records with equal headers. Raises Rejected when one of them cannot be decoded."""
        context = self._context(records[0])
        if len(records) == 1:
            batch = self.decode(records[0].value or b"", context)
        elif self.joins_bytes and all(is_whole(record.value or b"") for record in records):
            batch = self.decode(b"".join([record.value or b"" for record in records]), context)
        else:
            batch = Batch.join([self.decode(record.value or b"", context) for record in records])
        if self.attribute_headers:
            batch = self._marked(batch, records[0].headers)
        return batch

    def _context(self, record: Record) -> Context:
        metadata: dict[str, tuple[str, ...]] = {
            "kafka.topic": (record.topic,),
            "kafka.partition": (str(record.partition),),
            "kafka.offset": (str(record.offset),),
        }
        for name, value in record.headers:
            key = name.lower()
            metadata[key] = (*metadata.get(key, ()), (value or b"").decode(errors="replace"))
        return Context(self.receiver, "kafka", metadata=metadata)

    def _marked(self, batch: Batch, headers: Headers) -> Batch:
        found: dict[str, str] = {}
        for name, value in headers:
            if name in self.attribute_headers:
                found.setdefault(_ATTRIBUTE + name, (value or b"").decode(errors="replace"))
        if not found:
            return batch
        mark(batch.message, self.signal, found)
        return intake.of_message(self.signal, batch.message, batch.context)


def mark(request: Request, signal: Signal, attributes: Mapping[str, str]) -> None:
    """Put attributes on every resource of a request, in place of those of the same name."""
    for group in getattr(request, _GROUPS[signal]):
        pairs = group.resource.attributes
        for index in range(len(pairs) - 1, -1, -1):
            if pairs[index].key in attributes:
                del pairs[index]
        for key, text in attributes.items():
            pairs.add(key=key).value.string_value = text
