"""`penstock dead-letter`: look into dead-letter topics of Kafka, and send what is there on its way again."""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from pipeline.arguments import Parser, add_config
from pipeline.component import Extension, Host
from pipeline.config import ComponentId, load
from pipeline.dead_letter import Reason
from pipeline.errors import PenstockError
from pipeline.kafka.dead_letter_clients import Cluster, cluster_at, cluster_of
from pipeline.kafka.dead_letter_source import Found, Source
from pipeline.kafka.settings import client_arguments
from pipeline.telemetry.log import Log
from pipeline.telemetry.meter import Meter, MetricsRegistry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.config.settings import ComponentSettings
    from pipeline.kafka.dead_letter_replay import Replayed
    from pipeline.kafka.producer import Producer

_GROUP: Final = "penstock-dead-letter-replay"
# What was read can be written, whatever the limit of other producers is; the broker has the last word.
_LARGEST_BYTES: Final = 100 << 20
_MOST_TOLD: Final = 20


def dead_letter(argv: Sequence[str]) -> int:
    """Look into dead-letter topics of Kafka, and write what is there back to where it came from.

    Exit code 1 when a replay had to leave something.
    """
    options = _parser().parse_args(argv)
    if options.action is None:
        raise PenstockError("say what to do: penstock dead-letter list, or penstock dead-letter replay")
    return asyncio.run(_act(options, _cluster(options)))


async def _act(options: argparse.Namespace, cluster: Cluster) -> int:
    action = _list if options.action == "list" else _replay
    host = _host("dead_letter")
    async with _running(cluster.extensions) as host.extensions:
        return await action(options, client_arguments(cluster.client, host), cluster.topics, host)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="penstock dead-letter", description=dead_letter.__doc__, allow_abbrev=False)
    actions = parser.add_subparsers(dest="action", metavar="list|replay")
    listing = _action(actions, "list", "print the dead letters: where, when, why; not what is in them")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.add_argument("--payload", action="store_true", help="print key, value and headers, too")
    listing.add_argument("--waiting", action="store_true", help="only what was not replayed yet")
    replay = _action(actions, "replay", "write value, key and original headers back; what was replayed is remembered")
    replay.add_argument("--to", metavar="TOPIC", default="", help="a topic for all in place of the topic of origin")
    replay.add_argument("--dry-run", action="store_true", help="print what would be replayed, and write nothing")
    replay.add_argument(
        "--skip", action="store_true",
        help="pass over what cannot be written; without it its partition is left as it is from there on",
    )  # fmt: skip
    return parser


def _action(actions: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=text, description=text, allow_abbrev=False)
    add_config(parser)
    parser.add_argument("--component", metavar="ID", help="the Kafka receiver or exporter of the configuration to use")
    parser.add_argument("--brokers", metavar="HOST:PORT,...", help="in place of a configuration; needs --topic")
    parser.add_argument(
        "--topic", action="append", default=[], metavar="TOPIC", help="dead-letter topic; the component's own if absent"
    )
    parser.add_argument("--reason", choices=[str(reason) for reason in Reason], help="only these")
    parser.add_argument("--limit", type=_count, default=0, metavar="N", help="at the most so many")
    parser.add_argument("--group", default=_GROUP, help=f"consumer group that remembers ({_GROUP})")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'"{text}" is no count; write 1 or more')
    return int(text)


def _cluster(options: argparse.Namespace) -> Cluster:
    if options.brokers:
        if options.config or options.component:
            raise PenstockError("--brokers stands in place of --config and --component")
        return cluster_at(options.brokers.split(","), options.topic)
    if not options.config:
        raise PenstockError("say where: --config FILE, or --brokers HOST:PORT with --topic TOPIC")
    return cluster_of(load(options.config, options.sets), options.component, options.topic)


def _host(component_id: str) -> Host:
    """A host for a component outside of a service."""
    log = logging.getLogger("penstock.dead_letter")
    return Host(id=ComponentId.parse(component_id), log=Log(log), meter=Meter(MetricsRegistry(), {}))


@asynccontextmanager
async def _running(extensions: Sequence[ComponentSettings]) -> AsyncIterator[dict[ComponentId, Extension]]:
    """The extensions that give tokens, as a service would have them."""
    made: dict[ComponentId, Extension] = {each.id: each.cls(each.config, _host(str(each.id))) for each in extensions}
    try:
        for extension in made.values():
            await extension.start()
        yield made
    finally:
        for extension in made.values():
            await extension.stop()


# List -----------------------------------------------------------------------------------------------------------------


async def _list(options: argparse.Namespace, arguments: dict[str, Any], topics: Sequence[str], _host: Host) -> int:
    left = options.limit
    async with Source(arguments, topics, options.group) as source:
        async for found in source.read(reason=options.reason, replayed=not options.waiting):
            sys.stdout.writelines(_lines(found, as_json=options.json, payload=options.payload))
            left -= 1
            if left == 0:
                break
        _tell_others(source)
    return 0


def _tell_others(source: Source) -> None:
    if source.others:
        sys.stderr.write(f"{source.others} records in between are no dead letters\n")


def _lines(found: Found, *, as_json: bool, payload: bool) -> Iterator[str]:
    if as_json:
        yield json.dumps(_as_dict(found, payload=payload), ensure_ascii=False) + "\n"
        return
    record, letter = found.record, found.letter
    origin = f"from {letter.topic}/{letter.partition}@{letter.offset}" if letter.topic else "from outside"
    told = [
        found.place, _time(found), letter.reason, letter.component, origin, f"attempt {letter.attempt}",
        f"{len(record.value or b'')} bytes", *(["replayed"] if found.is_replayed else []), letter.error,
    ]  # fmt: skip
    yield "\t".join(_printable(text) for text in told) + "\n"
    if payload:
        yield f"\tkey {record.key!r}\n"
        yield from (f"\theader {_printable(name)}={value!r}\n" for name, value in record.headers)
        yield f"\tvalue {record.value!r}\n"


def _printable(text: str) -> str:
    """One line that no terminal takes for more than text."""
    return "".join(char if char.isprintable() else " " for char in text)


def _time(found: Found) -> str:
    milliseconds = found.letter.time_unix_ms if found.letter.time_unix_ms is not None else found.record.timestamp
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return "-"
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _as_dict(found: Found, *, payload: bool) -> dict[str, Any]:
    record, letter = found.record, found.letter
    told = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "time": _time(found),
        "reason": letter.reason,
        "error": letter.error,
        "component": letter.component,
        "signal": letter.signal,
        "encoding": letter.encoding,
        "attempt": letter.attempt,
        "origin": {"topic": letter.topic, "partition": letter.partition, "offset": letter.offset},
        "size_bytes": len(record.value or b""),
        "replayed": found.is_replayed,
    }
    if payload:
        told["key_base64"] = _base64(record.key)
        told["value_base64"] = _base64(record.value)
        told["headers"] = [{"name": name, "value_base64": _base64(value)} for name, value in record.headers]
    return told


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


# Replay ---------------------------------------------------------------------------------------------------------------


async def _replay(options: argparse.Namespace, arguments: dict[str, Any], topics: Sequence[str], host: Host) -> int:
    from pipeline.kafka.dead_letter_replay import Replay  # noqa: PLC0415 - needs aiokafka

    async with Source(arguments, topics, options.group) as source:
        if options.dry_run:
            return await _rehearse(options, source)
        async with _producer(arguments, host) as producer:
            replay = Replay(source, producer, to=options.to, skip=options.skip)
            done = await replay.run(reason=options.reason, limit=options.limit)
        _tell_others(source)
    _tell(done)
    return 1 if done.stopped else 0


async def _rehearse(options: argparse.Namespace, source: Source) -> int:
    count = 0
    async for found in source.read(reason=options.reason):
        sys.stdout.writelines(_lines(found, as_json=False, payload=False))
        count += 1
        if count == options.limit:
            break
    _tell_others(source)
    sys.stdout.write(f"{count} records would be replayed\n")
    return 0


@asynccontextmanager
async def _producer(arguments: dict[str, Any], host: Host) -> AsyncIterator[Producer]:
    from pipeline.kafka.producer import Producer, ProducerSettings  # noqa: PLC0415 - needs aiokafka

    settings = ProducerSettings(
        max_message_bytes=_LARGEST_BYTES, max_broker_write_bytes=_LARGEST_BYTES, compression="zstd", linger=0.0
    )
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
