"""`penstock dead-letter`: look into dead-letter topics of Kafka, and send what is there on its way again."""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from pipeline.arguments import Parser, add_config
from pipeline.component import Extension, Host
from pipeline.config import ComponentId, load
from pipeline.dead_letter import Reason
from pipeline.errors import PenstockError
from pipeline.kafka.command.configured import Cluster, cluster_at, cluster_of
from pipeline.kafka.command.listing import list_letters
from pipeline.kafka.command.replaying import replay_letters
from pipeline.kafka.settings import client_arguments
from pipeline.telemetry.log import Log
from pipeline.telemetry.meter import Meter, MetricsRegistry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.config.settings import ComponentSettings

_GROUP: Final = "penstock-dead-letter-replay"


def dead_letter(argv: Sequence[str]) -> int:
    """Look into dead-letter topics of Kafka, and write what is there back to where it came from.

    Exit code 1 when a replay had to leave something.
    """
    options = _parser().parse_args(argv)
    if options.action is None:
        raise PenstockError("say what to do: penstock dead-letter list, or penstock dead-letter replay")
    return asyncio.run(_act(options, _cluster(options)))


async def _act(options: argparse.Namespace, cluster: Cluster) -> int:
    action = list_letters if options.action == "list" else replay_letters
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
