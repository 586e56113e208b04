"""Kafka itself at fault: the broker dies, the members of a group come and go."""

from __future__ import annotations

import contextlib
import time

from tests.integration.faults.backend import backend
from tests.integration.faults.bench import (
    Bench,
    Ports,
    Result,
    configuration,
    kafka_in,
    kafka_out,
    otlp_in,
    otlp_out,
)
from tests.integration.faults.from_topic import from_topic
from tests.integration.faults.ledger import Ledger
from tests.integration.faults.load import load
from tests.integration.faults.system import System
from tests.integration.faults.topics import TopicReader, TopicWriter, at_work, create_topic
from tests.servers.kafka.broker import Broker, broker, patience

SETTLE_S = 2.0
"""What a broker has taken right before it died may not have been said to the producer, or to the committing group."""
RECOVERY_S = 15.0
"""Connections, leaders and groups are found again within this time."""
_PATIENCE_S = 2.0
SESSION_S = 6.0
MEMBERS = 3


def kill_broker(bench: Bench, running: Broker, ledger: Ledger) -> None:
    """Kill the broker so many times, and start it again each time."""
    rng = bench.rng
    for _ in range(bench.faults):
        time.sleep(rng.uniform(0.5, 2 * bench.interval_s))
        with ledger.fault(lasting_s=RECOVERY_S):
            running.kill()
            time.sleep(rng.uniform(0, bench.away_s))
            running.up()
    time.sleep(bench.interval_s)


def broker_kill_out(bench: Bench) -> Result:
    """OTLP, a collector, a topic whose broker dies: nothing that was accepted may be missing when it is back."""
    ports, name = Ports.free(), bench.folder.name
    with broker(bench.folder / "broker", properties=patience(_PATIENCE_S)) as running:
        create_topic(running.bootstrap, name)
        config = configuration(ports, otlp_in(ports), kafka_out(running, name))
        with (
            at_work(TopicReader(running.bootstrap, name)) as arrived,
            System(bench.collector, config, bench.folder, ports=[ports.intake, ports.health]) as system,
        ):
            with load(ports.intake, seed=bench.seed) as clients:
                ledger = Ledger(clients.sources, arrived, settle_s=SETTLE_S)
                kill_broker(bench, running, ledger)
            ledger.wait(quiet_s=40)
            system.terminate()
            return Result(len(ledger.faults), ledger.account())


def broker_kill_in(bench: Bench) -> Result:
    """A topic whose broker dies, a collector, a backend."""
    ports, name = Ports.free(), bench.folder.name
    with broker(bench.folder / "broker", properties=patience(_PATIENCE_S)) as running:
        create_topic(running.bootstrap, name)
        config = configuration(ports, kafka_in(running, [name], name), otlp_out(ports))
        writer = TopicWriter(running.bootstrap, name, seed=bench.seed)
        return from_topic(
            bench,
            ports,
            config,
            writer,
            lambda _, __, ledger: kill_broker(bench, running, ledger),
            settle_s=SETTLE_S,
            quiet_s=40,
        )


def rebalance(bench: Bench) -> Result:
    """Three workers of one group; one after the other leaves (in good order, or by `kill -9`) and comes back."""
    shared, name, backend_port = bench.broker(), bench.folder.name, Ports.free().backend
    create_topic(shared.bootstrap, name, partitions=2 * MEMBERS)
    writer = TopicWriter(shared.bootstrap, name, seed=bench.seed)
    with backend(backend_port, delay_s=bench.delay_s) as arrived, contextlib.ExitStack() as stack:
        systems = [stack.enter_context(_member(bench, shared, name, index, backend_port)) for index in range(MEMBERS)]
        ledger = Ledger([writer], arrived, settle_s=SETTLE_S)
        with at_work(writer):
            _come_and_go(bench, systems, ledger)
        ledger.wait(quiet_s=20)
        for system in systems:
            system.terminate()
        return Result(len(ledger.faults), ledger.account())


def _member(bench: Bench, shared: Broker, name: str, index: int, backend_port: int) -> System:
    own = Ports.free()
    ports = Ports(own.intake, own.health, own.page, backend_port)
    receiver = kafka_in(shared, [name], name, session_timeout=f"{SESSION_S:.0f}s")
    config = configuration(ports, receiver, otlp_out(ports))
    return System(bench.collector, config, bench.folder / f"member-{index}", ports=[ports.health])


def _come_and_go(bench: Bench, systems: list[System], ledger: Ledger) -> None:
    rng = bench.rng
    for number in range(bench.faults):
        time.sleep(rng.uniform(0.2, 2 * bench.interval_s))
        system = systems[number % len(systems)]
        # the group learns of a death when the session is over
        with ledger.fault(lasting_s=SESSION_S + RECOVERY_S):
            if number % 2:
                system.terminate()
            else:
                system.kill()
            time.sleep(rng.uniform(0, bench.interval_s))
            system.start()
    time.sleep(bench.interval_s)
