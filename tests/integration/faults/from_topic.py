"""What scenarios that read a topic have in common: a writer, a collector, a backend, a ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.integration.faults.backend import Backend, backend
from tests.integration.faults.bench import Bench, Ports, Result
from tests.integration.faults.ledger import Ledger
from tests.integration.faults.system import System
from tests.integration.faults.topics import TopicWriter, at_work


def from_topic(
    bench: Bench,
    ports: Ports,
    config: Mapping[str, Any],
    writer: TopicWriter,
    happens: Callable[[System, Backend, Ledger], None],
    *,
    settle_s: float,
    quiet_s: float,
) -> Result:
    """Run the collector between the topic that `writer` writes and a backend, while `happens` goes on.

    Args:
        bench: what is tested.
        ports: those of `config`.
        config: of the collector.
        writer: who is acknowledged by the broker.
        happens: the faults.
        settle_s: as of `Ledger`.
        quiet_s: as of `Ledger.wait`.
    """
    with (
        backend(ports.backend, delay_s=bench.delay_s) as arrived,
        System(bench.collector, config, bench.folder, ports=[ports.health]) as system,
    ):
        ledger = Ledger([writer], arrived, settle_s=settle_s)
        with at_work(writer):
            happens(system, arrived, ledger)
        ledger.wait(quiet_s=quiet_s)
        system.terminate()
        return Result(len(ledger.faults), ledger.account())
