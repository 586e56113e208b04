"""`kill -9` at random moments: of a collector with a durable queue, behind a topic, in front of one."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import Any

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

COMMIT_SETTLE_S = 1.0
"""Offsets are committed every 100 ms here."""
_SOON = 0.25
"""So many of the kills come right after a start, and so many in the middle of one."""
_SOON_S = 0.4
_START_S = 1.5


def kill_and_restart(bench: Bench, system: System, ledger: Ledger) -> None:
    """Kill the system so many times, and start it again each time."""
    rng = bench.rng
    for _ in range(bench.faults):
        time.sleep(_life_s(rng, bench.interval_s))
        in_a_start = rng.random() < _SOON
        with ledger.fault():
            system.kill()
            system.start(wait=not in_a_start)
            if in_a_start:
                time.sleep(rng.uniform(0, _START_S))
        if in_a_start:
            with ledger.fault():
                system.kill()
                system.start()
    time.sleep(bench.interval_s)


def _life_s(rng: random.Random, mean_s: float) -> float:
    return rng.uniform(0, _SOON_S) if rng.random() < _SOON else rng.uniform(0, 2 * mean_s)


def durable_kill(
    bench: Bench, *, queue: Mapping[str, Any] | None = None, processors: Mapping[str, Any] | None = None
) -> Result:
    """OTLP, a queue on disk, a backend; with a processor that holds data, clients of ours wait until it is stored."""
    ports = Ports.free()
    receiver = otlp_in(ports, **(bench.ours(acknowledge="delivered") if processors else {}))
    exporter = otlp_out(ports, queue={"storage": "file_storage", **(queue or {})})
    config = configuration(ports, receiver, exporter, processors=processors, storage=bench.folder / "storage")
    listens = [ports.intake, ports.health]
    with (
        backend(ports.backend, delay_s=bench.delay_s) as arrived,
        System(bench.collector, config, bench.folder, ports=listens) as system,
    ):
        with load(ports.intake, seed=bench.seed) as clients:
            ledger = Ledger(clients.sources, arrived)
            kill_and_restart(bench, system, ledger)
        ledger.wait()
        system.terminate()
        return Result(len(ledger.faults), ledger.account())


def kafka_kill(bench: Bench, *, theirs: Mapping[str, Any] | None = None, queue: bool = True) -> Result:
    """A topic, a collector, a backend. A static member: it has its partitions back as soon as it is up again.

    Args:
        bench: what is tested.
        theirs: further keys of the Collector's receiver.
        queue: whether the Collector's exporter has its queue.
    """
    ports, broker, name = Ports.free(), bench.broker(), bench.folder.name
    create_topic(broker.bootstrap, name)
    receiver = kafka_in(broker, [name], name, group_instance_id=name, **bench.theirs(**(theirs or {})))
    exporter = otlp_out(ports, queue={} if queue else bench.theirs(enabled=False))
    config = configuration(ports, receiver, exporter)
    writer = TopicWriter(broker.bootstrap, name, seed=bench.seed)
    return from_topic(
        bench,
        ports,
        config,
        writer,
        lambda system, _, ledger: kill_and_restart(bench, system, ledger),
        settle_s=COMMIT_SETTLE_S,
        quiet_s=15,
    )


def kafka_out_kill(bench: Bench) -> Result:
    """OTLP, a collector that answers once the data is delivered, a topic."""
    ports, broker, name = Ports.free(), bench.broker(), bench.folder.name
    create_topic(broker.bootstrap, name)
    receiver = otlp_in(ports, **bench.ours(acknowledge="delivered"))
    exporter = kafka_out(broker, name, **bench.theirs(sending_queue={"enabled": False}))
    config = configuration(ports, receiver, exporter)
    listens = [ports.intake, ports.health]
    with (
        at_work(TopicReader(broker.bootstrap, name)) as arrived,
        System(bench.collector, config, bench.folder, ports=listens) as system,
    ):
        with load(ports.intake, seed=bench.seed) as clients:
            ledger = Ledger(clients.sources, arrived)
            kill_and_restart(bench, system, ledger)
        ledger.wait()
        system.terminate()
        return Result(len(ledger.faults), ledger.account())
