"""Decisions in a Kafka topic: what one worker decides, all know, so that a trace has one fate wherever its spans come.

A worker that dies leaves traces behind of which some spans were decided and committed, and some come again to its
successor. Rules that only ever keep more when they see more decide those alike; others (upper bounds, `not`, `drop`,
budgets that have moved on) need to be told. So a decision is written here before its trace leaves and before the
handles of its spans end, and a trace is decided only by who has read all that others had decided when it began.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from pipeline.component import Host
from pipeline.errors import Refused, Rejected
from pipeline.kafka.journal import Journal
from pipeline.kafka.settings import client_arguments
from pipeline.signals import Delivery, Outcome
from pipeline.signals.delivery import end_all
from processors.tail_sampling.decision_topic_config import DecisionTopicConfig
from processors.tail_sampling.decisions import Fate
from processors.tail_sampling.policy import Decision

_MAGIC: Final = b"PSD1"
_WRITER_BYTES: Final = 8
_HEAD: Final = struct.Struct(">4s8sHI")
_ENTRY: Final = struct.Struct(">16sB")
_KEPT: Final = struct.Struct(">HQQ")
_NAME: Final = struct.Struct(">H")
_ID_BYTES: Final = 16
_IS_KEPT, _IS_EARLY = 1, 2
_NONE: Final = 2**64 - 1
_INTERVAL_S: Final = 0.1
_LAST_WRITE_S: Final = 2.0
# Read and adopted in some 5 ms.
_MAX_ENTRIES: Final = 4000


class Entry(NamedTuple):
    """What became of a trace."""

    trace_id: bytes
    fate: Fate


def encode(writer: bytes, entries: Sequence[Entry]) -> bytes:
    """A record: names of rules once, then 17 bytes a dropped trace and 35 a kept one."""
    rules = list(dict.fromkeys(fate.decision.rule for _, fate in entries if fate.decision.kept))
    numbers = {rule: number for number, rule in enumerate(rules)}
    parts = [_HEAD.pack(_MAGIC, writer, len(rules), len(entries))]
    for rule in rules:
        name = rule.encode()
        parts += [_NAME.pack(len(name)), name]
    for trace_id, (decision, session, is_early) in entries:
        parts.append(_ENTRY.pack(trace_id, decision.kept * _IS_KEPT | is_early * _IS_EARLY))
        if decision.kept:
            parts.append(_KEPT.pack(numbers[decision.rule], _packed(decision.threshold), _packed(session)))
    return b"".join(parts)


def decode(record: bytes) -> tuple[bytes, list[Entry]]:
    """Who has written a record, and its entries. Raises ValueError for what is no such record."""
    try:
        magic, writer, rules, count = _HEAD.unpack_from(record)
        if magic != _MAGIC:
            raise ValueError("no record of decisions")
        return writer, list(_entries(record, rules, count))
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError("no record of decisions") from error


def _entries(record: bytes, rules: int, count: int) -> Iterator[Entry]:
    position, names = _HEAD.size, []
    for _ in range(rules):
        (size,) = _NAME.unpack_from(record, position)
        position += _NAME.size
        names.append(record[position : position + size].decode())
        position += size
    for _ in range(count):
        trace_id, flags = _ENTRY.unpack_from(record, position)
        position += _ENTRY.size
        decision, session = Decision(kept=False), None
        if flags & _IS_KEPT:
            rule, threshold, found = _KEPT.unpack_from(record, position)
            position += _KEPT.size
            decision, session = Decision(kept=True, rule=names[rule], threshold=_unpacked(threshold)), _unpacked(found)
        yield Entry(trace_id, Fate(decision, session, is_early=bool(flags & _IS_EARLY)))


def _packed(number: int | None) -> int:
    return _NONE if number is None else number


def _unpacked(number: int) -> int | None:
    return None if number == _NONE else number


class DecisionTopic:
    """Writes decisions to the topic, many in one record, and hands on those of others."""

    def __init__(self, config: DecisionTopicConfig, host: Host, on_fate: Callable[[bytes, Fate], None]) -> None:
        """`on_fate(trace_id, fate)` is told what others have decided."""
        self._config = config
        self._host = host
        self._on_fate = on_fate
        self._writer = secrets.token_bytes(_WRITER_BYTES)
        self._journal = Journal(config.topic, host, self._read)
        self._entries: list[Entry] = []
        self._deliveries: list[Delivery] = []
        self._writing: list[Delivery] = []
        self._added = self._done = 0
        self._wake = asyncio.Event()
        self._progress = asyncio.Condition()
        self._unreadable = host.meter.counter(
            "penstock_sampling_decision_topic_unreadable", "Records of the decision topic that are none."
        )

    async def start(self) -> None:
        """Begin to read and write; brokers that are away come later.

        Raises:
            StartError: as `client_arguments`.
        """
        await self._journal.start(client_arguments(self._config, self._host))
        self._host.tasks.spawn(self._write, "write decisions")

    async def stop(self) -> None:
        """Write what was decided, within moments, and close; the spans of what is not written come again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WRITE_S):
                await self.written(self.mark)
        await self._journal.stop()
        left, self._writing, self._deliveries = [*self._writing, *self._deliveries], [], []
        end_all(left, Outcome.FAILED, Refused("shut down before the decision was written"))

    def add(self, trace_id: bytes, fate: Fate, deliveries: Sequence[Delivery]) -> None:
        """Write a decision; the deliveries get parts that end when it is written."""
        if len(trace_id) != _ID_BYTES:
            return
        self._entries.append(Entry(trace_id, fate))
        self._deliveries += [delivery.fork() for delivery in deliveries]
        self._added += 1
        self._wake.set()

    def covers(self, since_s: float) -> bool:
        """Whether all is known that others had decided at this time (monotonic)."""
        return self._journal.caught_up_s >= since_s

    @property
    def mark(self) -> int:
        """What was added so far."""
        return self._added

    async def written(self, mark: int) -> None:
        """Wait until all that was added before this mark is written."""
        async with self._progress:
            await self._progress.wait_for(lambda: self._done >= mark)

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            await self._host.clock.sleep(_INTERVAL_S)
            self._wake.clear()
            entries, self._entries = self._entries, []
            self._writing, self._deliveries = self._deliveries, []
            try:
                await self._write_all(entries)
            except Refused:
                # It was stopped, which ends what is left.
                return
            written, self._writing = self._writing, []
            end_all(written, Outcome.DROPPED)
            async with self._progress:
                self._done += len(entries)
                self._progress.notify_all()

    async def _write_all(self, entries: Sequence[Entry]) -> None:
        chunks = [entries[start : start + _MAX_ENTRIES] for start in range(0, len(entries), _MAX_ENTRIES)]
        try:
            await self._journal.write([encode(self._writer, chunk) for chunk in chunks])
        except Rejected as error:
            # Better a fate that only this worker knows than a partition that stands still for ever.
            self._host.log.error("Decisions cannot be written.", error=str(error), decisions=len(entries))

    def _read(self, record: bytes) -> None:
        try:
            writer, entries = decode(record)
        except ValueError:
            self._unreadable.inc()
            return
        if writer != self._writer:
            for trace_id, fate in entries:
                self._on_fate(trace_id, fate)
