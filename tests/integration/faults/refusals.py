"""Backends that are away, refuse, and reject; a stop in the middle of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from tests.integration.faults.backend import Backend, backend
from tests.integration.faults.bench import (
    Bench,
    Ports,
    Result,
    configuration,
    kafka_in,
    otlp_in,
    otlp_out,
)
from tests.integration.faults.from_topic import from_topic
from tests.integration.faults.kills import COMMIT_SETTLE_S
from tests.integration.faults.ledger import Ledger
from tests.integration.faults.load import load
from tests.integration.faults.system import System, until
from tests.integration.faults.topics import TopicWriter, create_topic
from tests.servers.ledger import Client, series

SMALL_QUEUE = 20
POISON_EVERY = 1000
REFUSES_S = 2.0
MAX_REQUEST_BYTES = 64 << 10


def _be_away(bench: Bench, arrived: Backend, ledger: Ledger) -> None:
    """The backend is gone for half of the time, then up and refusing for the other half."""
    time.sleep(bench.interval_s)
    with ledger.fault():
        arrived.down()
        time.sleep(bench.away_s / 2)
        arrived.up()
    with arrived.refusing():
        time.sleep(bench.away_s / 2)
    time.sleep(bench.interval_s)


def away(bench: Bench, *, durable: bool = False) -> Result:
    """The backend is gone for a while, then up and refusing for as long; the queue is small."""
    ports = Ports.free()
    queue: dict[str, Any] = {"queue_size": SMALL_QUEUE, **({"storage": "file_storage"} if durable else {})}
    storage = bench.folder / "storage" if durable else None
    config = configuration(ports, otlp_in(ports), otlp_out(ports, queue=queue), storage=storage)
    listens = [ports.intake, ports.health]
    with (
        backend(ports.backend, delay_s=bench.delay_s) as arrived,
        System(bench.collector, config, bench.folder, ports=listens) as system,
    ):
        with load(ports.intake, seed=bench.seed) as clients:
            ledger = Ledger(clients.sources, arrived)
            _be_away(bench, arrived, ledger)
        ledger.wait()
        system.terminate()
        problems = [] if clients.refused else ["the queue never was full"]
        return Result(1, ledger.account(), [f"{clients.refused} requests refused"], problems)


def away_kafka(bench: Bench) -> Result:
    """The same behind a topic: the topic waits."""
    ports, shared, name = Ports.free(), bench.broker(), bench.folder.name
    create_topic(shared.bootstrap, name)
    config = configuration(ports, kafka_in(shared, [name], name), otlp_out(ports, queue={"queue_size": SMALL_QUEUE}))
    writer = TopicWriter(shared.bootstrap, name, seed=bench.seed)
    return from_topic(
        bench,
        ports,
        config,
        writer,
        lambda _, arrived, ledger: _be_away(bench, arrived, ledger),
        settle_s=COMMIT_SETTLE_S,
        quiet_s=15,
    )


def sigterm_refusing(bench: Bench) -> Result:
    """SIGTERM while the backend refuses for two seconds; the queue is in memory."""
    ports = Ports.free()
    config = configuration(ports, otlp_in(ports), otlp_out(ports))
    listens = [ports.intake, ports.health]
    with (
        backend(ports.backend, delay_s=bench.delay_s) as arrived,
        System(bench.collector, config, bench.folder, ports=listens) as system,
    ):
        with load(ports.intake, seed=bench.seed) as clients:
            ledger = Ledger(clients.sources, arrived)
            time.sleep(bench.interval_s)
            with arrived.refusing():
                time.sleep(bench.interval_s)
                system.signal()
                time.sleep(REFUSES_S)
            code = system.server.process.wait(60)
        return Result(1, ledger.account(), [f"exit code {code}"])


def poison(bench: Bench, *, queue: Mapping[str, Any] | None = None) -> Result:
    """One span in a thousand is rejected for good, with requests of up to 20 spans: it is lost alone, and counted."""
    ports = Ports.free()
    config = configuration(ports, otlp_in(ports), otlp_out(ports, queue=queue))
    listens = [ports.intake, ports.health, ports.page]
    with (
        backend(ports.backend, delay_s=0.001) as arrived,
        System(bench.collector, config, bench.folder, ports=listens) as system,
    ):
        arrived.poison_every = POISON_EVERY
        with load(ports.intake, seed=bench.seed, most_spans=20, spans_per_s=4000) as clients:
            ledger = Ledger(clients.sources, arrived)
            until(lambda: len(ledger.acknowledged) >= bench.spans)
        ledger.doomed = {number for number in ledger.sent if arrived.is_poison(number)}
        ledger.wait()
        return _counted(ports, ledger, system)


def _counted(ports: Ports, ledger: Ledger, system: System) -> Result:
    """What the metrics say of what was lost."""
    account = ledger.account()
    meant = account.doomed + account.lost

    def failed() -> int:
        return int(series(ports.page, "otelcol_exporter_send_failed_spans_total"))

    until(lambda: failed() >= meant, timeout_s=10)
    counted = failed()
    system.terminate()
    problems = [] if counted == meant else [f"{counted} spans counted as failed, {meant} are not there"]
    return Result(account.doomed, account, [f"{account.doomed} doomed, {counted} counted"], problems)


def too_large(bench: Bench) -> Result:
    """Half of the requests are over the backend's limit, and a few spans are, alone."""
    ports = Ports.free()
    config = configuration(ports, otlp_in(ports), otlp_out(ports))
    listens = [ports.intake, ports.health, ports.page]
    with (
        backend(ports.backend, delay_s=0.001, max_request_bytes=MAX_REQUEST_BYTES) as arrived,
        System(bench.collector, config, bench.folder, ports=listens) as system,
    ):
        giant = Client(f"127.0.0.1:{ports.intake}", spans=1, text_bytes=2 * MAX_REQUEST_BYTES)
        with load(ports.intake, seed=bench.seed, text_bytes=1200) as clients:
            ledger = Ledger([*clients.sources, giant], arrived)
            for _ in range(5):
                # A full queue refuses it as any other.
                until(giant.send)
            until(lambda: len(ledger.acknowledged) >= bench.spans / 4)
        giant.close()
        ledger.doomed = giant.acknowledged
        ledger.wait()
        return _counted(ports, ledger, system)
