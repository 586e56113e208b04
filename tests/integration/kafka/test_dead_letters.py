"""From a topic to a backend that rejects a span, to the dead letters, and back once the backend takes it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import grpc
import pytest
import yaml
from aiokafka.errors import GroupCoordinatorNotAvailableError

from pipeline.config import load
from pipeline.kafka.command.dead_letter import dead_letter
from pipeline.service import Service
from tests.integration.kafka.running import trace, until
from tests.servers.kafka.traffic import own_name, traffic
from tests.servers.ledger import Sink, span_ids
from tests.servers.processes import free_ports

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.kafka.broker import Broker
    from tests.servers.kafka.traffic import Traffic

pytestmark = pytest.mark.server


def configuration(bootstrap: str, spans: str, dead: str, group: str, backend: int) -> dict[str, Any]:
    brokers = [bootstrap]
    brisk = {"autocommit": {"interval": "100ms"}, "session_timeout": "6s", "heartbeat_interval": "500ms"}
    return {
        "receivers": {
            "kafka": {
                "brokers": brokers, "group_id": group, "initial_offset": "earliest",
                "traces": {"topics": [spans]}, **brisk,
            }
        },
        "exporters": {
            "otlp_grpc": {
                "endpoint": f"127.0.0.1:{backend}", "tls": {"insecure": True}, "dead_letter": "kafka/dead",
                "retry_on_failure": {"initial_interval": "50ms"},
            },
            "kafka/dead": {"brokers": brokers, "traces": {"topic": dead}},
        },
        "service": {
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {"traces": {"receivers": ["kafka"], "exporters": ["otlp_grpc"]}},
        },
    }  # fmt: skip


class Picky(Sink):
    """A backend that rejects a request with a span of `poison` in it."""

    poison: frozenset[int] = frozenset()

    def _take(self, body: bytes, context: grpc.ServicerContext) -> bytes:
        if self.poison.intersection(span_ids(body)):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "poison")
        return super()._take(body, context)


async def command(capsys: pytest.CaptureFixture[str], action: str, *arguments: str) -> str:
    assert await asyncio.to_thread(dead_letter, [action, *arguments]) == 0
    return capsys.readouterr().out


async def test_a_span_that_was_rejected_is_replayed_and_arrives(
    kafka_broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (port,) = free_ports(1)
    file = tmp_path / "config.yaml"
    backend = Picky(port)
    backend.up()
    async with traffic(kafka_broker.bootstrap) as kafka:
        spans, dead, group = await kafka.make(own_name("spans")), await kafka.make(own_name("dead")), own_name("group")
        file.write_text(yaml.safe_dump(configuration(kafka_broker.bootstrap, spans, dead, group, port)))
        where = ("--config", str(file), "--group", own_name("replay"))
        first, second = trace(1, 2, 3), trace(4)
        everything = {*span_ids(first), *span_ids(second)}
        culprit = span_ids(first)[1]
        backend.poison = frozenset({culprit})
        service = Service(load([str(file)]))
        await service.start()
        try:
            await kafka.write(spans, first, second, headers=[("tenant", b"a")])
            await until(lambda: committed(kafka, group, spans, 2))
            assert set(backend.arrived) == everything - {culprit}

            (told,) = map(json.loads, (await command(capsys, "list", *where, "--json")).splitlines())
            assert (told["reason"], told["component"], told["attempt"]) == ("rejected", "otlp_grpc", 1)
            assert told["origin"] == {"topic": spans, "partition": 0, "offset": 0}

            assert f"1 records replayed to {spans} (rejected)" in await command(capsys, "replay", *where)
            await until(lambda: committed(kafka, group, spans, 3))
            again = [json.loads(line) for line in (await command(capsys, "list", *where, "--json")).splitlines()]
            assert [(told["attempt"], told["replayed"]) for told in again] == [(1, True), (2, False)]

            backend.poison = frozenset()
            await command(capsys, "replay", *where)
            await until(lambda: culprit in backend.arrived)
            assert set(backend.arrived) == everything
        finally:
            await service.stop()
            backend.down()


async def committed(kafka: Traffic, group: str, topic: str, offset: int) -> bool:
    try:
        return (await kafka.committed(group)).get((topic, 0)) == offset
    except GroupCoordinatorNotAvailableError:
        return False  # a new broker needs a moment
