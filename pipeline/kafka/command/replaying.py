"""`penstock dead-letter replay`: value, key and original headers go back to where they came from."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.component import Host
from pipeline.errors import DeliveryError, Refused, Rejected
from pipeline.kafka.command.listing import lines, tell_others
from pipeline.kafka.command.source import Found, Source
from pipeline.kafka.dead_letters import replay_headers
from pipeline.kafka.producer import OutRecord, Producer, ProducerSettings
from pipeline.kafka.producer.settings import LARGEST_BYTES

_MOST_RECORDS: Final = 500
_MOST_BYTES: Final = 16 << 20
_PAUSE_S: Final = 1.0
_MOST_TOLD: Final = 20
_HOMELESS: Final = Rejected("no topic of origin; name one with --to")


async def replay_letters(
    options: argparse.Namespace, arguments: dict[str, Any], topics: Sequence[str], host: Host
) -> int:
    """Write dead letters back; exit code 1 where some had to be left."""
    async with Source(arguments, topics, options.group) as source:
        if options.dry_run:
            return await _rehearse(options, source)
        async with _producer(arguments, host) as producer:
            work = Replay(source, producer, to=options.to, skip=options.skip)
            done = await work.run(reason=options.reason, limit=options.limit)
        tell_others(source)
    _tell(done)
    return 1 if done.stopped else 0


async def _rehearse(options: argparse.Namespace, source: Source) -> int:
    count = 0
    async for found in source.read(reason=options.reason):
        sys.stdout.writelines(lines(found, as_json=False, payload=False))
        count += 1
        if count == options.limit:
            break
    tell_others(source)
    sys.stdout.write(f"{count} records would be replayed\n")
    return 0


@asynccontextmanager
async def _producer(arguments: dict[str, Any], host: Host) -> AsyncIterator[Producer]:
    settings = ProducerSettings(max_message_bytes=LARGEST_BYTES, compression="zstd", linger=0.0)
    producer = Producer(arguments, settings, host)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()
        await host.tasks.stop()


def _tell(done: Replayed) -> None:
    out = sys.stdout.write
    for (topic, reason), count in sorted(done.records.items()):
        out(f"{count} records replayed to {topic} ({reason})\n")
    if not done.records:
        out("nothing replayed\n")
    for what, places in (("passed over", done.passed_over), ("left, with what is behind it,", done.stopped)):
        for place in places[:_MOST_TOLD]:
            sys.stderr.write(f"{what} {place}\n")
        if len(places) > _MOST_TOLD:
            sys.stderr.write(f"{what} {len(places) - _MOST_TOLD} more\n")


@dataclass(slots=True)
class Replayed:
    """What a replay did."""

    records: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many went to a topic, by topic and reason."""
    passed_over: list[str] = field(default_factory=list)
    """Places of those that cannot go, and why."""
    stopped: list[str] = field(default_factory=list)
    """The same, of those that a later replay begins with."""


class Replay:
    """Writes value, key and original headers of dead letters to their topics of origin, acknowledged by all replicas.

    Args:
        source: the dead letters.
        producer: writes them.
        to: a topic for all of them in place of their own.
        skip: whether those that cannot go are passed over; else a partition ends at the first.
        patience_s: how long brokers are waited for.
    """

    def __init__(
        self, source: Source, producer: Producer, *, to: str = "", skip: bool = False, patience_s: float = 60.0
    ) -> None:
        """Nothing is read yet."""
        self._source = source
        self._producer = producer
        self._to = to
        self._skip = skip
        self._patience_s = patience_s
        self._reason: str | None = None
        self._ended: set[Any] = set()
        self.done = Replayed()

    async def run(self, *, reason: str | None = None, limit: int = 0) -> Replayed:
        """Replay what is not replayed yet, of a reason or of all, `limit` records at the most (0: all)."""
        self._reason = reason
        waiting: list[Found] = []
        left, size_bytes = limit, 0
        async for found in self._source.read(reason=reason):
            if found.partition in self._ended:
                continue
            if not self._skip and not self._topic_of(found):
                # Known before anything behind it is written, which would then be written twice.
                self._stop_at(found, _HOMELESS)
                continue
            waiting.append(found)
            size_bytes += len(found.record.value or b"")
            left -= 1
            if left == 0:
                break
            if len(waiting) >= _MOST_RECORDS or size_bytes > _MOST_BYTES:
                await self._flush(waiting)
                waiting, size_bytes = [], 0
        await self._flush(waiting)
        return self.done

    async def _flush(self, letters: Sequence[Found]) -> None:
        """Write, and remember how far that went."""
        errors = await self._write(letters)
        failed: set[Any] = set()
        for found, error in zip(letters, errors, strict=True):
            if found.partition in failed:
                continue
            if error is None:
                self.done.records[self._topic_of(found), found.letter.reason] += 1
            elif self._skip and isinstance(error, Rejected):
                self.done.passed_over.append(f"{found.place}: {error}")
            else:
                self._stop_at(found, error)
                failed.add(found.partition)
                continue
            self._source.progress[found.partition].advance(found.record.offset, self._reason)
        await self._source.commit()

    def _stop_at(self, found: Found, error: DeliveryError) -> None:
        self.done.stopped.append(f"{found.place}: {error}")
        self._ended.add(found.partition)

    async def _write(self, letters: Sequence[Found]) -> list[DeliveryError | None]:
        errors: list[DeliveryError | None] = [Refused("not tried yet")] * len(letters)
        end_s = asyncio.get_running_loop().time() + self._patience_s
        while True:
            numbers = [number for number, error in enumerate(errors) if isinstance(error, Refused)]
            for number, error in zip(numbers, await self._attempt([letters[n] for n in numbers]), strict=True):
                errors[number] = error
            if asyncio.get_running_loop().time() > end_s or not any(isinstance(error, Refused) for error in errors):
                return errors
            await asyncio.sleep(_PAUSE_S)

    async def _attempt(self, letters: Sequence[Found]) -> list[DeliveryError | None]:
        written = iter(await self._producer.send([self._record(found) for found in letters if self._topic_of(found)]))
        return [next(written) if self._topic_of(found) else _HOMELESS for found in letters]

    def _topic_of(self, found: Found) -> str:
        return self._to or found.letter.topic

    def _record(self, found: Found) -> OutRecord:
        record, letter = found.record, found.letter
        headers = tuple(replay_headers(record.headers, letter))
        # At home in its partition, next to the records of its key; elsewhere by its key.
        partition = None if self._to else letter.partition
        return OutRecord(self._topic_of(found), record.value, record.key, headers, partition)
